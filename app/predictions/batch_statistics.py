"""The statistics of a batch: of all at once, or gathered from parts of it."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from app.artifacts import Signature
from app.predictions.limits import limit_held, limited_values, limits_held
from app.predictions.sessions import Array
from app.statistics import counts_above, elements_above, figures_of_counts, samples_by_count


def batch_statistics(
    outputs: Mapping[str, Array], signature: Signature, thresholds: Sequence[float], with_counts: bool = False
) -> dict[str, Any]:
    """`elements_above` for each threshold, and, where the run declares limits, `constraints`.

    Args:
        outputs: predictions by output name, each (n, …).
        signature: of the model.
        thresholds: for the elements above.
        with_counts: whether the count of each sample is told, too.
    """
    several = len(outputs) > 1
    above = []
    for name, predictions in outputs.items():
        for threshold in thresholds:
            figures = elements_above(predictions, threshold)
            if several:
                figures = {"output": name, **figures}
            if with_counts:
                figures["counts"] = counts_above(predictions, threshold)
            above.append(figures)
    if not signature.limits:
        return {"elements_above": above}
    return {"elements_above": above, "constraints": limits_held(signature.limits, outputs)}


class GatheredStatistics:
    """The same of a batch that is never there as a whole: of each sample it keeps a number for each limit.

    Args:
        signature: of the model.
        thresholds: for the elements above.
    """

    def __init__(self, signature: Signature, thresholds: Sequence[float]) -> None:
        self._limits = signature.limits
        self._thresholds = thresholds
        self._samples: dict[tuple[str, int], Array] = {}  # by output and place of the threshold
        self._widths: dict[str, int] = {}
        self._values: list[list[Array]] = [[] for _ in self._limits]

    def add(self, outputs: Mapping[str, Array]) -> None:
        """Takes in some more predictions, by output name, each (n, …), n ≥ 1."""
        for name, predictions in outputs.items():
            self._widths[name] = predictions.size // len(predictions)
            for place, threshold in enumerate(self._thresholds):
                found = samples_by_count(predictions, threshold)
                known = self._samples.get((name, place))
                self._samples[name, place] = found if known is None else _sum(known, found)
        for limit, values in zip(self._limits, self._values, strict=True):
            more = limited_values(limit, outputs)
            if more is not None:
                values.append(more)

    def result(self) -> dict[str, Any]:
        """What `batch_statistics` would say of all predictions."""
        several = len(self._widths) > 1
        above = [
            ({"output": name} if several else {})
            | figures_of_counts(self._thresholds[place], samples, self._widths[name])
            for (name, place), samples in self._samples.items()
        ]
        if not self._limits:
            return {"elements_above": above}
        held = [
            limit_held(limit, np.concatenate(values) if values else None)
            for limit, values in zip(self._limits, self._values, strict=True)
        ]
        return {"elements_above": above, "constraints": held}


def _sum(one: Array, other: Array) -> Array:
    """The sum of two arrays, the shorter one continued with zeros."""
    longer, shorter = (one, other) if len(one) >= len(other) else (other, one)
    total = longer.copy()
    total[: len(shorter)] += shorter
    return total
