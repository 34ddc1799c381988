"""A declared limit against the best of twenty fixed penalty weights.

Each task is run once as a person would write it, and twenty times with `"method": "penalty"` and weights from
1e-3 to 1e3. Of these the best is the one with the least loss whose served model holds the limit.
All rows train, and losses are computed anew by NumPy from served predictions.
"""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np

from app.spec.parsing import parse_run
from app.training.fit import FittedRun, fit_run
from benchmarks.table import Row

EXAMPLES = Path(__file__).parents[1] / "examples"

WEIGHTS = np.logspace(-3, 3, 20)
EPOCHS = 300
GOAL = 1.02

Document = dict[str, Any]


class Silent:
    """A reporter that keeps nothing."""

    def report(self, block: Any) -> None:
        pass

    def save_checkpoint(self, epoch: int, payload: bytes) -> None:
        pass

    def should_stop(self) -> bool:
        return False


def example(name: str, limit: dict[str, Any] | None = None) -> Document:
    """An example document on all its rows, perhaps with another limit."""
    document: Document = json.loads((EXAMPLES / f"limit_{name}.json").read_text())
    del document["split"]
    document["constraints"] = [limit or document["constraints"][0]]
    document["constraints"][0].pop("guarantee", None)
    document["fit"]["epochs"] = EPOCHS
    return document


def free_outputs(k: int) -> Document:
    """Six outputs that are weights, at most k of them above ½."""
    return {
        "dataset": {"inline": {"x": [[1.0]], "y": [[0.9, 0.8, 0.75, 0.6, 0.55, 0.2]]}},
        "model": {"layers": [{"type": "Dense", "units": 6, "use_bias": False}]},
        "loss": "mean_squared_error",
        "constraints": [{"quantity": {"type": "elements_above"}, "at_most": k}],
        "optimizer": {"type": "Adam", "learning_rate": 0.01},
        "fit": {"epochs": 1500},
    }


def tasks() -> dict[str, Document]:
    """The documents by what they are about."""
    above = {"type": "elements_above"}
    return {
        "count of free outputs, at most 2": free_outputs(2),
        "count of free outputs, at most 3": free_outputs(3),
        "count of labels, every sample": example("count"),
        "count of labels, mean": example("count", {"quantity": above, "at_most": 2.5}),
        "count of labels, 9 of 10 samples": example(
            "count", {"quantity": above, "at_most": 2, "over": {"quantile": 0.9}}
        ),
        "bounds, every sample": example("bounds"),
        "excess, mean": example("bounds", {"quantity": {"type": "excess_above"}, "at_most": 0.05}),
        "norm, 9 of 10 samples": example(
            "bounds", {"quantity": {"type": "norm"}, "at_most": 1, "over": {"quantile": 0.9}}
        ),
        "budget, every sample": example("budget"),
        "recall": example("recall"),
        "precision": example("recall", {"quantity": {"type": "precision"}, "at_least": 0.9}),
        "false positive rate": example(
            "recall", {"quantity": {"type": "false_positive_rate"}, "at_most": 0.02}
        ),
        "equal positive rates": example("parity"),
        "activation sparsity": example("activations"),
    }


def loss_of(document: Document, run: FittedRun) -> float:
    """The mean loss of the served predictions."""
    y = np.array(document["dataset"]["inline"]["y"], np.float64)
    predicted = next(iter(run.predictions["train"].values())).astype(np.float64)
    if document["loss"] == "mean_squared_error":
        return float(np.square(predicted - y).mean())
    p = np.clip(predicted, 1e-7, 1 - 1e-7)
    return float(-(y * np.log(p) + (1 - y) * np.log(1 - p)).mean())


def outcome(document: Document) -> tuple[float, bool]:
    """The loss, and whether the limit is held."""
    run = fit_run(parse_run(document), Silent())
    return loss_of(document, run), run.verdicts[0]["satisfied"]


def compare(name: str, document: Document) -> Row:
    """The declared limit's loss over that of the best weight."""
    declared, held = outcome(document)
    found = []
    for weight in WEIGHTS:
        limit = document["constraints"][0] | {"method": "penalty", "weight": float(weight)}
        loss, holds = outcome({**document, "constraints": [limit]})
        if holds:
            found.append(loss)
    best = min(found, default=math.nan)
    note = f"declared {declared:.4g}{'' if held else ' NOT HELD'}, best of {len(found)} feasible {best:.4g}"
    value = math.inf if not held else declared / best if found else 0.0
    return Row(f"{name}: loss over the best weight's", value, GOAL, at_most=True, note=note)


def rows() -> list[Row]:
    """A row for each task."""
    return [compare(name, document) for name, document in tasks().items()]
