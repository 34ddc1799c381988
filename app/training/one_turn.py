"""A computation as a loop of one turn: XLA compiles a small loop as one function (`app.training.plan`)."""

from collections.abc import Callable
from typing import TypeVar

import tensorflow as tf

Result = TypeVar("Result")


def in_one_turn(compute: Callable[[], Result], alike: Result, always: tf.Tensor) -> Result:
    """What `compute` gives.

    Args:
        compute: run once.
        alike: tensors of the shapes and dtypes of its result.
        always: a bool `()` that is true, though the compiler mustn't know, or it would dissolve the loop.
            Were it false, the result would be `alike`.
    """

    def turn(_: tf.Tensor, __: Result) -> tuple[tf.Tensor, Result]:
        return tf.constant(False), compute()

    result: Result = tf.while_loop(lambda again, _: again, turn, (always, alike))[1]
    return result
