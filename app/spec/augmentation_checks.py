"""Whether augmentation fits the inputs, told before anything is trained."""

from collections.abc import Mapping, Sequence

from app.errors import InvalidDocument
from app.spec.augmentation import AnyAugmentation, GaussianNoise, MixUp
from app.spec.layers.base import Shape, show
from app.spec.losses import LossSpec, loss_parts
from app.spec.losses.keras import SparseCategoricalCrossentropy
from app.spec.names import did_you_mean
from app.spec.pointers import join, received


def check_augmentation(
    augmentations: Sequence[AnyAugmentation],
    input_shapes: Mapping[str, Shape],
    loss: LossSpec,
    outputs: Sequence[str],
    pointer: str = "/augmentation",
) -> None:
    """Checks that each augmentation finds the input it changes, and in the right shape.

    Args:
        augmentations: the `augmentation` field of the document.
        input_shapes: by input name, the shape of one sample.
        loss: the document's loss.
        outputs: the names of the model's outputs.
        pointer: JSON Pointer to `augmentation`.

    Raises:
        InvalidDocument: there is no such input, it's no image, or targets are classes by number, which
            mixup can't blend.
    """
    for position, augmentation in enumerate(augmentations):
        where = join(pointer, position)
        if isinstance(augmentation, MixUp):
            _check_blendable(loss, outputs, where)
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
        shape = input_shapes[name] if name is not None else next(iter(input_shapes.values()))
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
