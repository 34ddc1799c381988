"""Hard layers: their output can't break the limit, whatever their input."""

from collections.abc import Sequence
from math import prod
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from app.spec.layers.base import Misfit, RegularizedLayer, Shape, Size, fixed_length
from app.spec.mistakes import mistake

Limit = Annotated[float, Field(ge=-1e30, le=1e30)]
"""A number that float32 can hold."""

FLOAT32_SHARE = 1e-6
"""Of a number, the least difference at which float32 has several numbers in between."""


class Bounded(RegularizedLayer):
    """`lower + (upper − lower) · sigmoid(x)`, clipped to [lower, upper]."""

    type: Literal["Bounded"] = "Bounded"
    lower: Limit
    upper: Limit

    @model_validator(mode="after")
    def _check_order(self) -> Self:
        if self.lower >= self.upper:
            raise mistake(f"Expected a number > lower, {self.lower}; received {self.upper}.", "upper")
        if self.upper - self.lower < FLOAT32_SHARE * max(abs(self.lower), abs(self.upper)):
            raise mistake(
                f"Expected a number that float32 tells from lower, {self.lower}; received {self.upper}.",
                "upper",
            )
        return self


class Simplex(RegularizedLayer):
    """The nearest point whose last axis has no negative elements and adds up to one."""

    type: Literal["Simplex"] = "Simplex"

    def infer_shape(self, inputs: Sequence[Shape]) -> Shape:
        fixed_length(inputs[0])
        return inputs[0]


class TopK(RegularizedLayer):
    """The `k` largest elements of each sample as they are, the others clipped to at most `threshold`."""

    type: Literal["TopK"] = "TopK"
    k: Size
    threshold: Limit

    def infer_shape(self, inputs: Sequence[Shape]) -> Shape:
        (shape,) = inputs
        elements = prod(fixed_length(shape, position) for position in range(len(shape)))
        if self.k > elements:
            raise Misfit(f"Expected at most {elements}, the elements of a sample; received {self.k}.", "k")
        return shape
