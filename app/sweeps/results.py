"""What the runs of a sweep say together: means and intervals, the best setting, trade-offs, comparisons."""

import csv
import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from app.runs.figures import Figures
from app.spec.pointers import received
from app.sweeps.documents import Limit, Objective, SweepSpec
from app.sweeps.settings import Setting

CONFIDENCE = 0.95


@dataclass(frozen=True)
class Outcome:
    """One run of a sweep that succeeded.

    Attributes:
        run_id: the run.
        setting: the number of its setting.
        rung: the round of successive halving.
        repeat: which seed.
        fold: which fold; None without folds.
        figures: by name.
    """

    run_id: str
    setting: int
    rung: int
    repeat: int
    fold: int | None
    figures: Figures


def summary(values: Sequence[float]) -> dict[str, Any]:
    """Mean, standard deviation (÷ n − 1), Student's 95 % interval of the mean, and count.

    With one value there is no deviation and no interval.
    """
    from scipy.special import stdtrit  # here, so that the API starts without it

    count = len(values)
    mean = math.fsum(values) / count
    if count == 1:
        return {"mean": mean, "std": None, "ci95": None, "n": 1}
    deviation = float(np.std(values, ddof=1))
    width = float(stdtrit(count - 1, 0.5 + CONFIDENCE / 2)) * deviation / math.sqrt(count)
    return {"mean": mean, "std": deviation, "ci95": [mean - width, mean + width], "n": count}


def table(settings: Mapping[int, Setting], outcomes: Sequence[Outcome]) -> list[dict[str, Any]]:
    """A row for each setting, with a summary of each figure over the runs of its last round."""
    by_setting: dict[int, list[Outcome]] = {number: [] for number in settings}
    for outcome in outcomes:
        by_setting[outcome.setting].append(outcome)
    return [
        {"setting": number, "parameters": settings[number], **_row(of_setting)}
        for number, of_setting in by_setting.items()
    ]


