"""Which plots a sweep has, and of which figures. Knows no HTTP."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from app.errors import Conflict, InvalidDocument, NotFound
from app.plots.studies import settings_plot, tradeoff_plot
from app.spec.parsing import expected_one_of
from app.sweeps.documents import Goal, Limit, Objective, SweepSpec
from app.sweeps.results import tradeoff
from app.sweeps.tables import SweepRow

TITLES = {
    "settings": "A figure by setting, with its 95 % interval",
    "tradeoff": "One figure against another, and the settings that no other beats in both",
}
"""The plots by name."""


@dataclass(frozen=True)
class Wanted:
    """What a request says of a plot.

    Attributes:
        name: which.
        metric: of `settings`: the figure; None for the first objective's.
        x: of `tradeoff`: a figure; None, as `y` then, for those of the sweep's document.
        y: another.
        x_goal: which of its values are better; None for what the document says, else less.
        y_goal: likewise; None for what the document says, else more.
    """

    name: str
    metric: str | None = None
    x: str | None = None
    y: str | None = None
    x_goal: Goal | None = None
    y_goal: Goal | None = None


def sweep_plot(
    sweep: SweepRow, spec: SweepSpec, rows: Sequence[dict[str, Any]], wanted: Wanted
) -> dict[str, Any]:
    """A plot of a sweep, as far as it is.

    Args:
        sweep: of which.
        spec: its document.
        rows: its table.
        wanted: which plot.

    Raises:
        NotFound: there is no plot of that name.
        Conflict: no run of it has succeeded yet.
        InvalidDocument: no setting has such a figure, or it isn't said which.
    """
    if wanted.name not in TITLES:
        raise NotFound(expected_one_of("plots", list(TITLES), wanted.name))
    known = list(dict.fromkeys(name for row in rows for name in row["metrics"]))
    if not known:
        raise Conflict(f"Expected a sweep of which a run has succeeded; none of sweep {sweep.id} has yet.")
    title = sweep.name or sweep.id
    if wanted.name == "settings":
        objective = _objective(spec, wanted, known)
        limit = next((limit for limit in spec.limits if limit.metric == objective.metric), None)
        return settings_plot(
            title, [row for row in rows if objective.metric in row["metrics"]], objective, limit
        )
    x, y = _two(spec, wanted)
    for parameter, objective in (("x", x), ("y", y)):
        _check(parameter, objective.metric, known)
    points = tradeoff(rows, x, y)
    if not points:
        raise InvalidDocument.at(
            "", f"y: Expected a figure that a setting has beside {x.metric}; none has both."
        )
    return tradeoff_plot(title, points, x, y, spec.limits)


def _objective(spec: SweepSpec, wanted: Wanted, known: Sequence[str]) -> Objective:
    metric = wanted.metric or (spec.objectives[0].metric if spec.objectives else known[0])
    _check("metric", metric, known)
    return Objective(metric=metric, goal=_goals(spec).get(metric, "minimize"))


def _two(spec: SweepSpec, wanted: Wanted) -> tuple[Objective, Objective]:
    goals = _goals(spec)
    if wanted.x is None and wanted.y is None:
        if len(goals) < 2 or not spec.objectives:
            raise InvalidDocument.at(
                "", "x: Expected x and y, names of figures, as the sweep has no two objectives and no limit."
            )
        y, x = list(goals)[:2]
    elif wanted.x is None or wanted.y is None:
        missing = "x" if wanted.x is None else "y"
        raise InvalidDocument.at("", f"{missing}: Expected x and y, or neither; received one of both.")
    else:
        x, y = wanted.x, wanted.y
    return (
        Objective(metric=x, goal=wanted.x_goal or goals.get(x, "minimize")),
        Objective(metric=y, goal=wanted.y_goal or goals.get(y, "maximize")),
    )


def _goals(spec: SweepSpec) -> dict[str, Goal]:
    """By figure, which of its values are better: of the objectives first, then of the limits."""
    goals: dict[str, Goal] = {objective.metric: objective.goal for objective in spec.objectives}
    return goals | {limit.metric: _goal(limit) for limit in spec.limits if limit.metric not in goals}


def _goal(limit: Limit) -> Goal:
    return "minimize" if limit.at_most is not None else "maximize"


def _check(parameter: str, metric: str, known: Sequence[str]) -> None:
    if metric not in known:
        raise InvalidDocument.at("", f"{parameter}: {expected_one_of('figures', known, metric)}")
