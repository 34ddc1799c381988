"""How long an axis is after a window was moved along it."""

from collections.abc import Sequence
from typing import Literal

from app.spec.layers.base import Misfit, Shape, expect_rank, per_axis

Padding = Literal["valid", "same"]
"""`valid` keeps the window inside the input; `same` pads it so that only the strides shorten it."""


def windowed_lengths(
    shape: Shape,
    rank: int,
    sizes: int | Sequence[int],
    strides: int | Sequence[int],
    padding: str,
    dilation: int | Sequence[int] = 1,
    field: str = "kernel_size",
) -> Shape:
    """The lengths of the `rank` axes before the last, the channels', after the window.

    Args:
        shape: of one sample, `(length, …, channels)`.
        rank: the axes that the window moves along.
        sizes: the window's.
        strides: the window's steps.
        padding: `valid`, `same` or `causal`.
        dilation: the distance between the window's elements.
        field: what the sizes are called in the document.

    Raises:
        Misfit: the input has another number of axes, or is shorter than the window.
    """
    expect_rank(shape, rank + 1)
    lengths = zip(
        shape[:-1], per_axis(sizes, rank), per_axis(strides, rank), per_axis(dilation, rank), strict=True
    )
    return tuple(
        windowed_length(length, size, stride, padding, spacing, field)
        for length, size, stride, spacing in lengths
    )


def windowed_length(
    length: int | None, size: int, stride: int, padding: str, dilation: int, field: str
) -> int | None:
    """The length of one axis after the window."""
    if length is None:
        return None
    if padding != "valid":
        return (length - 1) // stride + 1
    extent = dilation * (size - 1) + 1
    if extent > length:
        raise Misfit(
            f"Expected a window of at most {length}, the length of the input, as padding is valid; "
            f"received one of {extent}.",
            field,
        )
    return (length - extent) // stride + 1


def check_strides(strides: int | Sequence[int], dilation: int | Sequence[int]) -> None:
    """That a window isn't both strided and dilated, which Keras can't do.

    Raises:
        Misfit: it is.
    """
    if max(per_axis(strides, 1)) > 1 and max(per_axis(dilation, 1)) > 1:
        raise Misfit("Expected 1, as the strides are greater than 1; received more.", "dilation_rate")
