"""What the quantities of a document may name: outputs, layers, columns, groups, with their shapes."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from app.spec.dataset import RunData
from app.spec.graph import Graph
from app.spec.layers.base import Layer, Shape
from app.spec.layers.normalization import BatchNormalization


@dataclass(frozen=True)
class Surroundings:
    """Shapes are those of one sample; None is a length that isn't fixed.

    Attributes:
        outputs: shapes of the model's outputs.
        targets: shapes of the targets, by output.
        layers: shapes of the layers' outputs.
        weighted: names of the layers that have trainable weights.
        columns: shapes of the dataset's further columns.
        groups: the groups that samples belong to; None where they belong to none.
    """

    outputs: Mapping[str, Shape]
    targets: Mapping[str, Shape] = field(default_factory=dict)
    layers: Mapping[str, Shape] = field(default_factory=dict)
    weighted: Collection[str] = ()
    columns: Mapping[str, Shape] = field(default_factory=dict)
    groups: Collection[str | int] | None = None

    @classmethod
    def of_run(cls, graph: Graph, data: RunData) -> "Surroundings":
        """Those of a run: its model and its data, targets by the names of outputs."""
        return cls(
            outputs=graph.output_shapes,
            targets={name: array.shape[1:] for name, array in data.targets.items()},
            layers={node.name: node.shape for node in graph.nodes},
            weighted=[node.name for node in graph.nodes if node.parameter_count and _trains(node.layer)],
            columns={name: array.shape[1:] for name, array in data.columns.items()},
            groups=None if data.group is None else set(data.group.tolist()),
        )


def _trains(layer: Layer) -> bool:
    """Whether some of the weights that a layer has are trained."""
    if isinstance(layer, BatchNormalization) and not (layer.center or layer.scale):
        return False
    inner = layer.wrapped().values()
    return layer.trainable and (not inner or any(_trains(wrapped) for wrapped in inner))
