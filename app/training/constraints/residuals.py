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
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import permutations

import tensorflow as tf

from app.spec import quantities
from app.spec.constraints import Constraint, OverQuantile
from app.spec.quantities import WeightsOf, WeightSparsity
from app.spec.rates import GroupName, Rate
from app.spec.thresholds import Threshold
from app.training.constraints.scales import Scale
from app.training.elements import element_values, flat_rows, measured_tensors
from app.training.quantities import decisions, group_column, sample_values
from app.training.terms import Batch
from app.training.thresholds import threshold_values

ROUNDING = 1e-9
"""A share times a number of samples may be this far below the integer that is meant."""

Matrix = Callable[[Batch], tf.Tensor]
"""From a batch to `(batch_size, units)`."""


@dataclass(frozen=True)
class Residuals:
    """Residuals of one kind.

    Attributes:
        value: with gradient, `(batch_size, units)`; at most 0 where the limit holds.
        counted: which of them the limit is about, bool of that shape; None for all.
        may_break_in_row: how many of a sample's may be positive.
        must_hold_in_row: how many of a sample's must not be, in place of that; None if that counts.
        share_in_row: the share of a sample's that may be positive, in place of both.
        may_break: how many of all samples' may be, from the number that the limit is about; None for none.
        rows_that_may_break: samples all of whose residuals may be.
        equality: whether they must be 0.
        aggregate: whether their mean over the samples is meant, and not each of them.
        truth: where `value` only stands for it, what is truly meant, `(batch_size, units)`.
    """

    value: Matrix
    counted: Matrix | None = None
    may_break_in_row: int = 0
    must_hold_in_row: int | None = None
    share_in_row: float | None = None
    may_break: Callable[[tf.Tensor], tf.Tensor] | None = None
    rows_that_may_break: int = 0
    equality: bool = False
    aggregate: bool = False
    truth: Matrix | None = None

    def breaking_in_row(self, units: int) -> int:
        """How many of the `units` residuals of a sample may be positive."""
        if self.share_in_row is not None:
            return math.floor(self.share_in_row * units + ROUNDING)
        if self.must_hold_in_row is not None:
            return max(units - self.must_hold_in_row, 0)
        return self.may_break_in_row


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
        case Rate() as rate if rate.difference is not None or rate.type == "precision":
            assert isinstance(of, str)
            return _proxies(constraint, rate, of, scale)
        case Rate() as rate:
            assert isinstance(of, str)
            return _decided(constraint, rate, of, scale)
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


def exempt_rows(constraint: Constraint, samples: int) -> int:
    """How many samples needn't hold a limit over a quantile."""
    if not isinstance(constraint.over, OverQuantile):
        return 0
    return samples - math.ceil(constraint.over.quantile * samples - ROUNDING)


def _distance(of: str | WeightsOf, threshold: Threshold, scale: Scale) -> Matrix:
    """Of each element, on a scale on which equal steps count alike."""

    def distance(batch: Batch) -> tf.Tensor:
        rows = flat_rows(measured_tensors(of, batch), isinstance(of, WeightsOf))
        return scale.apply(rows) - scale.apply(threshold_values(threshold, rows, batch.columns))

    return distance


def _negative(matrix: Matrix) -> Matrix:
    return lambda batch: -matrix(batch)


def _counted(constraint: Constraint, distance: Matrix, samples: int) -> list[Residuals]:
    low, high = constraint.allowed
    rows = exempt_rows(constraint, samples)
    found = []
    if high < math.inf:
        found.append(_most(distance, high, constraint, rows, samples))
    if low > 0:
        fewest = math.ceil(low - ROUNDING)

        def rest(considered: tf.Tensor) -> tf.Tensor:
            return considered - math.ceil(low * samples - ROUNDING)

        below = _negative(distance)
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
    return Residuals(value, may_break=lambda considered: tf.cast(total, tf.float64))


