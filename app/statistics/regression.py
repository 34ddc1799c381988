"""How far predicted numbers lie from the true ones."""

import numpy as np

from app.statistics.figures import Array, all_finite, finite, mean_of_defined, ratio

_FIGURES = ("mean_squared_error", "mean_absolute_error", "root_mean_squared_error", "r2_score")


def regression(y_true: Array, predictions: Array) -> dict[str, float | None]:
    """Figures of the errors e = ŷ − y.

        mean_squared_error      = mean of e²
        mean_absolute_error     = mean of |e|
        root_mean_squared_error = √ mean of e²
        r2_score                = 1 − Σ e² / Σ (y − ȳ)²,  of each element, then the mean over elements

    An element of the target that is the same in all samples has no R², and is left out of its mean.

    Args:
        y_true: numbers, of the predictions' shape, or without or with an extra axis of length 1.
        predictions: numbers, shape (n, …).

    Returns:
        Each figure by name; None where undefined. All are None without samples, or with a number that
        isn't finite.

    Raises:
        ValueError: the sizes differ.
    """
    y = y_true.astype(np.float64).reshape(predictions.shape)
    if predictions.size == 0 or not (all_finite(y) and all_finite(predictions)):
        return dict.fromkeys(_FIGURES)
    error = predictions.astype(np.float64) - y
    squared = float(np.mean(error**2))
    return {
        "mean_squared_error": finite(squared),
        "mean_absolute_error": finite(np.abs(error).mean()),
        "root_mean_squared_error": finite(np.sqrt(squared)),
        "r2_score": _r2_score(y, error),
    }


def _r2_score(y: Array, error: Array) -> float | None:
    """The mean over elements of 1 − residual / total sum of squares; arrays of shape (n, …)."""
    residual = np.ravel((error**2).sum(axis=0))
    total = np.ravel(((y - y.mean(axis=0)) ** 2).sum(axis=0))
    varies = np.ravel((y != y[0]).any(axis=0))  # a total of rounding errors isn't a variance
    shares = [ratio(r, t) for r, t in zip(residual[varies].tolist(), total[varies].tolist(), strict=True)]
    return mean_of_defined([None if share is None else 1 - share for share in shares])
