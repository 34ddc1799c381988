"""Whether predicted probabilities are as often right as they say."""

from typing import Any

import numpy as np

from app.statistics.classification import class_numbers
from app.statistics.figures import Array, all_finite

BINS = 10

_SUM_TOLERANCE = 1e-3
"""How far the probabilities of all classes may add up to something else than 1."""


def calibration(y_true: Array, predictions: Array, *, multi_label: bool = False) -> dict[str, Any] | None:
    """The reliability of probabilities, by bins of their range, and the expected calibration error.

    Of each prediction there is a probability p and whether it came true, t ∈ {0, 1}:

    - Two classes, and `multi_label`: p is that of yes, t whether it is yes; every label counts.
    - Several classes: p is that of the most probable class, t whether this is the right one.

    With B₁ … B₁₀ the predictions whose p lies in (0, 0.1], (0.1, 0.2], …, the first with 0, n in all:

        expected_calibration_error = Σₖ |Bₖ|/n · |mean of t in Bₖ − mean of p in Bₖ|

    Args:
        y_true: as `classification` has it.
        predictions: likewise.
        multi_label: likewise.

    Returns:
        `bins`, of those with a prediction `from`, `to`, `count`, `mean_predicted` and `fraction_true`; and
        `expected_calibration_error`. None where the predictions aren't probabilities, or there are none.

    Source: Guo, Pleiss, Sun, Weinberger, "On Calibration of Modern Neural Networks", ICML 2017, §2.
    """
    if predictions.size == 0 or not (all_finite(predictions) and all_finite(y_true)):
        return None
    if predictions.min() < 0 or predictions.max() > 1:
        return None
    if multi_label or predictions.ndim == 1 or predictions.shape[-1] == 1:
        p, came_true = predictions.ravel(), y_true.ravel() > 0.5
    else:
        scores = predictions.reshape(-1, predictions.shape[-1])  # (samples, classes)
        if np.abs(scores.sum(axis=1) - 1).max() > _SUM_TOLERANCE:
            return None
        p, came_true = scores.max(axis=1), scores.argmax(axis=1) == class_numbers(y_true, scores)
    return _reliability(p.astype(np.float64), came_true)


def _reliability(p: Array, came_true: Array) -> dict[str, Any]:
    edges = np.linspace(0.0, 1.0, BINS + 1)
    places = np.searchsorted(edges[1:-1], p)
    counts = np.bincount(places, minlength=BINS)
    filled = np.flatnonzero(counts)
    predicted = np.bincount(places, p, BINS)[filled] / counts[filled]
    observed = np.bincount(places, came_true, BINS)[filled] / counts[filled]
    error = (counts[filled] * np.abs(observed - predicted)).sum() / p.size
    bins = [
        {
            "from": float(edges[place]),
            "to": float(edges[place + 1]),
            "count": int(counts[place]),
            "mean_predicted": float(mean),
            "fraction_true": float(share),
        }
        for place, mean, share in zip(filled, predicted, observed, strict=True)
    ]
    return {"expected_calibration_error": float(error), "bins": bins}
