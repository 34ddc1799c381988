"""Sums over all samples and units, in an order that a processor can do many of at once."""

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