def _zeros(constraint: Constraint, of: str | WeightsOf, samples: int) -> list[Residuals]:
    low, high = constraint.allowed

    def size(batch: Batch) -> tf.Tensor:
        return tf.abs(flat_rows(measured_tensors(of, batch), on_weights=False))

    rows = exempt_rows(constraint, samples)
    found = []
    if low > 0:
        found.append(_share(size, 1 - low, constraint, rows))
    if high < 1:
        found.append(_share(_negative(size), high, constraint, rows))
    return found


def _share(value: Matrix, share: float, constraint: Constraint, rows: int = 0) -> Residuals:
    """At most this share of a sample's, or of all, may be positive."""
    if constraint.over == "mean":
        return Residuals(value, may_break=lambda considered: tf.math.floor(share * considered + ROUNDING))
    return Residuals(value, share_in_row=share, rows_that_may_break=rows)


def _decided(constraint: Constraint, rate: Rate, of: str, scale: Scale) -> list[Residuals]:
    """A rate of decisions that the data alone tell: which of them must be positive, or right."""
    low, high = constraint.allowed
    if rate.type == "false_negative_rate":
        low, high = 1 - high, 1 - low
    margin = _right_by(rate, of, scale) if rate.type == "accuracy" else _positive_by(rate, of, scale)

    def counted(batch: Batch) -> tf.Tensor:
        _, true = decisions(rate, batch.y_pred[of], batch.y_true[of])
        about = {
            "recall": true,
            "false_negative_rate": true,
            "false_positive_rate": ~true,
        }.get(rate.type, tf.ones_like(true))
        if rate.where is None:
            return about
        return about & (batch.columns[group_column(rate.where)][:, None] > 0.5)

    found = []
    if high < 1:
        found.append(
            Residuals(margin, counted, may_break=lambda about: tf.math.floor(high * about + ROUNDING))
        )
    if low > 0:
        found.append(
            Residuals(
                _negative(margin),
                counted,
                may_break=lambda about: about - tf.math.ceil(low * about - ROUNDING),
            )
        )
    return found


def _positive_by(rate: Rate, of: str, scale: Scale) -> Matrix:
    """How far each decision is on the positive side, `(batch_size, decisions)`."""

    def distance(batch: Batch) -> tf.Tensor:
        y_pred = batch.y_pred[of]
        if rate.class_index is None:
            rows = flat_rows([y_pred], on_weights=False)
            return scale.apply(rows) - scale.apply(tf.constant(rate.threshold, rows.dtype))
        classes = y_pred.shape[-1]
        others = [index for index in range(classes) if index != rate.class_index]
        scores = scale.apply(y_pred)
        lead = scores[..., rate.class_index] - tf.reduce_max(tf.gather(scores, others, axis=-1), axis=-1)
        return tf.reshape(lead, (-1, y_pred.shape[1:-1].num_elements()))

    return distance


def _right_by(rate: Rate, of: str, scale: Scale) -> Matrix:
    """How far each decision is on the right side."""
    positive_by = _positive_by(rate, of, scale)

    def distance(batch: Batch) -> tf.Tensor:
        y_pred, y_true = batch.y_pred[of], batch.y_true[of]
        classes = y_pred.shape[-1]
        if rate.class_index is not None or classes == 1:
            _, true = decisions(rate, y_pred, y_true)
            return tf.where(true, 1.0, -1.0) * positive_by(batch)
        places = y_pred.shape[1:-1].num_elements()
        if y_true.shape[1:].num_elements() == places:
            labels = tf.reshape(tf.cast(y_true, tf.int32), (-1, places))
        else:
            labels = tf.reshape(tf.argmax(y_true, axis=-1, output_type=tf.int32), (-1, places))
        scores = tf.reshape(scale.apply(y_pred), (-1, places, classes))
        chosen = tf.one_hot(labels, classes)
        own = tf.reduce_sum(scores * chosen, axis=-1)
        rival = tf.reduce_max(tf.where(chosen > 0, scores.dtype.min, scores), axis=-1)
        return own - rival

    return distance


