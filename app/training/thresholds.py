"""Thresholds as tensors, for a batch of samples."""

from collections.abc import Mapping, Sequence

import tensorflow as tf

from app.spec.thresholds import (
    ColumnThreshold,
    MeanPlusStdThreshold,
    QuantileThreshold,
    Threshold,
)
from app.training.order_statistics import kth_largest


def threshold_values(
    threshold: Threshold, elements: tf.Tensor, columns: Mapping[str, tf.Tensor]
) -> tf.Tensor:
    """τ for each element, without gradient.

    A threshold that changes with the prediction is a fixed number at each step: were gradients to flow
    through it, a penalty could be lowered by moving the elements that the threshold is made of.

    Args:
        threshold: as the document has it.
        elements: the samples' elements, `(batch_size, elements)`.
        columns: columns of the dataset, `(batch_size,)` or `(batch_size, …)`.

    Returns:
        As precise as the elements, `()`, `(elements,)`, `(batch_size, 1)` or `(batch_size, elements)`.
    """
    match threshold:
        case ColumnThreshold():
            column = tf.cast(columns[threshold.column], elements.dtype)
            return tf.reshape(column, (tf.shape(elements)[0], -1))
        case QuantileThreshold():
            return quantile(elements, threshold.quantile)
        case MeanPlusStdThreshold():
            fixed = tf.stop_gradient(elements)
            mean = tf.reduce_mean(fixed, axis=1, keepdims=True)
            return mean + threshold.mean_plus_std * tf.math.reduce_std(fixed, axis=1, keepdims=True)
        case float() | Sequence():
            # In float32 first, like predictions: 0.1 isn't above 0.1, whatever the precision of both.
            return tf.cast(tf.constant(threshold, tf.float32), elements.dtype)


def quantile(elements: tf.Tensor, q: float) -> tf.Tensor:
    """Quantile of each row, interpolated linearly, as `numpy.quantile` does; without gradient.

    Args:
        elements: `(rows, n)`, n known when the function is traced.
        q: 0 is each row's least element, 1 its largest.

    Returns:
        `(rows, 1)`.
    """
    n = elements.shape[1]
    position = q * (n - 1)
    lower = min(int(position), max(n - 2, 0))
    low = kth_largest(elements, n - lower)
    if n == 1:
        return low
    high = kth_largest(elements, n - lower - 1)
    return low + (high - low) * (position - lower)
