"""Layers that move, repeat, pad or cut elements."""

from collections.abc import Sequence
from math import prod
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from app.spec.layers.base import (
    DataFormat,
    Misfit,
    RegularizedLayer,
    Shape,
    Size,
    Sizes2,
    Sizes3,
    expect_rank,
    per_axis,
    show,
)


class Flatten(RegularizedLayer):
    """All axes but the samples' as one."""

    type: Literal["Flatten"] = "Flatten"
    data_format: DataFormat | None = None

    def infer_shape(self, inputs: Sequence[Shape]) -> Shape:
        return (_elements(inputs[0]),)


class Reshape(RegularizedLayer):
    """Another shape for each sample."""

    type: Literal["Reshape"] = "Reshape"
    target_shape: Annotated[list[Size | Literal[-1]], Field(max_length=8)]
    """The shape of one sample; -1, at most once, is what is left."""

    def infer_shape(self, inputs: Sequence[Shape]) -> Shape:
        elements = _elements(inputs[0])
        known = prod(length for length in self.target_shape if length != -1)
        free = self.target_shape.count(-1)
        fits = elements is None or (elements % known == 0 if free else elements == known)
        if free > 1 or not fits:
            count = "any number of" if elements is None else elements
            raise Misfit(
                f"Expected a shape of {count} elements, as the input's {show(inputs[0])}, "
                f"with -1 at most once; received {show(self.target_shape)}.",
                "target_shape",
            )
        left = None if elements is None else elements // known
        return tuple(left if length == -1 else length for length in self.target_shape)


class Permute(RegularizedLayer):
    """The axes of each sample in another order."""

    type: Literal["Permute"] = "Permute"
    dims: Annotated[list[Annotated[int, Field(ge=1, le=8)]], Field(min_length=1, max_length=8)]
    """The input's axes in the output's order, counted from 1: `[2, 1]` swaps two."""

    def infer_shape(self, inputs: Sequence[Shape]) -> Shape:
        (shape,) = inputs
        if sorted(self.dims) != list(range(1, len(shape) + 1)):
            raise Misfit(
                f"Expected the numbers from 1 to {len(shape)} in some order, one an axis of the input; "
                f"received {show(self.dims)}.",
                "dims",
            )
        return tuple(shape[axis - 1] for axis in self.dims)


class RepeatVector(RegularizedLayer):
    """A vector `n` times, as a sequence."""

    type: Literal["RepeatVector"] = "RepeatVector"
    n: Size

    def infer_shape(self, inputs: Sequence[Shape]) -> Shape:
        expect_rank(inputs[0], 1)
        return (self.n, *inputs[0])


class _UpSampling(RegularizedLayer):
    size: int | tuple[int, ...]

    rank: ClassVar[int]

    def infer_shape(self, inputs: Sequence[Shape]) -> Shape:
        (shape,) = inputs
        expect_rank(shape, self.rank + 1)
        factors = (*per_axis(self.size, self.rank), 1)
        return tuple(
            None if length is None else length * factor for length, factor in zip(shape, factors, strict=True)
        )


class UpSampling1D(_UpSampling):
    """Each step of a sequence `size` times."""

    type: Literal["UpSampling1D"] = "UpSampling1D"
    size: Size = 2

    rank: ClassVar[int] = 1


class UpSampling2D(_UpSampling):
    """An image enlarged."""

    type: Literal["UpSampling2D"] = "UpSampling2D"
    size: Sizes2 = (2, 2)
    data_format: DataFormat | None = None
    interpolation: Literal["nearest", "bilinear", "bicubic", "lanczos3", "lanczos5"] = "nearest"

    rank: ClassVar[int] = 2


class UpSampling3D(_UpSampling):
    """A volume enlarged."""

    type: Literal["UpSampling3D"] = "UpSampling3D"
    size: Sizes3 = (2, 2, 2)
    data_format: DataFormat | None = None

    rank: ClassVar[int] = 3


