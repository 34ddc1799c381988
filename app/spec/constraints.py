"""Constraints: declared limits of quantities, which training holds by itself.

{"quantity": {"type": "elements_above", "threshold": 0.5}, "at_most": 3, "over": "mean"}
"""

import math
from typing import Annotated, Literal, NamedTuple

from pydantic import Discriminator, Field, Tag, model_validator

from app.spec import quantities
from app.spec.base import SpecModel
from app.spec.mistakes import mistake
from app.spec.quantities import WeightsOf
from app.spec.rates import Rate

DEFAULT_TOLERANCE = 1e-3
"""How far from `equals` a value may be, in the units of the quantity."""

Quantity = Annotated[quantities.SampleQuantity | Rate, Field(discriminator="type")]
"""What may be limited, counted truly."""

SIGNED = (quantities.Linear, quantities.ExpressionOf, quantities.Entropy)
"""Quantities that may be negative; all others can't."""

SHARES = (quantities.ActivationSparsity, quantities.WeightSparsity, Rate)
"""Quantities that can't exceed 1."""

ONE_IN_ALL = (quantities.WeightSparsity, Rate)
"""Quantities that have one value in all, not one for each sample."""

GUARANTEED = (
    quantities.ElementsAbove,
    quantities.ExcessAbove,
    quantities.ShortfallBelow,
    quantities.Bounds,
    quantities.SumTo,
    quantities.Linear,
)
"""Quantities onto whose limit a prediction can be projected exactly."""


class OverQuantile(SpecModel):
    """The limit holds for a quantile of the samples."""

    quantile: Annotated[float, Field(gt=0, lt=1)]
    """0.95: the value that 95 % of the samples don't exceed is limited."""


Over = Annotated[
    Annotated[Literal["mean", "every_sample"], Tag("<name>")] | Annotated[OverQuantile, Tag("<quantile>")],
    Discriminator(lambda value: "<name>" if isinstance(value, str) else "<quantile>"),
]


class Interval(NamedTuple):
    """Values from `low` to `high`, both included."""

    low: float
    high: float

    def meets(self, other: "Interval") -> bool:
        """Whether some value is in both."""
        return max(self.low, other.low) <= min(self.high, other.high)


class Constraint(SpecModel):
    """A limit of a quantity: exactly one of `at_most`, `at_least` and `equals`."""

    quantity: Quantity
    """What is limited."""

    at_most: float | None = None
    """Largest value allowed."""

    at_least: float | None = None
    """Least value allowed."""

    equals: float | None = None
    """The value it must have, within `tolerance`."""

    tolerance: Annotated[float, Field(ge=0)] | None = None
    """How far from `equals` the value may be; by default 0.001. Only with `equals`."""

    over: Over = "mean"
    """Which value of the training samples is limited: their `mean`, that of `every_sample`, or a quantile,
    `{"quantile": 0.95}`."""

    method: Literal[
        "auto", "lagrangian", "augmented_lagrangian", "exact_penalty", "projection", "penalty"
    ] = "auto"
    """How training holds the limit; `auto` chooses for the quantity."""

    weight: Annotated[float, Field(ge=0)] | None = None
    """Fixed strength of the method `penalty`; required there, refused elsewhere."""

    guarantee: bool = False
    """Whether every served prediction is projected onto the limit."""

    @property
    def allowed(self) -> Interval:
        """The values that hold the limit."""
        if self.at_most is not None:
            return Interval(-math.inf, self.at_most)
        if self.at_least is not None:
            return Interval(self.at_least, math.inf)
        assert self.equals is not None
        tolerance = DEFAULT_TOLERANCE if self.tolerance is None else self.tolerance
        return Interval(self.equals - tolerance, self.equals + tolerance)

    @property
    def limit_field(self) -> str:
        """Which of `at_most`, `at_least` and `equals` is given."""
        fields = ("at_most", "at_least", "equals")
        return next(field for field in fields if getattr(self, field) is not None)

    @property
    def limit(self) -> float:
        """The number that is given for it."""
        return float(getattr(self, self.limit_field))

    @property
    def one_in_all(self) -> bool:
        """Whether the quantity has one value in all, not one for each sample."""
        return isinstance(self.quantity, ONE_IN_ALL) or isinstance(self.quantity.of, WeightsOf)

    @model_validator(mode="after")
    def _fields_go_together(self) -> "Constraint":
        given = [f for f in ("at_most", "at_least", "equals") if getattr(self, f) is not None]
        if len(given) != 1:
            received = " and ".join(given) or "none"
            raise mistake(f"Expected exactly one of at_most, at_least and equals; received {received}.")
        if self.tolerance is not None and self.equals is None:
            raise mistake(f"Expected a tolerance only with equals; received it with {given[0]}.", "tolerance")
        if self.method == "penalty" and self.weight is None:
            raise mistake("Expected a weight, as the method penalty needs one; received nothing.", "weight")
        if self.method != "penalty" and self.weight is not None:
            raise mistake(
                f"Expected a weight only with the method penalty; received {self.weight:g}.", "weight"
            )
        if self.over != "mean" and self.one_in_all:
            raise mistake("Expected mean, as this quantity has one value in all samples.", "over")
        return self

    @model_validator(mode="after")
    def _limit_is_in_range(self) -> "Constraint":
        possible = Interval(
            -math.inf if isinstance(self.quantity, SIGNED) else 0.0,
            1.0 if isinstance(self.quantity, SHARES) else math.inf,
        )
        if not self.allowed.meets(possible):
            bounds = "at least 0" if possible.high == math.inf else "from 0 to 1"
            raise mistake(f"Expected a limit of what is {bounds}; received {self.limit:g}.", self.limit_field)
        return self

    @model_validator(mode="after")
    def _guarantee_is_possible(self) -> "Constraint":
        if self.guarantee:
            reason = _why_not_guaranteed(self)
            if reason is not None:
                raise mistake(
                    f"Expected guarantee only where predictions can be projected; {reason}.", "guarantee"
                )
        return self

    @model_validator(mode="after")
    def _method_fits_the_quantity(self) -> "Constraint":
        on_weights = isinstance(self.quantity, quantities.WeightSparsity)
        if on_weights and self.method not in ("auto", "projection"):
            raise mistake(
                f"Expected auto or projection for weight_sparsity; received {self.method}.", "method"
            )
        if self.method == "projection" and not on_weights:
            reason = _why_not_guaranteed(self)
            if reason is not None:
                raise mistake(
                    f"Expected projection only where predictions can be projected; {reason}.", "method"
                )
        return self

    @property
    def projects(self) -> bool:
        """Whether the served model projects its predictions onto the limit."""
        on_weights = isinstance(self.quantity, quantities.WeightSparsity)
        return self.guarantee or (self.method == "projection" and not on_weights)


def _why_not_guaranteed(constraint: Constraint) -> str | None:
    """Why no prediction can be projected onto the limit; None if it can."""
    quantity = constraint.quantity
    if not isinstance(quantity, GUARANTEED):
        return f"received it for {quantity.type}"
    if isinstance(quantity, quantities.Linear):
        return None
    for field in ("threshold", "lower", "upper"):
        if isinstance(getattr(quantity, field, None), SpecModel):
            return f"received a {field} that isn't a number or a list of numbers"
    if isinstance(quantity, quantities.ElementsAbove):
        return None if constraint.at_most is not None else f"received {constraint.limit_field}"
    if constraint.at_least is not None or constraint.limit != 0:
        return f"received a limit of {quantity.type} other than at most 0"
    return None
