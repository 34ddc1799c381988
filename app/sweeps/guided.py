"""Guided search: Optuna proposes settings from the results of those before.

Nothing of Optuna is stored: its study is made anew from the sweep's own rows each time, so that a search goes
on after a crash as if nothing had been, and the same results give the same proposals. Optuna is imported when
a guided sweep first needs it.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from app.sweeps.documents import Axis, GuidedSearch, RangeAxis, SweepSpec
from app.sweeps.results import cost, excess
from app.sweeps.settings import Setting, values_of

FAR = 1e30
"""Stands for an infinite amount over a limit, which Optuna doesn't take."""


def propose(sweep: SweepSpec, rows: Sequence[Mapping[str, Any]], count: int) -> list[Setting]:
    """The next settings.

    Args:
        sweep: with a guided search.
        rows: of the results' table, one for each setting so far, by their numbers.
        count: how many.
    """
    import optuna

    assert isinstance(sweep.search, GuidedSearch)
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    sampler = optuna.samplers.TPESampler(seed=(sweep.search.seed + len(rows)) % 2**32)
    study = optuna.create_study(directions=["minimize"] * len(sweep.objectives), sampler=sampler)
    space = {axis.parameter: _distribution(axis) for axis in sweep.axes}
    for row in rows:
        costs = [cost(row, objective) for objective in sweep.objectives]
        failed = not all(map(math.isfinite, costs))
        study.enqueue_trial(_coded(sweep.axes, row["parameters"]))
        trial = study.ask(space)
        for place, limit in enumerate(sweep.limits):
            trial.set_constraint(str(place), min(excess(row, limit), FAR))
        if failed:
            study.tell(trial, state=optuna.trial.TrialState.FAIL)
        else:
            study.tell(trial, costs)
    return [_decoded(sweep.axes, study.ask(space).params) for _ in range(count)]


def _distribution(axis: Axis) -> Any:
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    if not isinstance(axis, RangeAxis) or axis.points is not None:
        return CategoricalDistribution(range(len(values_of(axis))))  # values may be of any kind
    low, high = axis.range
    if axis.integer:
        return IntDistribution(round(low), round(high), log=axis.scale == "log")
    return FloatDistribution(low, high, log=axis.scale == "log")


def _coded(axes: Sequence[Axis], setting: Setting) -> dict[str, Any]:
    """A setting in Optuna's terms: of values and choices their places."""
    coded = {}
    for axis in axes:
        value = setting[axis.parameter]
        free = isinstance(axis, RangeAxis) and axis.points is None
        coded[axis.parameter] = value if free else values_of(axis).index(value)
    return coded


def _decoded(axes: Sequence[Axis], coded: Mapping[str, Any]) -> Setting:
    setting = {}
    for axis in axes:
        value = coded[axis.parameter]
        free = isinstance(axis, RangeAxis) and axis.points is None
        setting[axis.parameter] = value if free else values_of(axis)[value]
    return setting
