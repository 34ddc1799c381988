"""Pooling over the axes between the samples' and the channels', which come last."""

from collections.abc import Sequence
from typing import ClassVar, Literal

from app.spec.layers.base import (
    DataFormat,
    RegularizedLayer,
    Shape,
    Sizes1,
    Sizes2,
    Sizes3,
    expect_rank,
)
from app.spec.layers.windows import Padding, windowed_lengths


class _Pooling(RegularizedLayer):
    pool_size: int | tuple[int, ...]
    strides: int | tuple[int, ...] | None = None
    """The window's steps; without it, its size."""
    padding: Padding = "valid"
    data_format: DataFormat | None = None

    rank: ClassVar[int]

    def infer_shape(self, inputs: Sequence[Shape]) -> Shape:
        (shape,) = inputs
        strides = self.pool_size if self.strides is None else self.strides
        lengths = windowed_lengths(shape, self.rank, self.pool_size, strides, self.padding, field="pool_size")
        return (*lengths, shape[-1])


class MaxPooling1D(_Pooling):
    """The greatest element in each window of a sequence."""

    type: Literal["MaxPooling1D"] = "MaxPooling1D"
    pool_size: Sizes1 = 2
    strides: Sizes1 | None = None

    rank: ClassVar[int] = 1


class MaxPooling2D(_Pooling):
    """The greatest element in each window of an image."""

    type: Literal["MaxPooling2D"] = "MaxPooling2D"
    pool_size: Sizes2 = (2, 2)
    strides: Sizes2 | None = None

    rank: ClassVar[int] = 2


class MaxPooling3D(_Pooling):
    """The greatest element in each window of a volume."""

    type: Literal["MaxPooling3D"] = "MaxPooling3D"
    pool_size: Sizes3 = (2, 2, 2)
    strides: Sizes3 | None = None

    rank: ClassVar[int] = 3


class AveragePooling1D(_Pooling):
    """The mean of each window of a sequence."""

    type: Literal["AveragePooling1D"] = "AveragePooling1D"
    pool_size: Sizes1
    strides: Sizes1 | None = None

    rank: ClassVar[int] = 1


class AveragePooling2D(_Pooling):
    """The mean of each window of an image."""

    type: Literal["AveragePooling2D"] = "AveragePooling2D"
    pool_size: Sizes2
    strides: Sizes2 | None = None

    rank: ClassVar[int] = 2


class AveragePooling3D(_Pooling):
    """The mean of each window of a volume."""

    type: Literal["AveragePooling3D"] = "AveragePooling3D"
    pool_size: Sizes3
    strides: Sizes3 | None = None

    rank: ClassVar[int] = 3


class _GlobalPooling(RegularizedLayer):
    data_format: DataFormat | None = None
    keepdims: bool = False
    """Whether the pooled axes stay, with length 1."""

    rank: ClassVar[int]

    def infer_shape(self, inputs: Sequence[Shape]) -> Shape:
        (shape,) = inputs
        expect_rank(shape, self.rank + 1)
        return (1,) * self.rank * self.keepdims + shape[-1:]


class GlobalMaxPooling1D(_GlobalPooling):
    """The greatest element of each channel of a sequence."""

    type: Literal["GlobalMaxPooling1D"] = "GlobalMaxPooling1D"

    rank: ClassVar[int] = 1


class GlobalMaxPooling2D(_GlobalPooling):
    """The greatest element of each channel of an image."""

    type: Literal["GlobalMaxPooling2D"] = "GlobalMaxPooling2D"

    rank: ClassVar[int] = 2


class GlobalMaxPooling3D(_GlobalPooling):
    """The greatest element of each channel of a volume."""

    type: Literal["GlobalMaxPooling3D"] = "GlobalMaxPooling3D"

    rank: ClassVar[int] = 3


class GlobalAveragePooling1D(_GlobalPooling):
    """The mean of each channel of a sequence."""

    type: Literal["GlobalAveragePooling1D"] = "GlobalAveragePooling1D"

    rank: ClassVar[int] = 1


class GlobalAveragePooling2D(_GlobalPooling):
    """The mean of each channel of an image."""

    type: Literal["GlobalAveragePooling2D"] = "GlobalAveragePooling2D"

    rank: ClassVar[int] = 2


class GlobalAveragePooling3D(_GlobalPooling):
    """The mean of each channel of a volume."""

    type: Literal["GlobalAveragePooling3D"] = "GlobalAveragePooling3D"

    rank: ClassVar[int] = 3
