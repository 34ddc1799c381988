"""The model of a run document."""

from collections import Counter
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from app.spec.base import SpecModel
from app.spec.graph import Graph, Node, join_layers
from app.spec.layers import AnyLayer
from app.spec.layers.base import LayerName
from app.spec.mistakes import mistake

__all__ = ["Graph", "ModelSpec", "Node", "resolve_graph"]


def _as_mapping(value: Any) -> Any:
    """`"a"` and `["a", "b"]` as `{"a": "a", "b": "b"}`."""
    names = [value] if isinstance(value, str) else value
    if isinstance(names, list) and all(isinstance(name, str) for name in names):
        for name, count in Counter(names).items():
            if count > 1:
                raise mistake(f"Expected different layers; received {name} more than once.")
        return {name: name for name in names}
    return value


Outputs = Annotated[
    dict[LayerName, LayerName],
    BeforeValidator(
        _as_mapping, json_schema_input_type=LayerName | list[LayerName] | dict[LayerName, LayerName]
    ),
    Field(min_length=1, max_length=100),
]
"""A layer, a list of layers, or an object of names for layers."""


class ModelSpec(SpecModel):
    """A Keras model."""

    layers: Annotated[list[AnyLayer], Field(min_length=1, max_length=1000)]
    """A chain of layers, or a graph where layers name their `inputs`."""
    outputs: Outputs | None = None
    """The layers whose outputs are the model's; without it, the last layer."""


def resolve_graph(model: ModelSpec, data_shapes: Mapping[str, tuple[int, ...]]) -> Graph:
    """Works out names, order, shapes and numbers of weights.

    Args:
        model: the document's model.
        data_shapes: the shape of one sample of each of the dataset's inputs, by name; `x` where it has
            only one, without a name. May be empty, where each Input has a shape.

    Raises:
        InvalidDocument: the layers don't fit together, or don't fit the data.
    """
    layers = [(layer, f"/model/layers/{index}") for index, layer in enumerate(model.layers)]
    return join_layers(layers, model.outputs, data_shapes)
