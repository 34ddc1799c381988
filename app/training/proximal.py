"""The proximal step of an l1 regularizer, which makes weights exactly zero.

After each optimizer step every weight moves towards zero by `learning_rate · l1`, and stays at zero if it
would cross it. With plain SGD that is proximal gradient descent (ISTA), which converges to the minimum of
`loss + l1·Σ|w|`, zeros included. An optimizer that scales each weight's step, such as Adam, would need the
amount scaled likewise; there the step still gives true zeros, but at a somewhat other strength.

Source: Parikh, Boyd, "Proximal Algorithms", Foundations and Trends in Optimization 1 (2014), §4.2, §6.5.2.
"""

import keras
import tensorflow as tf

from app.spec.graph import Graph
from app.spec.regularizers import L1L2
from app.training.regularizers import regularizers_in, variable_paths


def proximal_thresholds(graph: Graph, model: keras.Model) -> dict[str, float]:
    """The l1 strength of each variable that has a proximal l1 regularizer, by its path."""
    return {
        path: found.regularizer.l1
        for found in regularizers_in(graph)
        if isinstance(found.regularizer, L1L2) and found.regularizer.proximal
        for path in variable_paths(found, model)
    }


def soft_threshold(weight: tf.Tensor, amount: tf.Tensor) -> tf.Tensor:
    """`sign(w)·max(|w| − amount, 0)`: the minimum of `½(v − w)² + amount·|v|`.

    Args:
        weight: float32, any shape.
        amount: learning rate times l1, float32 `()`, ≥ 0.
    """
    return weight - tf.clip_by_value(weight, -amount, amount)