SLOPE = 4.0
"""Of the sigmoid that stands for a decision, on the scale of the logits or of the output."""


def _proxies(constraint: Constraint, rate: Rate, of: str, scale: Scale) -> list[Residuals]:
    """Rates that no order of single decisions tells: precision, and differences between groups.

    Multiplied by its denominator, a precision is a mean over samples: precision ≥ p just when the mean of
    `p·(TP + FP) − TP` is at most 0. So is a group's rate, divided by the share of decisions it is of. In the
    gradient a sigmoid stands for each decision; the multiplier moves by the decisions themselves.
    """
    low, high = constraint.allowed
    margin = _right_by(rate, of, scale) if rate.type == "accuracy" else _positive_by(rate, of, scale)

    def soft(batch: Batch) -> tf.Tensor:
        return tf.sigmoid(SLOPE * margin(batch))

    def hard(batch: Batch) -> tf.Tensor:
        return tf.cast(margin(batch) > 0, tf.float32)

    def pair(rating: Callable[[Matrix], Matrix]) -> Residuals:
        return Residuals(rating(soft), aggregate=True, truth=rating(hard))

    groups = rate.groups
    if rate.difference is None:
        limits = [(high, 1.0)] * (high < 1) + [(low, -1.0)] * (low > 0)
        return [pair(partial(_precision, rate, of, limit=p, sign=sign)) for p, sign in limits]
    # At most: every pair of groups. At least makes little sense for several groups; the first pair stands.
    found = []
    if high < 1:
        found += [pair(partial(_difference, rate, of, a, b, high)) for a, b in permutations(groups, 2)]
    if low > 0:
        one, other = groups[0], groups[1]
        found.append(pair(lambda decided: _negative(_difference(rate, of, one, other, low, decided))))
    return found


def _member(batch: Batch, group: GroupName) -> tf.Tensor:
    """1 for the samples of a group, 0 for others, `(batch_size, 1)`."""
    return batch.columns[group_column(group)][:, None]


def _precision(rate: Rate, of: str, decided: Matrix, limit: float, sign: float) -> Matrix:
    """Whose mean over the batch has the sign of the precision minus the limit."""

    def residual(batch: Batch) -> tf.Tensor:
        _, true = decisions(rate, batch.y_pred[of], batch.y_true[of])
        excess = sign * (tf.cast(true, tf.float32) - limit) * decided(batch)
        if rate.where is not None:
            excess *= _member(batch, rate.where)
        return tf.reduce_sum(excess, axis=1, keepdims=True)

    return residual


def _difference(
    rate: Rate, of: str, one: GroupName, other: GroupName, limit: float, decided: Matrix
) -> Matrix:
    """Whose mean over the batch is the rate of one group minus that of the other minus the limit."""

    def rated(batch: Batch, group: GroupName) -> tf.Tensor:
        _, true = decisions(rate, batch.y_pred[of], batch.y_true[of])
        positive = decided(batch)
        about = {
            "recall": true,
            "false_negative_rate": true,
            "false_positive_rate": ~true,
        }.get(rate.type, tf.ones_like(true))
        counts = tf.cast(about, tf.float32) * _member(batch, group)
        if rate.type == "precision":
            counts = tf.stop_gradient(positive) * _member(batch, group)
            positive = positive * tf.cast(true, tf.float32) / tf.maximum(tf.stop_gradient(positive), 1e-3)
        elif rate.type == "false_negative_rate":
            positive = 1 - positive
        share = tf.maximum(tf.reduce_mean(tf.reduce_sum(counts, axis=1)), 1e-6)
        return tf.reduce_sum(counts * positive, axis=1, keepdims=True) / share

    return lambda batch: rated(batch, one) - rated(batch, other) - limit


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
        found.append(Residuals(_negative(_distance(of, lower, scale)), rows_that_may_break=rows))
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
