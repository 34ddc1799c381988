"""Convolutions over the axes between the samples' and the channels', which come last."""

from collections.abc import Sequence
from math import prod
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from app.spec.activations import Activation
from app.spec.initializers import Initializer
from app.spec.layers.base import (
    DataFormat,
    Misfit,
    RegularizedLayer,
    Shape,
    Size,
    Sizes1,
    Sizes2,
    Sizes3,
    expect_rank,
    fixed_length,
    per_axis,
)
from app.spec.layers.windows import Padding, check_strides, windowed_lengths
from app.spec.regularizers import Regularizer
from app.spec.weight_constraints import WeightConstraint


class _Convolution(RegularizedLayer):
    """What all have in common."""

    kernel_size: int | tuple[int, ...]
    strides: int | tuple[int, ...] = 1
    padding: Literal["valid", "same", "causal"] = "valid"
    data_format: DataFormat | None = None
    dilation_rate: int | tuple[int, ...] = 1
    activation: Activation | None = None
    use_bias: bool = True
    bias_initializer: Initializer = "zeros"
    bias_regularizer: Regularizer | None = None
    bias_constraint: WeightConstraint | None = None

    rank: ClassVar[int]

    def infer_shape(self, inputs: Sequence[Shape]) -> Shape:
        (shape,) = inputs
        lengths = windowed_lengths(
            shape, self.rank, self.kernel_size, self.strides, self.padding, self.dilation_rate
        )
        check_strides(self.strides, self.dilation_rate)
        return (*lengths, self.output_channels(fixed_length(shape)))

    def output_channels(self, channels: int) -> int:
        """The channels of the output for an input of `channels`."""
        raise NotImplementedError

    @property
    def window(self) -> int:
        """The elements of the kernel's window."""
        return prod(per_axis(self.kernel_size, self.rank))


class _Conv(_Convolution):
    filters: Size
    groups: Size = 1
    kernel_initializer: Initializer = "glorot_uniform"
    kernel_regularizer: Regularizer | None = None
    kernel_constraint: WeightConstraint | None = None

    def output_channels(self, channels: int) -> int:
        if channels % self.groups or self.filters % self.groups:
            raise Misfit(
                f"Expected a divisor of both filters, {self.filters}, and the input's channels, {channels}; "
                f"received {self.groups}.",
                "groups",
            )
        return self.filters

    def parameter_count(self, inputs: Sequence[Shape]) -> int:
        channels = fixed_length(inputs[0]) // self.groups
        return (self.window * channels + self.use_bias) * self.filters


class Conv1D(_Conv):
    """A convolution over a sequence `(steps, channels)`."""

    type: Literal["Conv1D"] = "Conv1D"
    kernel_size: Sizes1
    strides: Sizes1 = 1
    padding: Literal["valid", "same", "causal"] = "valid"
    dilation_rate: Sizes1 = 1

    rank: ClassVar[int] = 1


class Conv2D(_Conv):
    """A convolution over an image `(rows, columns, channels)`."""

    type: Literal["Conv2D"] = "Conv2D"
    kernel_size: Sizes2
    strides: Sizes2 = (1, 1)
    padding: Padding = "valid"
    dilation_rate: Sizes2 = (1, 1)

    rank: ClassVar[int] = 2


class Conv3D(_Conv):
    """A convolution over a volume `(depth, rows, columns, channels)`."""

    type: Literal["Conv3D"] = "Conv3D"
    kernel_size: Sizes3
    strides: Sizes3 = (1, 1, 1)
    padding: Padding = "valid"
    dilation_rate: Sizes3 = (1, 1, 1)

    rank: ClassVar[int] = 3


class _ConvTranspose(_Convolution):
    filters: Size
    output_padding: int | tuple[int, ...] | None = None
    kernel_initializer: Initializer = "glorot_uniform"
    kernel_regularizer: Regularizer | None = None
    kernel_constraint: WeightConstraint | None = None

    def infer_shape(self, inputs: Sequence[Shape]) -> Shape:
        (shape,) = inputs
        expect_rank(shape, self.rank + 1)
        fixed_length(shape)
        check_strides(self.strides, self.dilation_rate)
        return (*(self._stretched(shape, axis) for axis in range(self.rank)), self.filters)

    def _stretched(self, shape: Shape, axis: int) -> int | None:
        length = shape[axis]
        size = per_axis(self.kernel_size, self.rank)[axis]
        stride = per_axis(self.strides, self.rank)[axis]
        extent = (size - 1) * per_axis(self.dilation_rate, self.rank)[axis] + 1
        extra = None if self.output_padding is None else per_axis(self.output_padding, self.rank)[axis]
        if extra is not None and extra >= stride:
            raise Misfit(f"Expected less than the strides, {stride}; received {extra}.", "output_padding")
        if length is None:
            return None
        if self.padding == "valid":
            return (length - 1) * stride + extent + (max(0, stride - extent) if extra is None else extra)
        return length * stride if extra is None else (length - 1) * stride + extent % 2 + extra

    def parameter_count(self, inputs: Sequence[Shape]) -> int:
        return (self.window * fixed_length(inputs[0]) + self.use_bias) * self.filters


