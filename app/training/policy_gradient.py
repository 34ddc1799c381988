"""The true count of elements above a threshold, with a gradient estimated by the score function.

Each element's prediction is the mean of a Gaussian from which actions are drawn, and whether an action is
above the threshold is its (negative) reward. In expectation the estimate is the gradient of the smoothed
count `Σ Φ((ŷ − τ)/σ)`, Φ the standard normal distribution function.

Source: Williams, "Simple statistical gradient-following algorithms for connectionist reinforcement
learning", Machine Learning 8 (1992); leave-one-out baseline: Kool et al., "Buy 4 REINFORCE samples, get a
baseline for free!", ICLR workshop (2019).
"""

import math

import tensorflow as tf


def count_with_policy_gradient(
    distance: tf.Tensor, stddev: float, samples: int, seed: tf.Tensor
) -> tf.Tensor:
    """Each element's share of the true count, whose gradient is the policy gradient.

        aₛ = ŷ + σ·εₛ,  cₛ = 1[aₛ > τ],  ∂/∂ŷ ≈ 1/S Σₛ (cₛ − mean of the other draws' c) · εₛ/σ

    The reward of a sample is a sum over its elements, whose noise is independent; so each element is
    credited with its own part only, which has the same expectation and less variance.

    Args:
        distance: `ŷ − τ`, float32 `(batch_size, elements)`.
        stddev: σ, in units of the output, > 0.
        samples: S draws, ≥ 2.
        seed: int32 `(2,)`.

    Returns:
        float32 `(batch_size, elements)`, 1 above and 0 below the threshold.
    """
    noise = standard_normal(samples, distance, seed)
    above = tf.cast(distance + stddev * noise > 0, distance.dtype)
    # The mean without the draw itself differs from the mean of all by the factor S/(S−1).
    advantage = (above - tf.reduce_mean(above, axis=0)) * (samples / (samples - 1))
    gradient = tf.stop_gradient(tf.reduce_mean(advantage * noise, axis=0) / stddev)
    estimate = gradient * distance
    count = tf.cast(distance > 0, distance.dtype)
    return count + (estimate - tf.stop_gradient(estimate))


def standard_normal(samples: int, like: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """Standard normal numbers by Box and Muller's transform, float32 `(samples, *like.shape)`.

    TensorFlow's own are many times slower under XLA on a CPU, which fuses the generator into every reduction
    over them and so draws each number again and again; here the two halves are put together in memory first.

    Args:
        samples: how many for each element.
        like: any tensor.
        seed: int32 `(2,)`.
    """
    shape = tf.concat([[(samples + 1) // 2], tf.shape(like)], axis=0)
    radius_seed, angle_seed = tf.unstack(tf.random.experimental.stateless_split(seed, 2))
    uniform = 1.0 - tf.random.stateless_uniform(shape, radius_seed)  # (0, 1], so that its logarithm is finite
    radius = tf.sqrt(-2.0 * tf.math.log(uniform))
    angle = 2.0 * math.pi * tf.random.stateless_uniform(shape, angle_seed)
    return tf.concat([radius * tf.cos(angle), radius * tf.sin(angle)], axis=0)[:samples]
