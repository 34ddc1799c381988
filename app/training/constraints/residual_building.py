"""A limit as residuals that gradients flow through: the limit holds when all that count are at most 0.

A limit of a count, a rate or a share of zeros is one of order statistics: at most k elements of a sample are
above τ just when all but the k largest are not; recall is at least r just when all but P − ⌈r·P⌉ of the P
positives are above the threshold. So each element has a residual of its own, such as ŷ − τ, and some of them,
those that break the limit by most, are exempt. That is exact, where a sigmoid in place of the count isn't.

A limit of a smooth quantity has a residual for each sample, or, over the mean, a single one.

    elements above τ, at most k        ŷ − τ of each element, all but k of a sample, or k·n of n samples
    excess, shortfall, bounds of 0     ŷ − τ of each element, none exempt
    rates                              ±(ŷ − τ) of each decision that the rate is of
    activation sparsity                |a| of each activation
    anything else                      q − limit of each sample, or their mean
"""

import math
from collections.abc import Sequence
from dataclasses import replace

import tensorflow as tf

from app.spec import quantities
from app.spec.constraints import Constraint
from app.spec.quantities import WeightsOf, WeightSparsity
from app.spec.rates import Rate
from app.spec.thresholds import Threshold
from app.training.constraints.rate_residuals import decided, limits_false_positives, precise, proxies
from app.training.constraints.residuals import (
    ROUNDING,
    Matrix,
    Residuals,
    at_most_share,
    exempt_rows,
    negative,
)
from app.training.constraints.scales import Scale
from app.training.constraints.sums import count_true
from app.training.elements import element_values, flat_rows, measured_tensors
from app.training.quantities import sample_values
from app.training.terms import Batch
from app.training.thresholds import threshold_values


def residuals_of(constraint: Constraint, of: str | WeightsOf, scale: Scale, samples: int) -> list[Residuals]:
    """The residuals of a limit; none for the sparsity of weights, which is held by projection.

    Args:
        constraint: as the document has it.
        of: what its quantity is measured on.
        scale: on which the output is compared with a threshold.
        samples: rows that train.
    """
    match constraint.quantity:
        case WeightSparsity():
            return []
        case Rate() as rate if limits_false_positives(constraint):
            assert isinstance(of, str)
            return [precise(constraint, rate, of, scale)]
        case Rate() as rate if rate.difference is not None or rate.type == "precision":
            assert isinstance(of, str)
            return proxies(constraint, rate, of, scale)
        case Rate() as rate:
            assert isinstance(of, str)
            return decided(constraint, rate, of, scale)
        case quantities.ElementsAbove(threshold=threshold):
            return _counted(constraint, _distance(of, threshold, scale), samples)
        case quantities.ActivationSparsity():
            return _zeros(constraint, of, samples)
        case quantities.ExcessAbove() | quantities.ShortfallBelow() | quantities.Bounds() if _is_zero(
            constraint
        ):
            return _within_bounds(constraint, of, scale, samples)
        case quantities.SumTo() if not (constraint.over == "mean" and constraint.allowed.high > _ZERO):
            return _sums(constraint, of, samples)
    return _smooth(constraint, of, samples)


_ZERO = 1.01e-3
"""Limits up to here of what can't be negative are limits of zero; equalities have a tolerance of 0.001."""


def _is_zero(constraint: Constraint) -> bool:
    return constraint.at_least is None and constraint.limit == 0


def _distance(of: str | WeightsOf, threshold: Threshold, scale: Scale) -> Matrix:
    """Of each element, on a scale on which equal steps count alike."""

    def distance(batch: Batch) -> tf.Tensor:
        tensors = measured_tensors(of, batch)
        on_weights = isinstance(of, WeightsOf)
        limit = threshold_values(threshold, flat_rows(tensors, on_weights), batch.columns)
        return flat_rows([scale.apply(tensor) for tensor in tensors], on_weights) - scale.apply(limit)

    return distance


def _counted(constraint: Constraint, distance: Matrix, samples: int) -> list[Residuals]:
    low, high = constraint.allowed
    rows = exempt_rows(constraint, samples)
    found = []
    if high < math.inf:
        found.append(_most(distance, high, constraint, rows, samples))
    if low > 0:
        fewest = math.ceil(low - ROUNDING)
        least = math.ceil(low * samples - ROUNDING)

        def rest(_: tf.Tensor, about: tf.Tensor) -> tf.Tensor:
            return count_true(about) - least

        below = negative(distance)
        if constraint.over == "mean":
            found.append(Residuals(below, may_break=rest))
        else:
            found.append(Residuals(below, must_hold_in_row=fewest, rows_that_may_break=rows))
    return found


