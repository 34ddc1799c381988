"""Expressions on tensors.

Gradients are those of the formula, with 0 where it has none: at the kinks of `abs`, `relu`, `maximum`,
and for `sqrt` at 0. The logarithm of what isn't positive isn't finite, nor is its gradient, even in the
branch of a `where` that isn't taken: write `log(maximum(y_pred, 1e-7))`.
"""

import operator
from collections.abc import Callable, Mapping
from typing import Any

import keras
import tensorflow as tf

from app.spec.expressions import Node, Number, Variable


def evaluate(node: Node, variables: Mapping[str, tf.Tensor]) -> tf.Tensor:
    """The value of an expression.

    Args:
        node: the expression.
        variables: float32 tensors by name, all of the same rank (see `in_rank_of`).

    Returns:
        float32, of the shape that `app.spec.expressions.shape_of` tells.
    """
    if isinstance(node, Number):
        return tf.constant(node.value, tf.float32)
    if isinstance(node, Variable):
        return variables[node.name]
    arguments = [evaluate(argument, variables) for argument in node.arguments]
    return _FUNCTIONS[node.function](*arguments, **node.options)


def in_rank_of(y_pred: tf.Tensor, values: tf.Tensor) -> tf.Tensor:
    """`values` with axes of length 1 appended, or taken away, until they have as many as `y_pred`."""
    shape, rank = values.shape.as_list(), y_pred.shape.rank
    while len(shape) > rank and shape[-1] == 1:
        shape.pop()
        values = tf.squeeze(values, axis=-1)
    for _ in range(rank - len(shape)):
        values = tf.expand_dims(values, axis=-1)
    return values


def _power(x: tf.Tensor, exponent: float) -> tf.Tensor:
    if exponent == 2.0:
        return tf.square(x)
    if 0.0 < exponent < 1.0:
        # The slope at 0 is infinite; as with `sqrt`, none is used.
        zero = tf.equal(x, 0.0)
        return tf.where(zero, 0.0, tf.pow(tf.where(zero, 1.0, x), exponent))
    return tf.pow(x, exponent)


def _top_k(x: tf.Tensor, k: int, axis: int) -> tf.Tensor:
    largest = tf.math.top_k(keras.ops.moveaxis(x, axis, -1), k).values
    return keras.ops.moveaxis(largest, -1, axis)


def _truth(compare: Callable[[tf.Tensor, tf.Tensor], tf.Tensor]) -> Callable[..., tf.Tensor]:
    return lambda x, y: tf.cast(compare(x, y), tf.float32)


def _reduction(reduce: Callable[..., tf.Tensor]) -> Callable[..., tf.Tensor]:
    return lambda x, axis: reduce(x, axis=axis, keepdims=axis is not None)


_FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    "add": operator.add,
    "subtract": operator.sub,
    "multiply": operator.mul,
    "divide": operator.truediv,
    "negative": operator.neg,
    "power": _power,
    "less": _truth(tf.less),
    "less_equal": _truth(tf.less_equal),
    "greater": _truth(tf.greater),
    "greater_equal": _truth(tf.greater_equal),
    "equal": _truth(tf.equal),
    "not_equal": _truth(tf.not_equal),
    "mean": _reduction(tf.reduce_mean),
    "sum": _reduction(tf.reduce_sum),
    "max": _reduction(tf.reduce_max),
    "min": _reduction(tf.reduce_min),
    "sort": tf.sort,
    "top_k": _top_k,
    "square": tf.square,
    "abs": tf.abs,
    "sqrt": lambda x: _power(x, 0.5),
    "log": tf.math.log,
    "exp": tf.exp,
    "sigmoid": tf.sigmoid,
    "tanh": tf.tanh,
    "relu": tf.nn.relu,
    "softplus": tf.nn.softplus,
    "maximum": tf.maximum,
    "minimum": tf.minimum,
    "where": lambda condition, x, y: tf.where(tf.not_equal(condition, 0.0), x, y),
    "clip": lambda x, lower, upper: tf.minimum(tf.maximum(x, lower), upper),
}
"""What each name in a tree does; reductions keep their axis, with length 1."""