Extra = Annotated[int, Field(ge=0, le=1_000_000)]
Extra1 = Extra | Annotated[tuple[Extra, ...], Field(strict=False, min_length=1, max_length=1)]
Extra2 = Extra | Annotated[tuple[Extra, ...], Field(strict=False, min_length=2, max_length=2)]
"""Elements that are added at the end of each axis: less than its stride."""


class Conv1DTranspose(_ConvTranspose):
    """The transpose of a convolution over a sequence, which lengthens it."""

    type: Literal["Conv1DTranspose"] = "Conv1DTranspose"
    kernel_size: Sizes1
    strides: Sizes1 = 1
    padding: Padding = "valid"
    output_padding: Extra1 | None = None
    dilation_rate: Sizes1 = 1

    rank: ClassVar[int] = 1


class Conv2DTranspose(_ConvTranspose):
    """The transpose of a convolution over an image, which enlarges it."""

    type: Literal["Conv2DTranspose"] = "Conv2DTranspose"
    kernel_size: Sizes2
    strides: Sizes2 = (1, 1)
    padding: Padding = "valid"
    output_padding: Extra2 | None = None
    dilation_rate: Sizes2 = (1, 1)

    rank: ClassVar[int] = 2


class _Depthwise(_Convolution):
    depth_multiplier: Size = 1
    depthwise_initializer: Initializer = "glorot_uniform"
    depthwise_regularizer: Regularizer | None = None
    depthwise_constraint: WeightConstraint | None = None

    def infer_shape(self, inputs: Sequence[Shape]) -> Shape:
        strides = per_axis(self.strides, self.rank)
        if len(set(strides)) > 1:
            raise Misfit("Expected the same stride along every axis; received different ones.", "strides")
        return super().infer_shape(inputs)

    def output_channels(self, channels: int) -> int:
        return channels * self.depth_multiplier

    def parameter_count(self, inputs: Sequence[Shape]) -> int:
        return (self.window + self.use_bias) * fixed_length(inputs[0]) * self.depth_multiplier


class DepthwiseConv1D(_Depthwise):
    """A convolution of each channel of a sequence on its own."""

    type: Literal["DepthwiseConv1D"] = "DepthwiseConv1D"
    kernel_size: Sizes1
    strides: Sizes1 = 1
    padding: Padding = "valid"
    dilation_rate: Sizes1 = 1

    rank: ClassVar[int] = 1


class DepthwiseConv2D(_Depthwise):
    """A convolution of each channel of an image on its own."""

    type: Literal["DepthwiseConv2D"] = "DepthwiseConv2D"
    kernel_size: Sizes2
    strides: Sizes2 = (1, 1)
    padding: Padding = "valid"
    dilation_rate: Sizes2 = (1, 1)

    rank: ClassVar[int] = 2


class _Separable(_Depthwise):
    filters: Size
    pointwise_initializer: Initializer = "glorot_uniform"
    pointwise_regularizer: Regularizer | None = None
    pointwise_constraint: WeightConstraint | None = None

    def output_channels(self, channels: int) -> int:
        return self.filters

    def parameter_count(self, inputs: Sequence[Shape]) -> int:
        between = fixed_length(inputs[0]) * self.depth_multiplier
        return self.window * between + (between + self.use_bias) * self.filters


class SeparableConv1D(_Separable):
    """A depthwise convolution over a sequence, then a mix of the channels."""

    type: Literal["SeparableConv1D"] = "SeparableConv1D"
    kernel_size: Sizes1
    strides: Sizes1 = 1
    padding: Padding = "valid"
    dilation_rate: Sizes1 = 1

    rank: ClassVar[int] = 1


class SeparableConv2D(_Separable):
    """A depthwise convolution over an image, then a mix of the channels."""

    type: Literal["SeparableConv2D"] = "SeparableConv2D"
    kernel_size: Sizes2
    strides: Sizes2 = (1, 1)
    padding: Padding = "valid"
    dilation_rate: Sizes2 = (1, 1)

    rank: ClassVar[int] = 2
