"""How sparse the activations of a layer are."""

import math

import numpy as np

from app.statistics.figures import Array, all_finite, finite, flat_samples, ratio

_FIGURES = (
    "zero_fraction",
    "near_zero_fraction",
    "mean_activation",
    "mean_absolute_activation",
    "dead_units",
    "hoyer",
)


def activation_sparsity(activations: Array, near_zero: float) -> dict[str, float | None]:
    """Figures of one layer's activations a, with m elements a sample.

        zero_fraction            = share of elements with a = 0 exactly
        near_zero_fraction       = share of elements with |a| ≤ near_zero
        mean_activation          = mean of a
        mean_absolute_activation = mean of |a|
        dead_units               = elements of a sample that are 0 in every sample
        hoyer                    = mean over samples of (√m − ‖a‖₁/‖a‖₂) / (√m − 1)

    Hoyer's measure is 0 where all elements are equally large, 1 where a single one isn't zero. Samples
    without a non-zero element have none, and are left out of its mean.

    Args:
        activations: shape (n, …), what the layer puts out for n samples.
        near_zero: largest absolute value that counts as nearly zero, ≥ 0.

    Returns:
        Each figure by name. All are None if there is no element or one that isn't finite; `hoyer` also
        where m = 1 or every sample is zero.

    Source: Hoyer, "Non-negative Matrix Factorization with Sparseness Constraints", JMLR 5 (2004), §3.1.
    """
    if activations.size == 0 or not all_finite(activations):
        return dict.fromkeys(_FIGURES)
    a = flat_samples(activations)
    magnitude = np.abs(a)
    zeros = a.size - int(np.count_nonzero(a))
    return {
        "zero_fraction": ratio(zeros, a.size),
        "near_zero_fraction": ratio(int(np.count_nonzero(magnitude <= near_zero)), a.size),
        "mean_activation": finite(a.mean(dtype=np.float64)),
        "mean_absolute_activation": finite(magnitude.mean(dtype=np.float64)),
        "dead_units": int(np.count_nonzero(~a.any(axis=0))),
        "hoyer": _mean_hoyer(magnitude),
    }


def _mean_hoyer(magnitude: Array) -> float | None:
    """Hoyer's measure of each row, (n, m), averaged over the rows with a non-zero element."""
    m = magnitude.shape[1]
    if m < 2:
        return None
    largest = magnitude.max(axis=1)
    rows = magnitude[largest > 0] / largest[largest > 0, np.newaxis]  # so that no square underflows
    if not len(rows):
        return None
    l1 = rows.sum(axis=1, dtype=np.float64)
    l2 = np.sqrt(np.einsum("ij,ij->i", rows, rows, dtype=np.float64))
    return finite(((math.sqrt(m) - l1 / l2) / (math.sqrt(m) - 1)).mean())
