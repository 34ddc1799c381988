"""Penalties: quantities that are added to the loss with a fixed weight.

    total = loss + Σᵢ weightᵢ · penaltyᵢ + …

A batch has B samples. `reduction` makes one number of the elements' values: `per_sample` adds up a sample's
elements and takes the mean over the samples, `sum` adds up all elements of the batch, `mean` averages over
all of them. Quantities that have one value a sample (`linear`, `sum_to`, `orthogonality`) have no elements
to average over; their `mean` is the mean over the samples. Weights aren't batched: `per_sample` is `sum`.
"""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from app.spec import quantities
from app.spec.base import SpecModel
from app.spec.mistakes import mistake

Reduction = Literal["per_sample", "sum", "mean"]


class _Weighted(SpecModel):
    weight: float = 1.0
    """Strength of the penalty in the total; negative rewards what it measures."""

    reduction: Reduction = "per_sample"
    """`per_sample`: sum over a sample's elements, mean over the samples. `sum`: over all elements of the
    batch. `mean`: over all elements of the batch."""


class ElementsAbovePenalty(quantities.ElementsAbove, _Weighted):
    """How many elements are greater than τ; as the count has no gradient, a surrogate of it is minimised.

    With `method` gradient:

        sigmoid        Σ σ(slope·(ŷ − τ))
        hinge          Σ max(0, 1 + slope·(ŷ − τ)), never less than the count
        top_k_excess   Σ max(ŷ − τ, 0) over all but the k largest elements of a sample; zero just when at
                       most k are above

    With policy_gradient the true count is the (negative) reward of actions a = ŷ + σ·ε, ε standard normal,
    and gradients are estimated from `samples` draws; the value that is recorded is the count of ŷ itself.
    """

    surrogate: Literal["sigmoid", "hinge", "top_k_excess"] = "sigmoid"
    """What stands for the count where gradients flow."""

    slope: Annotated[float, Field(gt=0)] = 10.0
    """Steepness of sigmoid and hinge, in 1/units of the output."""

    k: Annotated[int, Field(ge=0)] | None = None
    """How many elements of a sample may be above, required by `top_k_excess` and used by it alone."""

    method: Literal["gradient", "policy_gradient"] = "gradient"
    """How the weights are moved: through the surrogate, or by the score function of the true count."""

    stddev: Annotated[float, Field(gt=0)] = 0.1
    """σ of policy_gradient's actions, in units of the output."""

    samples: Annotated[int, Field(ge=2, le=1024)] = 16
    """Draws of policy_gradient for each sample of the batch, 2 to 1024."""

    @model_validator(mode="after")
    def _k_with_top_k_excess(self) -> "ElementsAbovePenalty":
        if self.surrogate == "top_k_excess" and self.k is None:
            raise mistake(
                "Expected how many elements may be above, with top_k_excess; received nothing.", "k"
            )
        if self.surrogate != "top_k_excess" and self.k is not None:
            raise mistake(f'Expected k only with the surrogate "top_k_excess"; received {self.k}.', "k")
        return self


class ExcessAbovePenalty(quantities.ExcessAbove, _Weighted):
    """`max(ŷ − τ, 0)^p` of each element."""


class ShortfallBelowPenalty(quantities.ShortfallBelow, _Weighted):
    """`max(τ − ŷ, 0)^p` of each element."""


class BoundsPenalty(quantities.Bounds, _Weighted):
    """`max(lower − ŷ, 0)^p + max(ŷ − upper, 0)^p` of each element."""


class LinearPenalty(quantities.Linear, _Weighted):
    """`Σⱼ coefficientsⱼ·ŷⱼ` of each sample."""


class SumToPenalty(quantities.SumTo, _Weighted):
    """`|Σŷ − value|^p` of each sample."""


class NormPenalty(quantities.NormOf, _Weighted):
    """`|ŷ|^p` of each element."""


class TotalVariationPenalty(quantities.TotalVariation, _Weighted):
    """`|ŷᵢ₊₁ − ŷᵢ|` of each pair of neighbours; `mean` averages over the pairs."""


class EntropyPenalty(quantities.Entropy, _Weighted):
    """`−ŷ·ln ŷ` of each element."""


class OrthogonalityPenalty(quantities.Orthogonality, _Weighted):
    """`‖AAᵀ − I‖²` of each sample, or of a layer's kernels."""


class ExpressionPenalty(quantities.ExpressionOf, _Weighted):
    """The value of the expression for each element; one that sums over the batch has only one."""


Penalty = Annotated[
    ElementsAbovePenalty
    | ExcessAbovePenalty
    | ShortfallBelowPenalty
    | BoundsPenalty
    | LinearPenalty
    | SumToPenalty
    | NormPenalty
    | TotalVariationPenalty
    | EntropyPenalty
    | OrthogonalityPenalty
    | ExpressionPenalty,
    Field(discriminator="type"),
]
