"""What stands for the count of elements above a threshold where gradients must flow.

d is `ŷ − τ` of each element, `(batch_size, elements)`.
"""

import tensorflow as tf

from app.training.order_statistics import kth_largest


def sigmoid_count(distance: tf.Tensor, slope: float) -> tf.Tensor:
    """`σ(slope·d)` of each element: near 1 above the threshold, near 0 below."""
    return tf.sigmoid(slope * distance)


def hinge_count(distance: tf.Tensor, slope: float) -> tf.Tensor:
    """`max(0, 1 + slope·d)` of each element: never less than its share of the count."""
    return tf.nn.relu(1.0 + slope * distance)


def top_k_excess(distance: tf.Tensor, k: int) -> tf.Tensor:
    """`max(d, 0)` of each element but the k largest of its row, which give 0.

    A row adds up to zero just when at most k of its elements are above the threshold, and only the
    elements that must come down have a gradient. Elements that tie for the last places share them: with
    m of them for r places each counts `1 − r/m`.

    Args:
        distance: float32 `(rows, elements)`, elements known when the function is traced.
        k: how many elements of a row may be above, ≥ 0.

    Returns:
        float32 `(rows, elements)`.
    """
    excess = tf.nn.relu(distance)
    if k == 0:
        return excess
    if k >= distance.shape[1]:
        return tf.zeros_like(excess)
    fixed = tf.stop_gradient(distance)
    last_kept = kth_largest(fixed, k)  # (rows, 1)
    above = tf.reduce_sum(tf.cast(fixed > last_kept, fixed.dtype), axis=1, keepdims=True)
    ties = tf.reduce_sum(tf.cast(fixed == last_kept, fixed.dtype), axis=1, keepdims=True)
    share_of_ties = (above + ties - k) / ties
    counted = tf.where(fixed == last_kept, share_of_ties, tf.cast(fixed < last_kept, fixed.dtype))
    return counted * excess
