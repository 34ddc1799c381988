"""Rates as residuals: of decisions that the data alone tell, and of those that others change."""

from collections.abc import Callable
from functools import partial
from itertools import permutations

import tensorflow as tf

from app.spec.constraints import Constraint
from app.spec.rates import GroupName, Rate
from app.training.constraints.residuals import (
    ROUNDING,
    Matrix,
    Residuals,
    all_but,
    at_most_share,
    negative,
)
from app.training.constraints.scales import Scale
from app.training.constraints.sums import count_true
from app.training.elements import flat_rows
from app.training.quantities import decisions, group_column
from app.training.terms import Batch


def decided(constraint: Constraint, rate: Rate, of: str, scale: Scale) -> list[Residuals]:
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
        return about & (_member(batch, rate.where) > 0.5)

    turns = rate.type == "accuracy"
    found = []
    if high < 1:
        found.append(Residuals(margin, counted, may_break=at_most_share(high), takes_turns=turns))
    if low > 0:
        found.append(Residuals(negative(margin), counted, may_break=all_but(low), takes_turns=turns))
    return found


def limits_false_positives(constraint: Constraint) -> bool:
    """Whether it's a precision of at least p, which `precise` holds by the order of decisions."""
    quantity = constraint.quantity
    is_precision = isinstance(quantity, Rate) and quantity.type == "precision" and quantity.difference is None
    return is_precision and constraint.at_least is not None


def precise(constraint: Constraint, rate: Rate, of: str, scale: Scale) -> Residuals:
    """A precision of at least p: of the decisions that should be negative, (1 − p)/p·TP may be positive.

    TP is the number of true positives, as it is when what must hold is chosen.
    """
    low = constraint.allowed.low
    positive_by = _positive_by(rate, of, scale)

    def distance(batch: Batch) -> tf.Tensor:
        distances = positive_by(batch)
        if rate.where is None:
            return distances
        # Those of others are neither true nor false positives.
        return tf.where(_member(batch, rate.where) > 0.5, distances, -tf.abs(distances))

    def counted(batch: Batch) -> tf.Tensor:
        _, true = decisions(rate, batch.y_pred[of], batch.y_true[of])
        return ~true if rate.where is None else ~true & (_member(batch, rate.where) > 0.5)

    def false_positives(values: tf.Tensor, about: tf.Tensor) -> tf.Tensor:
        true_positives = count_true((values > 0) & ~about)
        return tf.math.floor(true_positives * (1 - low) / low + ROUNDING)

    return Residuals(distance, counted, may_break=false_positives)


def _positive_by(rate: Rate, of: str, scale: Scale) -> Matrix:
    """How far each decision is on the positive side, `(batch_size, decisions)`."""

    def distance(batch: Batch) -> tf.Tensor:
        y_pred = batch.y_pred[of]
        if rate.class_index is None:
            rows = flat_rows([scale.apply(y_pred)], on_weights=False)
            return rows - scale.apply(tf.constant(rate.threshold, rows.dtype))
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


def proxies(constraint: Constraint, rate: Rate, of: str, scale: Scale) -> list[Residuals]:
    """Rates that no order of decisions tells: a precision of at most p, and differences between groups.

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
        found.append(pair(lambda decided: negative(_difference(rate, of, one, other, low, decided))))
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
