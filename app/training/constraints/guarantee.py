"""Exact projections of predictions onto a limit, as Keras operations that a saved model takes with it.

The projection is the nearest point, in Euclidean distance, at which the limit holds:

    count, at most k      the k largest elements as they are, the others at most τ
    bounds, excess,
    shortfall, at most 0  each element clipped
    sum_to, at most 0     the hyperplane: the same amount added to each element
    linear                the half-space or hyperplane: moved along the coefficients
"""

import math
from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np

from app.spec import quantities
from app.spec.constraints import Constraint
from app.training.constraints.limit import Limit
from app.training.hard_layers import top_k

ops = keras.ops

Project = Callable[[Any], Any]


def guaranteed_model(model: keras.Model, limits: Sequence[Limit]) -> keras.Model:
    """The model with projections onto limits behind its outputs.

    Args:
        model: the trained one; the result shares its weights.
        limits: those to hold; several of one output are projected onto one after the other.

    Returns:
        A model with the same inputs and names of outputs; the model itself without limits.
    """
    if not limits:
        return model
    named = isinstance(model.output, dict)
    outputs = dict(model.output) if named else {model.output_names[0]: model.output}
    for name, tensor in outputs.items():
        shape = tensor.shape[1:]
        entry = keras.Input(shape=shape, name="y")
        projected = entry
        for limit in limits:
            if limit.of == name:
                projected = _project(limit.constraint, projected)
        if projected is entry:
            continue
        function = keras.Model(entry, projected, name=f"{name}.projection")
        outputs[name] = keras.layers.Identity(name=f"{name}.projected")(function(tensor))
    return keras.Model(model.input, outputs, name=model.name)


def _project(constraint: Constraint, y: Any) -> Any:
    """The projection of predictions, `(batch_size, …)`."""
    quantity = constraint.quantity
    elements = int(np.prod(y.shape[1:]))
    flat = ops.reshape(y, (-1, elements))
    match quantity:
        case quantities.ElementsAbove(threshold=threshold):
            flat = most_above(flat, math.floor(constraint.limit), threshold)
        case quantities.Bounds(lower=lower, upper=upper):
            flat = clipped(flat, lower, upper)
        case quantities.ExcessAbove(threshold=threshold):
            flat = clipped(flat, None, threshold)
        case quantities.ShortfallBelow(threshold=threshold):
            flat = clipped(flat, threshold, None)
        case quantities.SumTo(value=value):
            flat = onto_budget(flat, [1.0] * elements, value, value)
        case quantities.Linear(coefficients=coefficients):
            low, high = constraint.allowed
            if constraint.equals is not None:
                low = high = constraint.limit
            flat = onto_budget(flat, coefficients, low, high)
    return ops.reshape(flat, (-1, *y.shape[1:]))


def most_above(y: Any, k: int, threshold: Any) -> Any:
    """The k elements that exceed their threshold by most as they are, the others at most τ.

    Args:
        y: `(batch_size, elements)`.
        k: how many may be above.
        threshold: a number, or a list of one an element.
    """
    limits = _rounded(_listed(threshold), -np.inf)
    capped = ops.minimum(y, limits)
    k = min(k, y.shape[-1])
    if k <= 0:
        return capped
    return ops.where(top_k(y - limits, k, 0.0) > 0, y, capped)


def clipped(y: Any, lower: Any, upper: Any) -> Any:
    """Each element of `(batch_size, elements)` between its bounds; None for no bound."""
    if lower is not None:
        y = ops.maximum(y, _rounded(_listed(lower), np.inf))
    if upper is not None:
        y = ops.minimum(y, _rounded(_listed(upper), -np.inf))
    return y


def onto_budget(y: Any, coefficients: Sequence[float], low: float, high: float) -> Any:
    """The nearest point at which `low ≤ Σⱼ coefficientsⱼ·yⱼ ≤ high`.

    One step leaves a rounding error of the order of that of the sum; two more take it down to the sum's last
    digits, and an inequality aims as much inside.

    Args:
        y: `(batch_size, elements)`.
        coefficients: one an element, not all 0.
        low: least value, perhaps −∞.
        high: largest value, perhaps ∞.
    """
    a = np.asarray(coefficients, np.float32)
    direction = (a / np.sum(np.square(a.astype(np.float64)))).astype(np.float32)
    inequality = low != high
    for _ in range(3):
        value = ops.sum(y * a, axis=-1, keepdims=True)
        inside = 1e-6 * ops.sum(ops.abs(y * a), axis=-1, keepdims=True) + 1e-9 if inequality else 0.0
        over = 0.0 * value
        if high < np.inf:
            over = over + ops.relu(value - (high - inside))
        if low > -np.inf:
            over = over - ops.relu((low + inside) - value)
        y = y - over * direction
    return y


def _listed(bound: Any) -> list[float]:
    return bound if isinstance(bound, list) else [bound]


def _rounded(limits: Sequence[float], inward: float) -> Any:
    """The limits in float32, those that rounding moved outwards one number further inward."""
    exact = np.asarray(limits, np.float64)
    rounded = exact.astype(np.float32)
    outside = rounded > exact if inward < 0 else rounded < exact
    return np.where(outside, np.nextafter(rounded, np.float32(inward)), rounded).astype(np.float32)
