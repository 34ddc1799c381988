"""Which residuals must hold, where a limit lets some of them be broken: those that break it by most are."""

import tensorflow as tf

from app.training.constraints.residuals import Residuals
from app.training.constraints.sums import count_true, largest, least
from app.training.order_statistics import kth_largest

HALVINGS = 26
"""Of the range in which a threshold is sought, at most: more than float32 has digits for."""

MOST_COMPARED = 32
"""Elements of a row, up to which comparing each with each takes less time than searching for the largest."""


def must_hold(
    residuals: Residuals,
    values: tf.Tensor,
    counted: tf.Tensor | None,
    relief: tf.Tensor | None = None,
    broken: tf.Tensor | None = None,
    reserve: tf.Tensor | None = None,
) -> tf.Tensor:
    """1 for each residual that must hold, 0 for the others.

    Args:
        residuals: say how many needn't.
        values: of all samples, float32 `(samples, units)`; the largest are exempt first.
        counted: bool of that shape, which of them the limit is about; None for all.
        relief: how much of what was broken at first, beyond what may be, is exempt still, `()`; None for
            nothing of it.
        broken: how many were, float64 `()`.
        reserve: of those of all samples that needn't hold, the share that must all the same, float64 `()`.
    """
    held = tf.ones_like(values) if counted is None else tf.cast(counted, values.dtype)
    lowest = tf.where(held > 0, values, values.dtype.min)
    breaking = residuals.breaking_in_row(values.shape[1])
    if breaking:
        held *= 1 - largest_in_rows(lowest, breaking)
    if residuals.may_break is not None:
        allowed = residuals.may_break(values, held > 0)
        if relief is not None and broken is not None:
            allowed += tf.cast(relief, tf.float64) * tf.nn.relu(broken - allowed)
        if reserve is not None:
            allowed -= tf.floor(reserve * allowed)
        held *= tf.cast(lowest <= threshold_with_at_most(lowest, allowed), values.dtype)
    if residuals.rows_that_may_break:
        badness = tf.reduce_sum(tf.nn.relu(values) * held, axis=1)[None]  # (1, samples)
        held *= 1 - tf.transpose(largest_in_rows(badness, residuals.rows_that_may_break))
    return held


def largest_in_rows(values: tf.Tensor, count: int) -> tf.Tensor:
    """1 for the `count` largest of each row, of equals the first; 0 for the others.

    Args:
        values: `(rows, elements)`, elements known when the function is traced.
        count: at least 1; all where there are fewer elements.
    """
    if count >= values.shape[1]:
        return tf.ones_like(values)
    if values.shape[1] <= MOST_COMPARED:
        return tf.cast(_ranks(values) < count, values.dtype)
    last = kth_largest(values, count)
    above = tf.cast(values > last, values.dtype)
    equal = tf.cast(tf.equal(values, last), values.dtype)
    places = count - tf.reduce_sum(above, axis=1, keepdims=True)
    return above + equal * tf.cast(tf.cumsum(equal, axis=1) <= places, values.dtype)


def _ranks(values: tf.Tensor) -> tf.Tensor:
    """How many elements of its row come before each one, of equals the first, from the largest on."""
    other, own = values[:, :, None], values[:, None, :]
    places = tf.range(values.shape[1])
    before = (other > own) | (tf.equal(other, own) & (places[:, None] < places))
    return tf.reduce_sum(tf.cast(before, tf.int32), axis=1)


def threshold_with_at_most(values: tf.Tensor, most: tf.Tensor) -> tf.Tensor:
    """A number that at most `most` of the values are greater than, and as many as `HALVINGS` can tell apart.

    Equal values are on the same side of it, as a model can't tell equal samples apart. By bisection, which a
    compiled loop does quicker than sorting.

    Args:
        values: float32 `(samples, units)`.
        most: float64 `()`.
    """
    low = least(tf.where(values > values.dtype.min, values, values.dtype.max))
    high = largest(values)
    low = tf.minimum(low, high) - 1.0

    def has_room(step: tf.Tensor, low: tf.Tensor, high: tf.Tensor, above: tf.Tensor) -> tf.Tensor:
        # Once there is none, halving would change the number, but no longer who is above it.
        return (step < HALVINGS) & (above + 1 <= most)

    def halve(
        step: tf.Tensor, low: tf.Tensor, high: tf.Tensor, above: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor]:
        middle = 0.5 * (low + high)
        count = count_true(values > middle)
        few = count <= most
        return (
            step + 1,
            tf.where(few, low, middle),
            tf.where(few, middle, high),
            tf.where(few, count, above),
        )

    start = (tf.constant(0), low, high, tf.constant(0.0, tf.float64))
    return tf.while_loop(has_room, halve, start)[2]
