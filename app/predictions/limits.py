"""Whether the declared limits of a run hold on a batch, counted from its predictions alone.

What the true values, groups or columns of the data are needed for can't be counted here; nor can what is
measured on weights or on other layers.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from app.artifacts import LimitSignature
from app.predictions.sessions import Array
from app.spec import quantities
from app.spec.constraints import Quantity
from app.spec.quantities import Norm
from app.spec.rates import Rate
from app.spec.thresholds import MeanPlusStdThreshold, QuantileThreshold, Threshold
from app.statistics.figures import flat_samples
from app.statistics.limits import measurement

PROBABILITY_FLOOR = 1e-7
"""Least probability in an entropy, as in training."""


def limits_held(limits: Sequence[LimitSignature], outputs: Mapping[str, Array]) -> list[dict[str, Any]]:
    """Where each limit stands on a batch.

    Args:
        limits: that the run declares.
        outputs: predictions by output name, each (n, …).

    Returns:
        For each limit `name` and `quantity`, and where it can be counted `value`, `limit`, `satisfied`,
        `slack` and `share_of_samples_satisfied`, as a verdict has them; else `satisfied` is None.
    """
    return [limit_held(limit, limited_values(limit, outputs)) for limit in limits]


def limited_values(limit: LimitSignature, outputs: Mapping[str, Array]) -> Array | None:
    """What a limit is of, for each sample, float64 (n,); None where the predictions don't tell it."""
    if limit.of is None:
        return None
    return quantity_values(limit.constraint.quantity, outputs[limit.of].astype(np.float64))


def limit_held(limit: LimitSignature, values: Array | None) -> dict[str, Any]:
    """Where a limit stands, given what `limited_values` gave for all samples."""
    content: dict[str, Any] = {"name": limit.name, "quantity": limit.constraint.quantity.type}
    if values is None:
        return content | {"satisfied": None}
    return content | dict(
        measurement(limit.constraint, values.mean() if limit.constraint.one_in_all else values)
    )


def quantity_values(quantity: Quantity, predictions: Array) -> Array | None:
    """The quantity of each sample (n,), of which a rate is the mean; None if it can't be told.

    Args:
        quantity: as `app.spec.quantities` defines it.
        predictions: float64 (n, …), as the model put them out.
    """
    values = _values(quantity, predictions, flat_samples(predictions))
    return None if values is None else np.asarray(values, np.float64)


def _values(quantity: Quantity, predictions: Array, rows: Array) -> Any:
    match quantity:
        case quantities.ElementsAbove(threshold=threshold):
            limit = _threshold(threshold, rows)
            return None if limit is None else np.count_nonzero(rows > limit, axis=1)
        case quantities.ExcessAbove(threshold=threshold, norm=norm):
            return _distance(rows, _threshold(threshold, rows), norm)
        case quantities.ShortfallBelow(threshold=threshold, norm=norm):
            limit = _threshold(threshold, rows)
            return None if limit is None else _distance(-rows, -limit, norm)
        case quantities.Bounds(lower=lower, upper=upper, norm=norm):
            return _outside(rows, lower, upper, norm)
        case quantities.Linear(coefficients=coefficients):
            return rows @ np.asarray(coefficients, np.float64)
        case quantities.SumTo(value=value, norm=norm):
            return _power(np.abs(rows.sum(axis=1) - value), norm)
        case quantities.NormOf(norm=norm):
            return _power(np.abs(rows), norm).sum(axis=1)
        case quantities.TotalVariation():
            axes = range(1, max(predictions.ndim - 1, 2))
            steps = [flat_samples(np.abs(np.diff(predictions, axis=axis))).sum(axis=1) for axis in axes]
            return np.sum(steps, axis=0)
        case quantities.Entropy():
            return -(rows * np.log(np.clip(rows, PROBABILITY_FLOOR, 1.0))).sum(axis=1)
        case quantities.Orthogonality():
            vectors = predictions.reshape(len(predictions), -1, predictions.shape[-1])
            deviation = vectors @ vectors.swapaxes(1, 2) - np.eye(vectors.shape[1])
            return np.square(deviation).sum(axis=(1, 2))
        case Rate(type="positive_rate", groups=[]):
            return flat_samples(_decisions(quantity, predictions)).mean(axis=1)
        case _:
            return None


def _threshold(threshold: Threshold, rows: Array) -> Array | None:
    """τ for each element, to be compared with rows (n, d); None for a column of the data."""
    match threshold:
        case QuantileThreshold(quantile=q):
            quantiles: Array = np.quantile(rows, q, axis=1, keepdims=True)
            return quantiles
        case MeanPlusStdThreshold(mean_plus_std=k):
            above_mean: Array = rows.mean(axis=1, keepdims=True) + k * rows.std(axis=1, keepdims=True)
            return above_mean
        case float() | list():
            # In float32 first, like predictions: 0.1 isn't above 0.1, whatever the precision of both.
            return np.asarray(threshold, np.float32).astype(np.float64)
        case _:
            return None


def _distance(rows: Array, limit: Array | None, norm: Norm) -> Array | None:
    if limit is None:
        return None
    total: Array = _power(np.maximum(rows - limit, 0.0), norm).sum(axis=1)
    return total


def _outside(rows: Array, lower: Threshold | None, upper: Threshold | None, norm: Norm) -> Array | None:
    total: Array = np.zeros(len(rows))
    for sign, bound in ((-1.0, lower), (1.0, upper)):
        if bound is None:
            continue
        limit = _threshold(bound, rows)
        if limit is None:
            return None
        total += _power(np.maximum(sign * (rows - limit), 0.0), norm).sum(axis=1)
    return total


def _power(distance: Array, norm: Norm) -> Array:
    powers: Array = np.square(distance) if norm == "l2" else distance
    return powers


def _decisions(rate: Rate, predictions: Array) -> Array:
    """Whether each decision is positive."""
    if rate.class_index is not None:
        chosen: Array = predictions.argmax(axis=-1) == rate.class_index
        return chosen
    above: Array = predictions > np.float64(np.float32(rate.threshold))
    return above
