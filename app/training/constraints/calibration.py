"""How strongly residuals are pushed: ρ, measured from the loss, so that nobody has to give it."""

from collections.abc import Callable

import tensorflow as tf

STRENGTH = 4.0
"""ρ over the curvature of the loss: each settled step of λ then leaves a fifth of its error."""


def strength_of(
    total: Callable[[list[tf.Tensor]], tf.Tensor],
    before: tf.Tensor,
    slope: list[tf.Tensor],
    square: tf.Tensor,
    normal: list[tf.Tensor],
    weights: list[tf.Tensor],
) -> tf.Tensor:
    """ρ for residuals with the mean square 2·P: the curvature of f on the way to where they are 0.

    The way is one step of Newton's method along P's gradient, Δ = −2P·∇P/|∇P|². What f gains there over its
    tangent is ½·curvature; what its tangent gains is the force that the limits must overcome.

    Args:
        total: f of the trainable weights.
        before: f where they are, `()`.
        slope: its gradient.
        square: P, half the sum of squares of the residuals that must hold, mean over samples, `()`.
        normal: its gradient.
        weights: the trainable weights as they are.

    Returns:
        float32 `(2,)`: ρ, positive; and the curvature alone, 0 where f bends down.
    """
    length = tf.add_n([tf.reduce_sum(tf.square(n)) for n in normal])
    factor = -2 * tf.math.divide_no_nan(square, length)
    step = [factor * n for n in normal]
    tangent = tf.add_n([tf.reduce_sum(s * d) for s, d in zip(slope, step, strict=True)])
    after = total([w + d for w, d in zip(weights, step, strict=True)])
    bend = 2 * (after - before - tangent)
    bend = tf.where(tf.math.is_finite(bend), tf.nn.relu(bend), 0.0)
    force = tf.maximum(bend, tf.abs(tangent))
    strength = tf.clip_by_value(STRENGTH * tf.math.divide_no_nan(force, 2 * square), 1e-6, 1e6)
    return tf.stack([strength, tf.math.divide_no_nan(bend, 2 * square)])
