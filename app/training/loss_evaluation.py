"""A loss on given numbers: its value, its terms, and its gradient with respect to the predictions."""

import math
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from app.spec.graph import Graph
from app.spec.loss_evaluation import by_output, read_loss_evaluation
from app.training.losses import build_loss_terms
from app.training.penalties import build_penalty_terms
from app.training.terms import Batch, unique_names


def evaluate_loss(payload: dict[str, Any]) -> dict[str, Any]:
    """What a loss and penalties are on given numbers, in float32 as in training.

    Args:
        payload: a `LossEvaluation` document.

    Returns:
        `value`, the total; `terms`, what each adds to it by name; `gradient` of the total by each element of
        `y_pred`, in its shape. What isn't finite is None.

    Raises:
        InvalidDocument: the loss or a penalty doesn't fit the numbers.
    """
    asked = read_loss_evaluation(payload)
    y_true, y_pred = _tensors(asked.y_true), _tensors(asked.y_pred)
    outputs = {output: output for output in y_pred}
    terms = unique_names(
        [
            *build_loss_terms(asked.loss, list(outputs)),
            *build_penalty_terms(asked.penalties, Graph(nodes=(), inputs={}, outputs=outputs)),
        ]
    )
    with tf.GradientTape() as tape:
        tape.watch(y_pred)
        batch = Batch(y_true, y_pred, {}, {}, None, {}, seed=tf.zeros(2, tf.int32))
        parts = {term.name: term.strength * term.value(batch) for term in terms}
        total = tf.add_n(list(parts.values()))
    gradients = tape.gradient(total, y_pred, unconnected_gradients=tf.UnconnectedGradients.ZERO)
    return {
        "value": _finite(float(total)),
        "terms": {name: _finite(float(part)) for name, part in parts.items()},
        "gradient": _in_shape_of(asked.y_pred, {name: g.numpy() for name, g in gradients.items()}),
    }


def _tensors(arrays: Any) -> dict[str, tf.Tensor]:
    return {name: tf.constant(array, tf.float32) for name, array in by_output(arrays).items()}


def _in_shape_of(arrays: Any, gradients: dict[str, NDArray[np.float32]]) -> Any:
    """The gradients as nested lists, named and nested as the client's own arrays."""
    if isinstance(arrays, dict):
        return {
            name: _finite(gradients[name].reshape(array.shape).tolist()) for name, array in arrays.items()
        }
    (gradient,) = gradients.values()
    return _finite(gradient.reshape(arrays.shape).tolist())


def _finite(values: Any) -> Any:
    """A number or nested lists, with None for what isn't finite."""
    if isinstance(values, list):
        return [_finite(value) for value in values]
    return values if math.isfinite(values) else None