def _most(value: Matrix, most: float, constraint: Constraint, rows: int, samples: int) -> Residuals:
    """At most so many of a sample, or of all samples on average, may be positive."""
    if constraint.over != "mean":
        return Residuals(value, may_break_in_row=math.floor(most + ROUNDING), rows_that_may_break=rows)
    total = math.floor(most * samples + ROUNDING)
    return Residuals(value, may_break=lambda *_: tf.constant(total, tf.float64))


def _zeros(constraint: Constraint, of: str | WeightsOf, samples: int) -> list[Residuals]:
    low, high = constraint.allowed

    def size(batch: Batch) -> tf.Tensor:
        return tf.abs(flat_rows(measured_tensors(of, batch), on_weights=False))

    rows = exempt_rows(constraint, samples)
    found = []
    if low > 0:
        found.append(replace(_share(size, 1 - low, constraint, rows), gradual=constraint.over == "mean"))
    if high < 1:
        found.append(_share(negative(size), high, constraint, rows))
    return found


def _share(value: Matrix, share: float, constraint: Constraint, rows: int = 0) -> Residuals:
    """At most this share of a sample's, or of all, may be positive."""
    if constraint.over == "mean":
        return Residuals(value, may_break=at_most_share(share))
    return Residuals(value, share_in_row=share, rows_that_may_break=rows)


def _within_bounds(
    constraint: Constraint, of: str | WeightsOf, scale: Scale, samples: int
) -> list[Residuals]:
    quantity = constraint.quantity
    upper = getattr(quantity, "upper", None)
    lower = getattr(quantity, "lower", None)
    if isinstance(quantity, quantities.ExcessAbove):
        upper = quantity.threshold
    if isinstance(quantity, quantities.ShortfallBelow):
        lower = quantity.threshold
    rows = exempt_rows(constraint, samples)
    found = []
    if upper is not None:
        found.append(Residuals(_distance(of, upper, scale), rows_that_may_break=rows))
    if lower is not None:
        found.append(Residuals(negative(_distance(of, lower, scale)), rows_that_may_break=rows))
    return found


def _sums(constraint: Constraint, of: str | WeightsOf, samples: int) -> list[Residuals]:
    """The distance of a sum from a value, without the kink of its absolute."""
    quantity = constraint.quantity
    assert isinstance(quantity, quantities.SumTo)
    rows = exempt_rows(constraint, samples)

    def distance(batch: Batch) -> tf.Tensor:
        elements = flat_rows(measured_tensors(of, batch), on_weights=False)
        return tf.reduce_sum(elements, axis=1, keepdims=True) - quantity.value

    high = constraint.allowed.high
    if constraint.at_least is not None or (constraint.equals or 0.0) > 0:
        return _smooth(constraint, of, samples)
    if high <= _ZERO:
        return [Residuals(distance, rows_that_may_break=rows, equality=True)]
    width = math.sqrt(high) if quantity.norm == "l2" else high
    return [
        Residuals(lambda batch: distance(batch) - width, rows_that_may_break=rows),
        Residuals(lambda batch: -distance(batch) - width, rows_that_may_break=rows),
    ]


def _smooth(constraint: Constraint, of: str | WeightsOf, samples: int) -> list[Residuals]:
    quantity = constraint.quantity
    aggregate = constraint.over == "mean"
    rows = exempt_rows(constraint, samples)

    def measured(batch: Batch) -> tf.Tensor:
        if isinstance(quantity, quantities.ActivationSparsity | quantities.ElementsAbove | WeightSparsity):
            return sample_values(quantity, of, batch)[:, None]
        assert not isinstance(quantity, Rate)
        return tf.reduce_sum(element_values(quantity, of, batch), axis=1, keepdims=True)

    def over(sign: float, limit: float) -> Matrix:
        return lambda batch: sign * (measured(batch) - limit)

    signs: Sequence[tuple[float, bool]]
    if constraint.equals is not None:
        signs = [(1.0, True)]
    else:
        signs = [(1.0 if constraint.at_most is not None else -1.0, False)]
    return [
        Residuals(
            over(sign, constraint.limit),
            equality=equality,
            aggregate=aggregate,
            rows_that_may_break=rows,
        )
        for sign, equality in signs
    ]
