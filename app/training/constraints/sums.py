"""Sums and extremes of all samples and units, in an order in which a processor does many at once."""

import tensorflow as tf


def sum_of_means(values: tf.Tensor) -> tf.Tensor:
    """Of a matrix `(samples, units)` the sum over the units of the mean over the samples, `()`.

    The same number as the mean of the sums, but XLA on a CPU adds rows to one another by vector instructions,
    where it would add up the units of a row one after the other, several times slower.
    """
    return tf.reduce_sum(tf.reduce_mean(values, axis=0))


def count_true(true: tf.Tensor) -> tf.Tensor:
    """How many of bool `(samples, units)` are true, float64 `()`.

    Float32 counts a column exactly up to 2²⁴ samples.
    """
    return tf.reduce_sum(tf.cast(tf.reduce_sum(tf.cast(true, tf.float32), axis=0), tf.float64))


def largest(values: tf.Tensor) -> tf.Tensor:
    """The largest of a matrix `(samples, units)`, `()`.

    Of the columns first; the largest of these in float64, or XLA would make one of both and compare number by
    number.
    """
    of_columns = tf.cast(tf.reduce_max(values, axis=0), tf.float64)
    return tf.cast(tf.reduce_max(of_columns), values.dtype)


def least(values: tf.Tensor) -> tf.Tensor:
    """The least of a matrix `(samples, units)`, `()`."""
    return -largest(-values)
