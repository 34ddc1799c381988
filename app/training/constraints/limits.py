"""Where a limit stands in an epoch, as truly counted on all training samples, inside the compiled loop."""

import math

import tensorflow as tf

from app.spec.constraints import Constraint
from app.spec.quantities import ActivationSparsity, ElementsAbove, WeightSparsity
from app.spec.rates import Rate
from app.training.constraints.exemptions import largest_in_rows
from app.training.constraints.residuals import exempt_rows

ROUNDING = 1e-6
"""Relative error of a mean in float32. What is counted differs from its limit by more, if at all; what is
measured must stay so far inside, so that no rounding elsewhere takes it out."""


def value_of(constraint: Constraint, values: tf.Tensor) -> tf.Tensor:
    """What is limited: the mean, or the value of the worst sample that isn't exempt.

    Args:
        constraint: says which.
        values: the quantity of every training sample, float32 `(samples,)`.

    Returns:
        float32 `()`.
    """
    if constraint.over == "mean":
        return tf.reduce_mean(values)
    violation = -slack_of(constraint, values)
    exempt = exempt_rows(constraint, values.shape[0])
    if exempt:
        violation = tf.where(largest_in_rows(violation[None], exempt)[0] > 0, -math.inf, violation)
    # Not by a slice: XLA takes its bounds for constants, and would compile anew for other data or seeds.
    return tf.gather(values, tf.argmax(violation))


def slack_of(constraint: Constraint, values: tf.Tensor) -> tf.Tensor:
    """How far inside the limit values are, negative where they break it; any shape."""
    low, high = constraint.allowed
    return tf.minimum(values - low, high - values)


def is_held(constraint: Constraint, slack: tf.Tensor) -> tf.Tensor:
    """Whether a slack in float32 is sure to be one in exact numbers, too; bool `()`."""
    allowance = ROUNDING * max(1.0, abs(constraint.limit))
    counted = isinstance(constraint.quantity, ElementsAbove | ActivationSparsity | WeightSparsity | Rate)
    return slack >= (-allowance if counted else min(allowance, _half_width(constraint)))


def _half_width(constraint: Constraint) -> float:
    low, high = constraint.allowed
    return 0.0 if constraint.limit == 0 and constraint.equals is None else 0.5 * (high - low)
