"""The guided search on known functions, without any training."""

from collections.abc import Callable
from typing import Any

import numpy as np

from app.spec.parsing import parse
from app.sweeps.documents import SweepSpec
from app.sweeps.guided import propose
from app.sweeps.results import ranked
from app.sweeps.settings import Setting, planned_settings

TRIALS = 30
AXES = [
    {"name": "a", "pointer": "/a", "range": [1e-6, 1.0], "scale": "log"},
    {"name": "b", "pointer": "/b", "range": [0, 1]},
    {"name": "c", "pointer": "/c", "values": ["wrong", "right"]},
]


def sweep(kind: str, seed: int, **fields: Any) -> SweepSpec:
    document = {
        "base": {},
        "axes": AXES,
        "search": {"type": kind, "trials": TRIALS, "seed": seed},
        "objectives": [{"metric": "value", "goal": "minimize"}],
        **fields,
    }
    return parse(SweepSpec, document)


def value(setting: Setting) -> float:
    """Least, 0, at a = 1e-3, b = 0.3."""
    return float(
        (np.log10(setting["a"]) + 3) ** 2 + 10 * (setting["b"] - 0.3) ** 2 + (setting["c"] != "right")
    )


def row(number: int, setting: Setting, **metrics: float) -> dict[str, Any]:
    means = {name: {"mean": mean} for name, mean in metrics.items()}
    return {"setting": number, "parameters": setting, "rung": 0, "metrics": means}


def search(
    spec: SweepSpec, measure: Callable[[Setting], dict[str, float]], trials: int = TRIALS
) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    while len(rows) < trials:
        (setting,) = propose(spec, rows, 1)
        rows.append(row(len(rows), setting, **measure(setting)))
    return rows


def test_a_guided_search_finds_better_than_a_random_one() -> None:
    seeds = range(5)
    guided = [
        min(value(found["parameters"]) for found in search(sweep("guided", s), lambda x: {"value": value(x)}))
        for s in seeds
    ]
    random = [min(map(value, planned_settings(sweep("random", s)))) for s in seeds]
    assert np.mean(guided) < 0.5 * np.mean(random)


def test_a_guided_search_of_two_parameters_finds_better_than_a_random_one() -> None:
    """Branin's function on its usual domain: three minima, of 0.397887, none at a corner."""
    axes = [
        {"name": "x", "pointer": "/x", "range": [-5, 10]},
        {"name": "y", "pointer": "/y", "range": [0, 15]},
    ]

    def branin(x: float, y: float) -> float:
        bowl = y - 5.1 / (4 * np.pi**2) * x**2 + 5 / np.pi * x - 6
        return float(bowl**2 + 10 * (1 - 1 / (8 * np.pi)) * np.cos(x) + 10)

    guided, random = [], []
    for seed in range(5):
        asked = {"trials": 50, "seed": seed}
        spec = sweep("guided", seed, axes=axes, search={"type": "guided", **asked})
        found = search(spec, lambda setting: {"value": branin(**setting)}, 50)
        guided.append(min(branin(**row["parameters"]) for row in found))
        by_chance = planned_settings(sweep("random", seed, axes=axes, search={"type": "random", **asked}))
        random.append(min(branin(**setting) for setting in by_chance))
    over, over_by_chance = np.array(guided) - 0.397887, np.array(random) - 0.397887
    assert np.sum(over < over_by_chance) >= 4
    assert np.mean(over) < 0.5 * np.mean(over_by_chance)


def test_limits_turn_the_search_away_from_what_breaks_them() -> None:
    def share_above(**fields: Any) -> float:
        """Of the later settings' b, of which the least value is at 0.3."""
        searches = [sweep("guided", seed, **fields) for seed in range(4)]
        found = [search(s, lambda x: {"value": value(x), "b": x["b"]})[TRIALS // 2 :] for s in searches]
        return float(np.mean([[row["parameters"]["b"] >= 0.6 for row in rows] for rows in found]))

    limits = [{"metric": "b", "at_least": 0.6}]
    assert share_above(limits=limits) > 2 * share_above()


def test_the_best_holds_the_limits() -> None:
    limited = sweep("guided", 1, limits=[{"metric": "b", "at_least": 0.6}])
    rows = search(limited, lambda setting: {"value": value(setting), "b": setting["b"]})
    best = ranked(limited, rows)[0]
    feasible = [found for found in rows if found["parameters"]["b"] >= 0.6]
    assert best["parameters"] == min(feasible, key=lambda f: value(f["parameters"]))["parameters"]
    assert value(best["parameters"]) > min(value(found["parameters"]) for found in rows)
