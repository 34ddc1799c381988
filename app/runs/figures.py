"""The figures of one run, by name, from its history and its statistics."""

import math
from collections.abc import Iterator, Mapping
from typing import Any

from sqlalchemy.orm import Session

from app.runs.history import read_history
from app.runs.tables import RunRow

Figures = dict[str, float | None]


def figures_of(session: Session, run: RunRow) -> Figures:
    """The columns of the history at the served epoch, and all numbers of the statistics by their paths.

    A path has the names of the fields with `/` between them, `splits` left out; elements of lists are told by
    `threshold` or `name`: `validation/elements_above/0.5/per_sample/mean`.
    """
    statistics = run.statistics or {}
    served = statistics.get("epoch", run.epoch)
    history = read_history(session, run, max(0, served - 1))
    if not len(history.epochs):  # the served epoch and those after it weren't recorded
        history = read_history(session, run)
    figures: Figures = {}
    if len(history.epochs):
        row = history.values[0].tolist()
        figures |= {
            name: value if math.isfinite(value) else None
            for name, value in zip(history.columns, row, strict=True)
        }
    parts = {**statistics.get("splits", {}), "weight_sparsity": statistics.get("weight_sparsity", {})}
    return figures | dict(_numbers(parts, ""))


def _numbers(value: Any, path: str) -> Iterator[tuple[str, float | None]]:
    if isinstance(value, bool | str):
        return
    if value is None or isinstance(value, int | float):
        yield path, None if value is None else float(value)
    elif isinstance(value, Mapping):
        for name, part in value.items():
            if name not in ("histogram", "threshold", "name"):
                yield from _numbers(part, f"{path}/{name}" if path else name)
    elif isinstance(value, list):
        for part in value:
            label = _label(part)
            if label is not None:
                yield from _numbers(part, f"{path}/{label}")


def _label(part: Any) -> str | None:
    """What tells an element of a list from its neighbours."""
    if not isinstance(part, Mapping):
        return None
    named = [part[name] for name in ("output", "threshold", "name", "quantity") if name in part]
    return "/".join(f"{label:g}" if isinstance(label, float) else str(label) for label in named) or None
