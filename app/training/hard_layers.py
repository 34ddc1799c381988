"""Hard layers as small functional models of Keras's own operations: saved models open without Kerb."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np

from app.spec.layers.base import Shape
from app.spec.layers.hard import Bounded, Simplex, TopK

HardLayer = Bounded | Simplex | TopK

ops = keras.ops


def apply_hard_layer(
    layer: HardLayer, name: str, shape: Shape, tensor: Any, activity_regularizer: Any = None
) -> Any:
    """The output of a hard layer.

    Args:
        layer: its part of the document.
        name: of its node; the layer that gives the output has it.
        shape: of one sample.
        tensor: the symbolic input, `(batch_size, …)`.
        activity_regularizer: Keras's, for the output.
    """
    entry = keras.Input(shape=shape, name="x")
    # In a model of their own the operations' names can't be those of other layers; nor can its name,
    # as the names of a document's layers have no dot.
    function = keras.Model(entry, _limited(layer)(entry), name=f"{name}.function")
    return keras.layers.Identity(name=name, activity_regularizer=activity_regularizer)(function(tensor))


def _limited(layer: HardLayer) -> Callable[[Any], Any]:
    if isinstance(layer, Bounded):
        return lambda x: bounded(x, layer.lower, layer.upper)
    if isinstance(layer, TopK):
        return lambda x: top_k(x, layer.k, layer.threshold)
    return simplex


def bounded(x: Any, lower: float, upper: float) -> Any:
    """`lower + (upper − lower) · sigmoid(x)`, clipped to [lower, upper].

    The sigmoid has a gradient everywhere; the clip takes off what rounding adds, and its limits are the
    float32 numbers next to the declared ones on the inside, so that not even the last digit is outside.

    Args:
        x: float32, any shape.
        lower: the least output.
        upper: the greatest output.
    """
    return ops.clip(lower + (upper - lower) * ops.sigmoid(x), inside(lower, upper), inside(upper, lower))


def inside(limit: float, other: float) -> float:
    """The float32 number nearest to `limit` that doesn't lie beyond it, seen from `other`."""
    rounded = np.float32(limit)
    # As a Python number, because NumPy would round the other side of the comparison too.
    beyond = float(rounded) < limit if limit < other else float(rounded) > limit
    return float(np.nextafter(rounded, np.float32(other)) if beyond else rounded)


def simplex(x: Any) -> Any:
    """The Euclidean projection of the last axis onto the simplex: nothing negative, the sum one.

    `max(x − θ, 0)` with `θ = maxⱼ (Σᵢ≤ⱼ uᵢ − 1) / j`, where u is x sorted downwards. (Held, Wolfe and
    Crowder 1974; the maximum is reached at the number of elements that stay positive, which is where the
    usual algorithm takes it.) Its gradient is the projection's own.

    Args:
        x: float32, `(…, elements)`.
    """
    x = x - ops.max(x, axis=-1, keepdims=True)  # the projection is the same, and sums are exact near zero
    values, _ = ops.top_k(x, x.shape[-1])
    counts = ops.cumsum(ops.ones_like(values), axis=-1)  # 1, 2, 3, …
    threshold = ops.max((ops.cumsum(values, axis=-1) - 1.0) / counts, axis=-1, keepdims=True)
    return ops.relu(x - threshold)


def top_k(x: Any, k: int, threshold: float) -> Any:
    """Each sample's `k` largest elements as they are, the others clipped to at most the threshold.

    Of equal elements the first stay, so that never more than `k` are above. The gradient is 1 for what
    stays and for what lies under the threshold, 0 for what was clipped.

    Args:
        x: float32, `(batch_size, …)`; all elements of a sample count together.
        k: how many may be above the threshold.
        threshold: the limit for all others.
    """
    flat = ops.reshape(x, (-1, int(np.prod(x.shape[1:]))))  # (batch_size, elements)
    largest, _ = ops.top_k(flat, k)
    smallest_kept = largest[:, -1:]
    above = ops.cast(flat > smallest_kept, "float32")
    equal = ops.cast(ops.equal(flat, smallest_kept), "float32")
    places_left = k - ops.sum(above, axis=-1, keepdims=True)
    kept = above + equal * ops.cast(ops.cumsum(equal, axis=-1) <= places_left, "float32")
    limited = ops.where(kept > 0.5, flat, ops.minimum(flat, inside(threshold, -np.inf)))
    return ops.reshape(limited, (-1, *x.shape[1:]))
