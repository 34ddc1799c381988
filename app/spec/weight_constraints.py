"""Keras's projections of weights after each step: `kernel_constraint`, `bias_constraint` and the like.

A name (`"non_neg"`), or an object (`{"type": "max_norm", "max_value": 2}`). They are not the limits of a
run's `constraints`, which are about what the model computes.
"""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator
from typing_extensions import TypeAliasType

from app.spec.base import SpecModel
from app.spec.mistakes import mistake

Axis = Annotated[int, Field(ge=-8, le=7)]
NormAxis = Axis | Annotated[list[Axis], Field(min_length=1, max_length=8)]
"""The axis or axes along which norms are taken: 0 for the inputs of each unit of a Dense layer."""

Norm = Annotated[float, Field(ge=0)]


class MaxNorm(SpecModel):
    """Scales weights down so that each norm is at most `max_value`."""

    type: Literal["max_norm", "MaxNorm"]
    max_value: Norm = 2.0
    axis: NormAxis = 0


class NonNeg(SpecModel):
    """Sets negative weights to zero."""

    type: Literal["non_neg", "NonNeg"]


class UnitNorm(SpecModel):
    """Scales weights so that each norm is one."""

    type: Literal["unit_norm", "UnitNorm"]
    axis: NormAxis = 0


class MinMaxNorm(SpecModel):
    """Moves each norm by the share `rate` of the way into [min_value, max_value]."""

    type: Literal["min_max_norm", "MinMaxNorm"]
    min_value: Norm = 0.0
    max_value: Norm = 1.0
    rate: Annotated[float, Field(ge=0, le=1)] = 1.0
    axis: NormAxis = 0

    @model_validator(mode="after")
    def _check_order(self) -> "MinMaxNorm":
        if self.min_value > self.max_value:
            raise mistake(
                f"Expected a number >= min_value, {self.min_value}; received {self.max_value}.", "max_value"
            )
        return self


def _spelled_out(value: Any) -> Any:
    return {"type": value} if isinstance(value, str) else value


_Projection = Annotated[MaxNorm | NonNeg | UnitNorm | MinMaxNorm, Field(discriminator="type")]
_Name = Literal[
    "max_norm", "MaxNorm", "non_neg", "NonNeg", "unit_norm", "UnitNorm", "min_max_norm", "MinMaxNorm"
]

WeightConstraint = TypeAliasType(
    "WeightConstraint",
    Annotated[_Projection, BeforeValidator(_spelled_out, json_schema_input_type=_Projection | _Name)],
)
"""What a weight is projected onto after each step. A named type, so that the schema has it only once."""
