"""How many elements of the predictions lie above a threshold, in all and in each sample."""

import math
from bisect import bisect_right
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import numpy as np

from app.statistics.figures import Array, flat_samples

_FIGURES = ("mean", "std", "min", "median", "p95", "max")
_LARGEST_FLOAT32 = float(np.finfo(np.float32).max)


def elements_above(predictions: Array, threshold: float) -> dict[str, Any]:
    """Counts the elements that are strictly greater than the threshold.

    With ŷᵢⱼ element j of sample i, τ the threshold and [·] 1 where true:

        cᵢ = Σⱼ [ŷᵢⱼ > τ],   total = Σᵢ cᵢ,   fraction = total / (n·d)

    The comparison is made in the predictions' own precision: the float32 nearest to 0.1 isn't above
    0.1. NaN is above nothing.

    Args:
        predictions: numbers, shape (n, …); n samples of d elements each.
        threshold: τ, any finite number.

    Returns:
        `threshold`, `total`, `fraction`, `per_sample` (`mean`, `std` with divisor n, `min`, `median`,
        `p95`, `max` of the cᵢ; percentiles interpolate linearly between ranks) and `histogram`: how
        many samples have a count, by the count as text, without empty entries. Without samples all
        figures but `total` are None.

    Example:
        >>> elements_above(np.array([[0.9, 0.1], [0.8, 0.7]]), 0.5)["histogram"]
        {'1': 1, '2': 1}
    """
    n, size = len(predictions), predictions.size
    if n == 1:  # what most requests come to: as few steps as can be
        if size == 1:
            total = int(predictions.item() > _rounded(threshold, predictions.dtype))
        else:
            total = int(np.count_nonzero(predictions > _representable(threshold)))
        return _report(threshold, total, size, _figures_of_one(total), {str(total): 1})
    return figures_of_counts(threshold, samples_by_count(predictions, threshold), size // n if n else 0)


def samples_by_count(predictions: Array, threshold: float) -> Array:
    """How many samples have no, one, two, … elements above the threshold, integers; may be added up.

    Args:
        predictions: numbers, shape (n, …).
        threshold: any finite number, compared as `elements_above` does.
    """
    n, limit = len(predictions), _representable(threshold)
    if predictions.size == n:  # one element a sample: the counts are 0 and 1
        above = int(np.count_nonzero(predictions > limit))
        return np.array([n - above, above])
    return np.bincount(np.count_nonzero(flat_samples(predictions > limit), axis=1))


def figures_of_counts(threshold: float, samples: Array, width: int) -> dict[str, Any]:
    """What `elements_above` returns.

    Args:
        threshold: what was counted above.
        samples: as `samples_by_count` gives it.
        width: elements of a sample.
    """
    occurring = np.flatnonzero(samples)
    counts, weights = occurring.tolist(), samples[occurring].tolist()
    n, total = sum(weights), sum(map(int.__mul__, counts, weights))
    per_sample = _figures(counts, weights, n, total) if n else dict.fromkeys(_FIGURES)
    histogram = {str(count): weight for count, weight in zip(counts, weights, strict=True)}
    return _report(threshold, total, n * width, per_sample, histogram)


def counts_above(predictions: Array, threshold: float) -> Array:
    """How many elements of each sample are strictly greater than the threshold, integers (n,).

    Args:
        predictions: numbers, shape (n, …).
        threshold: any finite number, compared as `elements_above` does.
    """
    counts: Array = np.count_nonzero(flat_samples(predictions > _representable(threshold)), axis=1)
    return counts


def _report(
    threshold: float, total: int, size: int, per_sample: Mapping[str, Any], histogram: dict[str, int]
) -> dict[str, Any]:
    return {
        "threshold": threshold,
        "total": total,
        "fraction": total / size if size else None,
        "per_sample": per_sample,
        "histogram": histogram,
    }


def _representable(threshold: float) -> float:
    """The threshold within float32's range, beyond which a comparison with float32 overflows."""
    if -_LARGEST_FLOAT32 <= threshold <= _LARGEST_FLOAT32:
        return threshold
    return math.copysign(_LARGEST_FLOAT32, threshold)


@lru_cache(1024)
def _rounded(threshold: float, dtype: np.dtype[Any]) -> float:
    """The threshold as a comparison in the predictions' precision takes it."""
    limit = _representable(threshold)
    return float(dtype.type(limit)) if dtype.kind == "f" else limit


def _figures_of_one(count: int) -> dict[str, float]:
    """The figures of a single count."""
    mean = float(count)
    return {"mean": mean, "std": 0.0, "min": count, "median": mean, "p95": mean, "max": count}


def _figures(counts: list[int], weights: list[int], n: int, total: int) -> dict[str, float]:
    """Mean, deviation and percentiles of n counts, given as ascending values and how often each occurs."""
    mean = total / n
    deviations = 0.0
    last_rank = 0
    last_ranks = []  # of each value, counted from 1
    for count, weight in zip(counts, weights, strict=True):
        deviations += weight * (count - mean) ** 2
        last_rank += weight
        last_ranks.append(last_rank)

    def percentile(fraction: float) -> float:
        rank = (n - 1) * fraction
        below = int(rank)
        lower = counts[bisect_right(last_ranks, below)]
        upper = counts[bisect_right(last_ranks, min(below + 1, n - 1))]
        return lower + (upper - lower) * (rank - below)

    return {
        "mean": mean,
        "std": math.sqrt(deviations / n),
        "min": counts[bisect_right(last_ranks, 0)],
        "median": percentile(0.5),
        "p95": percentile(0.95),
        "max": counts[bisect_right(last_ranks, n - 1)],
    }
