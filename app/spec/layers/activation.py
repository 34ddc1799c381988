"""Activations that are layers of their own."""

from collections.abc import Sequence
from math import prod
from typing import Annotated, Literal

from pydantic import Field

from app.spec.activations import Activation as ActivationName
from app.spec.initializers import Initializer
from app.spec.layers.base import (
    Axes,
    RegularizedLayer,
    Shape,
    axis_positions,
    fixed_length,
)
from app.spec.regularizers import Regularizer
from app.spec.weight_constraints import WeightConstraint

SharedAxis = Annotated[int, Field(ge=1, le=8)]
"""An axis of a batch after the samples', counted from 1."""

NotNegative = Annotated[float, Field(ge=0)]


class Activation(RegularizedLayer):
    """Any of Keras's activations, by name."""

    type: Literal["Activation"] = "Activation"
    activation: ActivationName


class ReLU(RegularizedLayer):
    """`x` above the threshold, at most `max_value`; below it `negative_slope · (x − threshold)`."""

    type: Literal["ReLU"] = "ReLU"
    max_value: NotNegative | None = None
    negative_slope: NotNegative = 0.0
    threshold: NotNegative = 0.0


class LeakyReLU(RegularizedLayer):
    """`x` above zero, `negative_slope · x` below."""

    type: Literal["LeakyReLU"] = "LeakyReLU"
    negative_slope: NotNegative = 0.3


class ELU(RegularizedLayer):
    """`x` above zero, `alpha · (eˣ − 1)` below."""

    type: Literal["ELU"] = "ELU"
    alpha: float = 1.0


class PReLU(RegularizedLayer):
    """`x` above zero, `alpha · x` below, with learned slopes."""

    type: Literal["PReLU"] = "PReLU"
    alpha_initializer: Initializer = "Zeros"
    alpha_regularizer: Regularizer | None = None
    alpha_constraint: WeightConstraint | None = None
    shared_axes: SharedAxis | Annotated[list[SharedAxis], Field(min_length=1, max_length=8)] | None = None
    """The axes along which slopes are the same: `[1, 2]` gives each channel of an image one slope."""

    def infer_shape(self, inputs: Sequence[Shape]) -> Shape:
        self._alpha_shape(inputs[0])
        return inputs[0]

    def parameter_count(self, inputs: Sequence[Shape]) -> int:
        return prod(self._alpha_shape(inputs[0]))

    def _alpha_shape(self, shape: Shape) -> list[int]:
        shared = [] if self.shared_axes is None else axis_positions(self.shared_axes, shape, "shared_axes")
        return [1 if position in shared else fixed_length(shape, position) for position in range(len(shape))]


class Softmax(RegularizedLayer):
    """Positive shares that add up to one along an axis."""

    type: Literal["Softmax"] = "Softmax"
    axis: Axes = -1

    def infer_shape(self, inputs: Sequence[Shape]) -> Shape:
        axis_positions(self.axis, inputs[0])
        return inputs[0]
