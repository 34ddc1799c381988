"""Input, Dense, Activation, Dropout, Flatten."""

from collections.abc import Sequence
from math import prod
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from app.spec.activations import Activation as ActivationName
from app.spec.initializers import Initializer
from app.spec.layers.base import Layer, Misfit, Rate, RegularizedLayer, Seed, Shape, Size, last_length, show
from app.spec.regularizers import Regularizer
from app.spec.weight_constraints import WeightConstraint


class Input(Layer):
    """Where one of the dataset's inputs enters the model."""

    type: Literal["Input"] = "Input"
    shape: Annotated[list[Size | None], Field(max_length=8)] | None = None
    """The shape of one sample; `null` is a length that the data decides. Without it, the data's shape."""

    input_count: ClassVar[tuple[int, int | None]] = (0, 0)


class Dense(RegularizedLayer):
    """`activation(x · kernel + bias)` on the last axis."""

    type: Literal["Dense"] = "Dense"
    units: Size
    activation: ActivationName | None = None
    use_bias: bool = True
    kernel_initializer: Initializer = "glorot_uniform"
    bias_initializer: Initializer = "zeros"
    kernel_regularizer: Regularizer | None = None
    bias_regularizer: Regularizer | None = None
    kernel_constraint: WeightConstraint | None = None
    bias_constraint: WeightConstraint | None = None

    def output_shape(self, inputs: Sequence[Shape]) -> Shape:
        last_length(inputs[0])
        return (*inputs[0][:-1], self.units)

    def parameter_count(self, inputs: Sequence[Shape]) -> int:
        return (last_length(inputs[0]) + self.use_bias) * self.units


class Activation(RegularizedLayer):
    """An activation on its own."""

    type: Literal["Activation"] = "Activation"
    activation: ActivationName


class Dropout(RegularizedLayer):
    """Zeroes a share of the elements while training and scales up the others."""

    type: Literal["Dropout"] = "Dropout"
    rate: Rate
    noise_shape: Annotated[list[Size | None], Field(max_length=9)] | None = None
    """Which axes, the batch's included, share a mask: 1 shares, `null` doesn't."""
    seed: Seed | None = None

    def output_shape(self, inputs: Sequence[Shape]) -> Shape:
        (shape,) = inputs
        if self.noise_shape is not None:
            check_noise_shape(self.noise_shape, shape)
        return shape


class Flatten(RegularizedLayer):
    """All axes but the batch's in one."""

    type: Literal["Flatten"] = "Flatten"
    data_format: Literal["channels_last", "channels_first"] | None = None

    def output_shape(self, inputs: Sequence[Shape]) -> Shape:
        (shape,) = inputs
        lengths = [length for length in shape if length is not None]
        return (prod(lengths) if len(lengths) == len(shape) else None,)


def check_noise_shape(noise_shape: Sequence[int | None], shape: Shape) -> None:
    """Raises:
    Misfit: the noise can't be broadcast to an input of this shape.
    """
    fits = len(noise_shape) == len(shape) + 1 and all(
        noise in (None, 1, length) for noise, length in zip(noise_shape[1:], shape, strict=True)
    )
    if not fits or noise_shape[0] not in (None, 1):
        expected = show((None, *shape))
        raise Misfit(
            f"Expected {expected}, or 1 in some places; received {show(tuple(noise_shape))}", "noise_shape"
        )