Edge = Annotated[int, Field(ge=0, le=1_000_000)]
Edges = Annotated[tuple[Edge, ...], Field(strict=False, min_length=2, max_length=2)]
"""Steps at the beginning and at the end of an axis."""

Edges1 = Edge | Edges
Edges2 = Edge | Annotated[tuple[Edge | Edges, ...], Field(strict=False, min_length=2, max_length=2)]
Edges3 = Edge | Annotated[tuple[Edge | Edges, ...], Field(strict=False, min_length=3, max_length=3)]
"""One number for all sides, or for each axis a number or a pair."""


def _edges(value: int | Sequence[int | tuple[int, ...]], rank: int) -> list[tuple[int, int]]:
    """The steps before and after each axis."""
    if rank == 1 and not isinstance(value, int):
        value = [value]  # type: ignore[list-item]
    sides = [value] * rank if isinstance(value, int) else value
    return [(side, side) if isinstance(side, int) else (side[0], side[1]) for side in sides]


class _ZeroPadding(RegularizedLayer):
    padding: int | Sequence[int | tuple[int, ...]]

    rank: ClassVar[int]

    def infer_shape(self, inputs: Sequence[Shape]) -> Shape:
        (shape,) = inputs
        expect_rank(shape, self.rank + 1)
        added = [*map(sum, _edges(self.padding, self.rank)), 0]
        return tuple(
            None if length is None else length + more for length, more in zip(shape, added, strict=True)
        )


class ZeroPadding1D(_ZeroPadding):
    """Zeros before and after a sequence."""

    type: Literal["ZeroPadding1D"] = "ZeroPadding1D"
    padding: Edges1 = 1
    data_format: DataFormat | None = None

    rank: ClassVar[int] = 1


class ZeroPadding2D(_ZeroPadding):
    """Zeros around an image."""

    type: Literal["ZeroPadding2D"] = "ZeroPadding2D"
    padding: Edges2 = (1, 1)
    data_format: DataFormat | None = None

    rank: ClassVar[int] = 2


class ZeroPadding3D(_ZeroPadding):
    """Zeros around a volume."""

    type: Literal["ZeroPadding3D"] = "ZeroPadding3D"
    padding: Edges3 = ((1, 1), (1, 1), (1, 1))
    data_format: DataFormat | None = None

    rank: ClassVar[int] = 3


class _Cropping(RegularizedLayer):
    cropping: int | Sequence[int | tuple[int, ...]]

    rank: ClassVar[int]

    def infer_shape(self, inputs: Sequence[Shape]) -> Shape:
        (shape,) = inputs
        expect_rank(shape, self.rank + 1)
        lengths: list[int | None] = []
        for length, cut in zip(shape[:-1], map(sum, _edges(self.cropping, self.rank)), strict=True):
            if length is not None and cut >= length:
                raise Misfit(
                    f"Expected to cut less than the input's length, {length}; received {cut}.", "cropping"
                )
            lengths.append(None if length is None else length - cut)
        return (*lengths, shape[-1])


class Cropping1D(_Cropping):
    """A sequence without its first and last steps."""

    type: Literal["Cropping1D"] = "Cropping1D"
    cropping: Edges1 = (1, 1)

    rank: ClassVar[int] = 1


class Cropping2D(_Cropping):
    """An image without its borders."""

    type: Literal["Cropping2D"] = "Cropping2D"
    cropping: Edges2 = ((0, 0), (0, 0))
    data_format: DataFormat | None = None

    rank: ClassVar[int] = 2


class Cropping3D(_Cropping):
    """A volume without its borders."""

    type: Literal["Cropping3D"] = "Cropping3D"
    cropping: Edges3 = ((1, 1), (1, 1), (1, 1))
    data_format: DataFormat | None = None

    rank: ClassVar[int] = 3


def _elements(shape: Shape) -> int | None:
    """The elements of one sample, or None where the data decides."""
    lengths = [length for length in shape if length is not None]
    return prod(lengths) if len(lengths) == len(shape) else None
