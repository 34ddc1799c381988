"""How sparse the activations of a layer are."""

import math

import numpy as np

from app.statistics.figures import Array, all_finite, flat_samples, ratio

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
    sparsity = GatheredSparsity(near_zero)
    sparsity.add(activations)
    return sparsity.figures()


class GatheredSparsity:
    """The same of activations that are never there as a whole; of the samples it keeps sums alone.

    Args:
        near_zero: as above.
    """

    def __init__(self, near_zero: float) -> None:
        self._near_zero = near_zero
        self._elements = self._zeros = self._near = self._with_hoyer = 0
        self._sum = self._sum_of_magnitudes = self._sum_of_hoyers = 0.0
        self._defined = True
        self._alive: Array | None = None  # (m,), which elements aren't zero in every sample

    def add(self, activations: Array) -> None:
        """Takes in those of some more samples, (n, …)."""
        if activations.size == 0:
            return
        if not all_finite(activations):
            self._defined = False
            return
        a = flat_samples(activations)
        magnitude = np.abs(a)
        self._elements += a.size
        self._zeros += a.size - int(np.count_nonzero(a))
        self._near += int(np.count_nonzero(magnitude <= self._near_zero))
        self._sum += float(a.sum(dtype=np.float64))
        self._sum_of_magnitudes += float(magnitude.sum(dtype=np.float64))
        alive: Array = np.any(a, axis=0)
        self._alive = alive if self._alive is None else self._alive | alive
        hoyers = _hoyers(magnitude)
        self._with_hoyer += len(hoyers)
        self._sum_of_hoyers += float(hoyers.sum())

    def figures(self) -> dict[str, float | None]:
        """What `activation_sparsity` would say of all of them."""
        if self._alive is None or not self._defined:
            return dict.fromkeys(_FIGURES)
        return {
            "zero_fraction": ratio(self._zeros, self._elements),
            "near_zero_fraction": ratio(self._near, self._elements),
            "mean_activation": ratio(self._sum, self._elements),
            "mean_absolute_activation": ratio(self._sum_of_magnitudes, self._elements),
            "dead_units": int(np.count_nonzero(~self._alive)),
            "hoyer": ratio(self._sum_of_hoyers, self._with_hoyer),
        }


def _hoyers(magnitude: Array) -> Array:
    """Hoyer's measure of each row of (n, m) that has a non-zero element; none if m < 2."""
    m = magnitude.shape[1]
    if m < 2:
        return np.zeros(0)
    largest = magnitude.max(axis=1)
    rows = magnitude[largest > 0] / largest[largest > 0, np.newaxis]  # so that no square underflows
    l1 = rows.sum(axis=1, dtype=np.float64)
    l2 = np.sqrt(np.einsum("ij,ij->i", rows, rows, dtype=np.float64))
    hoyers: Array = (math.sqrt(m) - l1 / l2) / (math.sqrt(m) - 1)
    return hoyers
