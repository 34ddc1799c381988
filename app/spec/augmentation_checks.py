"""Whether augmentation fits the inputs, told before anything is trained."""

from collections.abc import Collection, Sequence

from app.errors import InvalidDocument
from app.spec.augmentation import AnyAugmentation, GaussianNoise, MixUp
from app.spec.graph import Graph
from app.spec.layers.base import show
from app.spec.layers.core import Embedding
from app.spec.losses import LossSpec, loss_parts
from app.spec.losses.keras import SparseCategoricalCrossentropy
from app.spec.names import did_you_mean
from app.spec.pointers import join, received


def check_augmentation(
    augmentations: Sequence[AnyAugmentation], graph: Graph, loss: LossSpec, pointer: str = "/augmentation"
) -> None:
    """Checks that each augmentation finds the input it changes, and in the right shape.

    Args:
        augmentations: the `augmentation` field of the document.
        graph: the model.
        loss: the document's loss.
        pointer: JSON Pointer to `augmentation`.

    Raises:
        InvalidDocument: there is no such input, it's no image, or what would be blended are numbers of
            classes or of an embedding's vectors.
    """
    input_shapes = graph.inputs
    embedded = {node.inputs[0] for node in graph.nodes if isinstance(node.layer, Embedding)}
    for position, augmentation in enumerate(augmentations):
        where = join(pointer, position)
        if isinstance(augmentation, MixUp):
            _check_blendable(loss, list(graph.outputs), where)
            _check_not_embedded(embedded & input_shapes.keys(), augmentation.type, where)
            continue
        name = augmentation.input
        if name is None and len(input_shapes) > 1:
            raise InvalidDocument.at(
                f"{where}/input",
                f"Expected one of the inputs {', '.join(input_shapes)}; received nothing.",
            )
        if name is not None and name not in input_shapes:
            raise InvalidDocument.at(
                f"{where}/input",
                f"Expected the name of an input; received {received(name)}."
                f"{did_you_mean(name, input_shapes)}",
            )
        name = name or next(iter(input_shapes))
        _check_not_embedded(embedded & {name}, augmentation.type, where)
        shape = input_shapes[name]
        if len(shape) != 3 and not isinstance(augmentation, GaussianNoise):
            raise InvalidDocument.at(
                where,
                f"Expected images, [height, width, channels], for {augmentation.type}; "
                f"received {show(shape)}.",
            )


def _check_blendable(loss: LossSpec, outputs: Sequence[str], where: str) -> None:
    for part in loss_parts(loss, outputs):
        if isinstance(part.loss, SparseCategoricalCrossentropy):
            raise InvalidDocument.at(
                where,
                f"Expected targets that can be blended, such as one-hot ones, for MixUp; received classes by "
                f"number for {part.loss.type}.",
            )


def _check_not_embedded(inputs: Collection[str], kind: str, where: str) -> None:
    for name in sorted(inputs):
        raise InvalidDocument.at(
            where,
            f"Expected an input of measured numbers for {kind}; received {name}, which an Embedding reads.",
        )
