"""Layers that take several inputs and give one output."""

from collections.abc import Sequence
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from app.spec.layers.base import (
    Axis,
    Misfit,
    RegularizedLayer,
    Shape,
    axis_position,
    show,
)


class _Merging(RegularizedLayer):
    """Works element by element, where lengths are equal or 1."""

    input_count: ClassVar[tuple[int, int | None]] = (2, None)

    def infer_shape(self, inputs: Sequence[Shape]) -> Shape:
        merged = inputs[0]
        for shape in inputs[1:]:
            merged = _broadcast(merged, shape)
        return merged


class Add(_Merging):
    """The sum of the inputs."""

    type: Literal["Add"] = "Add"


class Subtract(_Merging):
    """The first input minus the second."""

    type: Literal["Subtract"] = "Subtract"

    input_count: ClassVar[tuple[int, int | None]] = (2, 2)


class Multiply(_Merging):
    """The product of the inputs."""

    type: Literal["Multiply"] = "Multiply"


class Average(_Merging):
    """The mean of the inputs."""

    type: Literal["Average"] = "Average"


class Maximum(_Merging):
    """The greatest of the inputs."""

    type: Literal["Maximum"] = "Maximum"


class Minimum(_Merging):
    """The least of the inputs."""

    type: Literal["Minimum"] = "Minimum"


class Concatenate(RegularizedLayer):
    """The inputs one after another along an axis."""

    type: Literal["Concatenate"] = "Concatenate"
    axis: Axis = -1

    input_count: ClassVar[tuple[int, int | None]] = (2, None)

    def infer_shape(self, inputs: Sequence[Shape]) -> Shape:
        first = inputs[0]
        along = axis_position(self.axis, first)
        for shape in inputs[1:]:
            if len(shape) != len(first) or not all(
                position == along or None in (length, other) or length == other
                for position, (length, other) in enumerate(zip(first, shape, strict=True))
            ):
                shapes = ", ".join(show(shape) for shape in inputs)
                raise Misfit(
                    f"Expected inputs of equal shapes but for axis {self.axis}; received {shapes}.", "inputs"
                )
        lengths = [shape[along] for shape in inputs]
        total = None if None in lengths else sum(length for length in lengths if length is not None)
        return (*first[:along], total, *first[along + 1 :])


class Dot(RegularizedLayer):
    """The products of two inputs, summed along an axis of each."""

    type: Literal["Dot"] = "Dot"
    axes: Axis | Annotated[list[Axis], Field(min_length=2, max_length=2)]
    """The axis to sum along, for both or for each."""
    normalize: bool = False
    """Whether both are scaled to unit norm first, which gives the cosine."""

    input_count: ClassVar[tuple[int, int | None]] = (2, 2)

    def infer_shape(self, inputs: Sequence[Shape]) -> Shape:
        axes = [self.axes, self.axes] if isinstance(self.axes, int) else self.axes
        positions = [axis_position(axis, shape, "axes") for axis, shape in zip(axes, inputs, strict=True)]
        lengths = [shape[position] for shape, position in zip(inputs, positions, strict=True)]
        if None in lengths or lengths[0] != lengths[1]:
            raise Misfit(
                f"Expected axes of equal, fixed length; received {show(lengths)} "
                f"of {show(inputs[0])} and {show(inputs[1])}.",
                "axes",
            )
        left = [
            length
            for shape, summed in zip(inputs, positions, strict=True)
            for position, length in enumerate(shape)
            if position != summed
        ]
        return tuple(left) or (1,)


def _broadcast(first: Shape, second: Shape) -> Shape:
    """The shape of an operation on two inputs, element by element."""
    if len(first) < len(second):
        first, second = second, first
    split = len(first) - len(second)
    pairs = list(zip(first[split:], second, strict=True))
    if not all(1 in pair or None in pair or pair[0] == pair[1] for pair in pairs):
        raise Misfit(
            f"Expected inputs whose lengths are equal or 1; received {show(first)} and {show(second)}.",
            "inputs",
        )
    return (*first[:split], *(_joint_length(*pair) for pair in pairs))


def _joint_length(one: int | None, other: int | None) -> int | None:
    if one is None or other is None:
        return None
    return other if one == 1 else one
