"""Histograms of what is never there as a whole."""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from app.statistics.figures import Array


class Histogram(NamedTuple):
    """How the values other than zero are spread.

    Attributes:
        edges: of the bins, rising, one more than `shares`; empty if all values are zero.
        shares: of all values, zeros included, in each bin.
        zero_fraction: share of values that are 0 exactly; None without values.
    """

    edges: list[float]
    shares: list[float]
    zero_fraction: float | None


class Range:
    """The least and the largest finite value other than zero."""

    def __init__(self) -> None:
        self.low, self.high = np.inf, -np.inf

    def add(self, values: Array) -> None:
        """Takes in some more values."""
        counted = values[np.isfinite(values) & (values != 0)]
        if counted.size:
            self.low = min(self.low, float(counted.min()))
            self.high = max(self.high, float(counted.max()))


def histogram(parts: Iterable[Array], within: Range, bins: int) -> Histogram:
    """The histogram of values that come in parts.

    Args:
        parts: all of the values, of any shapes; those that aren't finite are in no bin.
        within: what `Range` found of them.
        bins: how many bins of the same width, ≥ 1.
    """
    empty = within.low > within.high
    edges = np.linspace(within.low, within.high, bins + 1) if not empty else np.zeros(0)
    if not empty and within.low == within.high:
        half = max(abs(within.low) / 20, 1e-9)
        edges = np.linspace(within.low - half, within.high + half, bins + 1)
    counts = np.zeros(max(len(edges) - 1, 0), np.int64)
    elements = zeros = 0
    for values in parts:
        elements += values.size
        zeros += values.size - int(np.count_nonzero(values))
        if len(counts):
            counts += np.histogram(values[np.isfinite(values) & (values != 0)].astype(np.float64), edges)[0]
    shares = counts / elements if elements else np.zeros(0)
    return Histogram(edges.tolist(), shares.tolist(), zeros / elements if elements else None)