def _row(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    rung = max((outcome.rung for outcome in outcomes), default=0)
    last = [outcome for outcome in outcomes if outcome.rung == rung]
    names = dict.fromkeys(name for outcome in last for name in outcome.figures)
    metrics = {}
    for name in names:
        values = [value for outcome in last if (value := outcome.figures.get(name)) is not None]
        if values:
            metrics[name] = summary(values)
    return {"rung": rung, "run_ids": [outcome.run_id for outcome in last], "metrics": metrics}


def mean_of(row: Mapping[str, Any], metric: str) -> float | None:
    """The mean of a figure in a row of the table; None where no run has it."""
    found = row["metrics"].get(metric)
    return None if found is None else found["mean"]


def excess(row: Mapping[str, Any], limit: Limit) -> float:
    """By how much a row breaks a limit: above 0 where it does, infinite where it can't be told."""
    mean = mean_of(row, limit.metric)
    if mean is None:
        return math.inf
    return mean - limit.at_most if limit.at_most is not None else (limit.at_least or 0.0) - mean


def cost(row: Mapping[str, Any], objective: Objective) -> float:
    """What is to be small: the mean or its negative; infinite where there is none."""
    mean = mean_of(row, objective.metric)
    if mean is None:
        return math.inf
    return mean if objective.goal == "minimize" else -mean


def ranked(sweep: SweepSpec, rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows from the best on: those of the last round first, those that hold the limits before others."""
    if not sweep.objectives:
        return []

    def key(row: dict[str, Any]) -> tuple[float, ...]:
        broken = sum(max(0.0, excess(row, limit)) for limit in sweep.limits)
        return (-row["rung"], broken, cost(row, sweep.objectives[0]), row["setting"])

    return sorted((row for row in rows if math.isfinite(cost(row, sweep.objectives[0]))), key=key)


def holds_limits(sweep: SweepSpec, row: Mapping[str, Any]) -> bool:
    """Whether the means of a row hold all limits."""
    return all(excess(row, limit) <= 0 for limit in sweep.limits)


def front(sweep: SweepSpec, rows: Sequence[dict[str, Any]]) -> list[int]:
    """The settings that hold the limits, and of which no other is as good in all and better in one."""
    points = {
        row["setting"]: [cost(row, objective) for objective in sweep.objectives]
        for row in rows
        if holds_limits(sweep, row)
    }
    points = {number: costs for number, costs in points.items() if all(map(math.isfinite, costs))}
    return [number for number, costs in points.items() if not _beaten(costs, points.values())]


def _beaten(costs: Sequence[float], others: Any) -> bool:
    return any(
        all(b <= a for a, b in zip(costs, other, strict=True)) and list(other) != list(costs)
        for other in others
    )


def tradeoff(rows: Sequence[dict[str, Any]], x: Objective, y: Objective) -> list[dict[str, Any]]:
    """Each setting's means of two figures, by the first; `on_front` where no other beats it in both."""
    points = [
        {
            "setting": row["setting"],
            "parameters": row["parameters"],
            "x": mean_of(row, x.metric),
            "y": mean_of(row, y.metric),
        }
        for row in rows
    ]
    known = [point for point in points if point["x"] is not None and point["y"] is not None]
    signs = [1 if objective.goal == "minimize" else -1 for objective in (x, y)]
    costs = [[signs[0] * point["x"], signs[1] * point["y"]] for point in known]
    for point, own in zip(known, costs, strict=True):
        point["on_front"] = not _beaten(own, costs)
    return sorted(known, key=lambda point: point["x"])


def compare(outcomes: Sequence[Outcome], a: int, b: int, metric: str) -> dict[str, Any]:
    """Two settings over the same seeds and folds: differences b − a, and how likely they come by chance.

    Returns:
        `pairs`, one for each seed and fold that both have; `difference`, their summary; `t_test` and
        `wilcoxon`, each `statistic` and two-sided `p_value`, None with fewer than two pairs or without any
        difference; the t-test's also where all differences are the same.
    """
    values: dict[tuple[int, int | None], dict[int, float]] = {}
    for outcome in outcomes:
        value = outcome.figures.get(metric)
        if outcome.setting in (a, b) and value is not None:
            values.setdefault((outcome.repeat, outcome.fold), {})[outcome.setting] = value
    pairs: list[dict[str, Any]] = [
        {"repeat": repeat, "fold": fold, "a": both[a], "b": both[b], "difference": both[b] - both[a]}
        for (repeat, fold), both in sorted(values.items(), key=lambda item: (item[0][0], item[0][1] or 0))
        if len(both) == 2
    ]
    differences = [float(pair["difference"]) for pair in pairs]
    tests = _tests(differences) if len(pairs) > 1 and any(differences) else {"t_test": None, "wilcoxon": None}
    return {
        "metric": metric,
        "a": a,
        "b": b,
        "pairs": pairs,
        "difference": summary(differences) if pairs else None,
        **tests,
    }


def _tests(differences: Sequence[float]) -> dict[str, Any]:
    from scipy import stats  # takes a second, and is seldom needed

    def told(test: Any) -> dict[str, float]:
        return {"statistic": float(test.statistic), "p_value": float(test.pvalue)}

    # Without any deviation the t-test's statistic is infinite.
    t_test = told(stats.ttest_1samp(differences, 0.0)) if np.ptp(differences) else None
    return {"t_test": t_test, "wilcoxon": told(stats.wilcoxon(differences))}


def table_csv(rows: Sequence[dict[str, Any]]) -> str:
    """The table as CSV: the parameters, then mean, deviation, interval and count of each figure."""
    parameters = list(dict.fromkeys(name for row in rows for name in row["parameters"]))
    metrics = list(dict.fromkeys(name for row in rows for name in row["metrics"]))
    parts = ("mean", "std", "ci95_low", "ci95_high", "n")
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(
        ["setting", "rung", *parameters, *(f"{name} {part}" for name in metrics for part in parts)]
    )
    for row in rows:
        cells: list[Any] = [
            row["setting"],
            row["rung"],
            *(_cell(row["parameters"].get(name)) for name in parameters),
        ]
        for name in metrics:
            found = row["metrics"].get(name)
            low, high = (found["ci95"] or (None, None)) if found else (None, None)
            cells += [found["mean"], found["std"], low, high, found["n"]] if found else [None] * 5
        writer.writerow(cells)
    return text.getvalue()


def _cell(value: Any) -> Any:
    return value if isinstance(value, int | float | str) else received(value)
