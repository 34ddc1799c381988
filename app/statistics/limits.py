"""Whether a limit holds, from what was truly measured."""

from typing import TypedDict

import numpy as np
from numpy.typing import ArrayLike

from app.spec.constraints import Constraint, OverQuantile


class Measurement(TypedDict):
    """How a limit stands on one part of the data.

    Attributes:
        value: what is limited, over the samples as the constraint says.
        limit: the number that the document gives.
        satisfied: whether the value holds the limit.
        slack: how far inside the limit the value is; negative is the violation.
        share_of_samples_satisfied: share of the samples that hold the limit by themselves; 1 or 0 for a
            quantity that has one value in all.
    """

    value: float
    limit: float
    satisfied: bool
    slack: float
    share_of_samples_satisfied: float


def measurement(constraint: Constraint, values: ArrayLike) -> Measurement:
    """How a limit stands, given the quantity of every sample.

    Over every sample the value is that of the worst one. Over a quantile q it is the value of the worst of
    the best samples that make up a share q, so that the limit holds just when that share of samples holds it.

    Args:
        constraint: the limit.
        values: `(samples,)`, at least one; or `()` for a quantity with one value in all.
    """
    values = np.atleast_1d(np.asarray(values, np.float64))
    low, high = constraint.allowed
    slacks = np.minimum(values - low, high - values)  # (samples,), one of the two may be infinite
    if constraint.over == "mean":
        value = float(values.mean())
    else:
        share = constraint.over.quantile if isinstance(constraint.over, OverQuantile) else 1.0
        best_first = np.argsort(-slacks, kind="stable")
        value = float(values[best_first[int(np.ceil(share * len(values) - 1e-9)) - 1]])
    slack = min(value - low, high - value)
    return Measurement(
        value=value,
        limit=constraint.limit,
        satisfied=slack >= 0,
        slack=slack,
        share_of_samples_satisfied=float((slacks >= 0).mean()),
    )
