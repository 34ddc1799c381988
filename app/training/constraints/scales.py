"""The scale on which an output is compared with a threshold.

The gradient of a sigmoid's output vanishes where it is near 0 or 1, just where a decision that must change
is furthest from it. On the scale of the logits it doesn't.
"""

from dataclasses import dataclass

import tensorflow as tf

from app.spec.graph import Graph
from app.spec.layers.activation import Softmax
from app.spec.quantities import WeightsOf

EDGE = 1e-6
"""Probabilities nearer to 0 or 1 are taken for that near."""

LARGEST_LOGIT = 13.8
"""Logits are cut off there, just inside those of the edges: nothing lies beyond a threshold of 0 or 1."""


@dataclass(frozen=True)
class Scale:
    """Logits for probabilities, anything else as it is.

    Attributes:
        activation: `sigmoid` or `softmax`, whose values lie in [0, 1] and are compared as `ln(p / (1 − p))`;
            None for any other.
    """

    activation: str | None = None

    def apply(self, values: tf.Tensor) -> tf.Tensor:
        """The values on this scale; a monotone function of each."""
        if self.activation is None:
            return values
        # Keras leaves with a sigmoid's output what went in, for its crossentropies.
        logits = getattr(values, "_keras_logits", None)
        if self.activation != "sigmoid" or logits is None:
            clipped = tf.clip_by_value(values, EDGE, 1 - EDGE)
            logits = tf.math.log(clipped) - tf.math.log1p(-clipped)
        return tf.clip_by_value(logits, -LARGEST_LOGIT, LARGEST_LOGIT)


def scale_of(of: str | WeightsOf, graph: Graph) -> Scale:
    """The scale for what is measured: logits for outputs of a sigmoid or softmax."""
    if isinstance(of, WeightsOf):
        return Scale()
    name = graph.outputs.get(of, of)
    (node,) = (node for node in graph.nodes if node.name == name)
    activation = getattr(node.layer, "activation", None)
    if activation in ("sigmoid", "softmax"):
        return Scale(activation)
    return Scale("softmax" if isinstance(node.layer, Softmax) else None)
