"""Layers that bring their input to zero mean and unit variance, or to unit norm."""

from collections.abc import Sequence
from math import prod
from typing import Annotated, Literal

from pydantic import Field

from app.spec.base import SpecModel
from app.spec.initializers import Initializer
from app.spec.layers.base import (
    Axes,
    Axis,
    Misfit,
    RegularizedLayer,
    Shape,
    Size,
    axis_position,
    axis_positions,
    fixed_length,
)
from app.spec.regularizers import Regularizer
from app.spec.weight_constraints import WeightConstraint

Share = Annotated[float, Field(ge=0, le=1)]
Bound = Annotated[float, Field(ge=0)]


class _Normalization(RegularizedLayer):
    epsilon: Annotated[float, Field(gt=0)] = 0.001
    """Added to the variance."""
    center: bool = True
    """Whether a learned `beta` is added."""
    scale: bool = True
    """Whether a learned `gamma` multiplies."""
    beta_initializer: Initializer = "zeros"
    gamma_initializer: Initializer = "ones"
    beta_regularizer: Regularizer | None = None
    gamma_regularizer: Regularizer | None = None
    beta_constraint: WeightConstraint | None = None
    gamma_constraint: WeightConstraint | None = None


class RenormClipping(SpecModel):
    """Limits of the corrections of batch renormalization."""

    rmax: Bound | None = None
    rmin: Bound | None = None
    dmax: Bound | None = None


class BatchNormalization(_Normalization):
    """Normalizes each channel over the batch; with running averages when it predicts."""

    type: Literal["BatchNormalization"] = "BatchNormalization"
    axis: Axis = -1
    """The channels' axis."""
    momentum: Share = 0.99
    """How slowly the running averages move."""
    moving_mean_initializer: Initializer = "zeros"
    moving_variance_initializer: Initializer = "ones"
    renorm: bool = False
    renorm_clipping: RenormClipping | None = None
    renorm_momentum: Share = 0.99

    def infer_shape(self, inputs: Sequence[Shape]) -> Shape:
        fixed_length(inputs[0], axis_position(self.axis, inputs[0]))
        return inputs[0]

    def parameter_count(self, inputs: Sequence[Shape]) -> int:
        channels = fixed_length(inputs[0], axis_position(self.axis, inputs[0]))
        return channels * (2 + 3 * self.renorm + self.center + self.scale)


class LayerNormalization(_Normalization):
    """Normalizes each sample over some of its axes."""

    type: Literal["LayerNormalization"] = "LayerNormalization"
    axis: Axes = -1

    def infer_shape(self, inputs: Sequence[Shape]) -> Shape:
        self.parameter_count(inputs)
        return inputs[0]

    def parameter_count(self, inputs: Sequence[Shape]) -> int:
        positions = axis_positions(self.axis, inputs[0])
        return prod(fixed_length(inputs[0], position) for position in positions) * (self.center + self.scale)


class GroupNormalization(_Normalization):
    """Normalizes each sample over groups of its channels."""

    type: Literal["GroupNormalization"] = "GroupNormalization"
    groups: Size | Literal[-1] = 32
    """How many groups; -1 is one for each channel."""
    axis: Axis = -1
    """The channels' axis."""

    def infer_shape(self, inputs: Sequence[Shape]) -> Shape:
        channels = self._channels(inputs[0])
        if self.groups != -1 and channels % self.groups:
            raise Misfit(f"Expected a divisor of the channels, {channels}; received {self.groups}.", "groups")
        return inputs[0]

    def parameter_count(self, inputs: Sequence[Shape]) -> int:
        return self._channels(inputs[0]) * (self.center + self.scale)

    def _channels(self, shape: Shape) -> int:
        return fixed_length(shape, axis_position(self.axis, shape))


class UnitNormalization(RegularizedLayer):
    """Scales each sample to a norm of one."""

    type: Literal["UnitNormalization"] = "UnitNormalization"
    axis: Axes = -1

    def infer_shape(self, inputs: Sequence[Shape]) -> Shape:
        axis_positions(self.axis, inputs[0])
        return inputs[0]
