"""The losses that Keras doesn't have, on tensors.

Each takes targets and predictions of the same shape `(batch_size, …, elements)`, float32, and gives
`(batch_size, …)`: the last axis is averaged, or for boxes taken as `[x1, y1, x2, y2]`.
"""

import keras
import tensorflow as tf


def weighted_binary_crossentropy(
    y_true: tf.Tensor,
    y_pred: tf.Tensor,
    false_negative_weight: float = 1.0,
    false_positive_weight: float = 1.0,
    from_logits: bool = False,
) -> tf.Tensor:
    """`mean(−false_negative_weight·y·log ŷ − false_positive_weight·(1 − y)·log(1 − ŷ))`."""
    # Through Keras's cross-entropy, which knows the logits behind a sigmoid and is exact where ŷ is 0 or 1.
    missed = keras.ops.binary_crossentropy(tf.ones_like(y_true), y_pred, from_logits)
    alarm = keras.ops.binary_crossentropy(tf.zeros_like(y_true), y_pred, from_logits)
    return tf.reduce_mean(
        false_negative_weight * y_true * missed + false_positive_weight * (1.0 - y_true) * alarm, axis=-1
    )


def asymmetric_squared_error(
    y_true: tf.Tensor, y_pred: tf.Tensor, under_weight: float = 1.0, over_weight: float = 1.0
) -> tf.Tensor:
    """The mean of `under_weight·(y − ŷ)²` where y > ŷ, and of `over_weight·(y − ŷ)²` elsewhere."""
    weight = tf.where(y_true > y_pred, under_weight, over_weight)
    return tf.reduce_mean(weight * tf.square(y_true - y_pred), axis=-1)


def pinball(y_true: tf.Tensor, y_pred: tf.Tensor, quantile: float = 0.5) -> tf.Tensor:
    """With d = y − ŷ, `mean(max(quantile·d, (quantile − 1)·d))`."""
    difference = y_true - y_pred
    return tf.reduce_mean(tf.maximum(quantile * difference, (quantile - 1.0) * difference), axis=-1)


def smooth_l1(y_true: tf.Tensor, y_pred: tf.Tensor, beta: float = 1.0) -> tf.Tensor:
    """With d = y − ŷ, the mean of `½d²` where |d| < beta, and of `beta·(|d| − ½beta)` elsewhere."""
    distance = tf.abs(y_true - y_pred)
    square, line = 0.5 * tf.square(distance), beta * (distance - 0.5 * beta)
    return tf.reduce_mean(tf.where(distance < beta, square, line), axis=-1)


def iou(y_true: tf.Tensor, y_pred: tf.Tensor) -> tf.Tensor:
    """`1 − IoU`, the area of the intersection over that of the union."""
    intersection, union = _overlap(_ordered(y_true), _ordered(y_pred))
    return 1.0 - tf.math.divide_no_nan(intersection, union)


def giou(y_true: tf.Tensor, y_pred: tf.Tensor) -> tf.Tensor:
    """`1 − IoU + (|C| − |A ∪ B|) / |C|`, C the smallest box around both."""
    truth, box = _ordered(y_true), _ordered(y_pred)
    intersection, union = _overlap(truth, box)
    hull = _area(_hull(truth, box))
    return 1.0 - tf.math.divide_no_nan(intersection, union) + tf.math.divide_no_nan(hull - union, hull)


def diou(y_true: tf.Tensor, y_pred: tf.Tensor) -> tf.Tensor:
    """`1 − IoU + d² / c²`, d between the centres, c the diagonal of the smallest box around both."""
    truth, box = _ordered(y_true), _ordered(y_pred)
    intersection, union = _overlap(truth, box)
    hull = _hull(truth, box)
    centres = tf.reduce_sum(
        tf.square(0.5 * (truth[..., :2] + truth[..., 2:] - box[..., :2] - box[..., 2:])), -1
    )
    diagonal = tf.reduce_sum(tf.square(hull[..., 2:] - hull[..., :2]), -1)
    return 1.0 - tf.math.divide_no_nan(intersection, union) + tf.math.divide_no_nan(centres, diagonal)


def _ordered(boxes: tf.Tensor) -> tf.Tensor:
    """The same boxes with x1 ≤ x2 and y1 ≤ y2, so that one drawn backwards still has a gradient."""
    first, second = boxes[..., :2], boxes[..., 2:]
    return tf.concat([tf.minimum(first, second), tf.maximum(first, second)], axis=-1)


def _area(boxes: tf.Tensor) -> tf.Tensor:
    sides = tf.maximum(boxes[..., 2:] - boxes[..., :2], 0.0)
    return sides[..., 0] * sides[..., 1]


def _overlap(a: tf.Tensor, b: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """The areas of the intersection and of the union."""
    common = tf.concat([tf.maximum(a[..., :2], b[..., :2]), tf.minimum(a[..., 2:], b[..., 2:])], axis=-1)
    intersection = _area(common)
    return intersection, _area(a) + _area(b) - intersection


def _hull(a: tf.Tensor, b: tf.Tensor) -> tf.Tensor:
    """The smallest box around both."""
    return tf.concat([tf.minimum(a[..., :2], b[..., :2]), tf.maximum(a[..., 2:], b[..., 2:])], axis=-1)
