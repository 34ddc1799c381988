"""Dropout and noise, which act while training only."""

from collections.abc import Sequence
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from app.spec.layers.base import (
    DataFormat,
    Layer,
    Misfit,
    Rate,
    RegularizedLayer,
    Seed,
    Shape,
    Size,
    expect_rank,
    show,
)


class Dropout(RegularizedLayer):
    """Zeroes a share of the elements and scales up the others."""

    type: Literal["Dropout"] = "Dropout"
    rate: Rate
    noise_shape: Annotated[list[Size | None], Field(min_length=1, max_length=9)] | None = None
    """Along which axes, the samples' first, elements share their fate: 1 shares, `null` doesn't."""
    seed: Seed | None = None

    def infer_shape(self, inputs: Sequence[Shape]) -> Shape:
        (shape,) = inputs
        if self.noise_shape is not None and not _broadcasts(self.noise_shape, shape):
            raise Misfit(
                f"Expected {show((None, *shape))}, with 1 or null in any place; "
                f"received {show(self.noise_shape)}.",
                "noise_shape",
            )
        return shape


class GaussianNoise(RegularizedLayer):
    """Adds normal noise."""

    type: Literal["GaussianNoise"] = "GaussianNoise"
    stddev: Rate
    seed: Seed | None = None


class GaussianDropout(RegularizedLayer):
    """Multiplies by normal noise around 1 with the standard deviation `√(rate / (1 − rate))`."""

    type: Literal["GaussianDropout"] = "GaussianDropout"
    rate: Annotated[float, Field(ge=0, lt=1)]
    seed: Seed | None = None


class _SpatialDropout(Layer):
    rate: Rate
    seed: Seed | None = None

    rank: ClassVar[int]

    def infer_shape(self, inputs: Sequence[Shape]) -> Shape:
        (shape,) = inputs
        expect_rank(shape, self.rank + 1)
        return shape


class SpatialDropout1D(_SpatialDropout):
    """Drops whole channels of a sequence `(steps, channels)`."""

    type: Literal["SpatialDropout1D"] = "SpatialDropout1D"

    rank: ClassVar[int] = 1


class SpatialDropout2D(_SpatialDropout):
    """Drops whole channels of an image `(rows, columns, channels)`."""

    type: Literal["SpatialDropout2D"] = "SpatialDropout2D"
    data_format: DataFormat | None = None

    rank: ClassVar[int] = 2


class SpatialDropout3D(_SpatialDropout):
    """Drops whole channels of a volume `(depth, rows, columns, channels)`."""

    type: Literal["SpatialDropout3D"] = "SpatialDropout3D"
    data_format: DataFormat | None = None

    rank: ClassVar[int] = 3


def _broadcasts(noise_shape: Sequence[int | None], shape: Shape) -> bool:
    return (
        len(noise_shape) == len(shape) + 1
        and noise_shape[0] in (None, 1)
        and all(noise in (None, 1, length) for noise, length in zip(noise_shape[1:], shape, strict=True))
    )
