"""A declared limit against the best of twenty fixed penalty weights, and against Cooper.

Each task of `constraint_tasks` is run once as a person would write it, with no method, weight or step size.
It is compared with the best of

- twenty runs with `"method": "penalty"` and weights from 1e-3 to 1e3: the same residuals, optimizer, epochs,
  batches and initial weights, and also of these the best epoch that holds the limit is kept;
- a run of Cooper with the defaults that it documents, where it can express the limit (`cooper_runs`).

What is compared is the loss on the training rows of what is served, by NumPy. That the limit holds is counted
from the served predictions. The sparsity of weights has no penalty; there the sweep is of a proximal l1.
"""

import json
import math
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from app.spec.parsing import parse_run
from app.training.evaluation import predict
from app.training.fit import fit_run
from app.training.preparation import prepare
from benchmarks.constraint_tasks import Document, tasks
from benchmarks.peers import python_of
from benchmarks.table import Row

WEIGHTS = np.logspace(-3, 3, 20)
SEEDS = (1, 2, 3)
GOAL = 1.02

EPOCHS_A_LOOK = 5
"""Of the sweep of proximal l1: how often its weights are looked at, as that leaves the compiled loop."""


class Silent:
    """A reporter that keeps nothing."""

    def report(self, block: Any) -> None:
        pass

    def save_checkpoint(self, epoch: int, payload: bytes) -> None:
        pass

    def should_stop(self) -> bool:
        return False


@dataclass(frozen=True)
class Outcome:
    """What one seed of a task came to.

    Attributes:
        declared: the loss of the declared limit; None if the limit was broken.
        sweep: losses of the weights that held it, by weight.
        cooper: the loss of Cooper; None if it broke the limit, can't express it, or isn't installed.
    """

    declared: float | None
    sweep: dict[float, float]
    cooper: float | None

    @property
    def best(self) -> float | None:
        """The least loss that holds the limit otherwise; None where nothing else holds it."""
        found = [*self.sweep.values(), *([] if self.cooper is None else [self.cooper])]
        return min(found, default=None)


def rows() -> list[Row]:
    """A row for each task."""
    found = []
    documents = tasks()
    started = time.monotonic()
    for index, (name, document) in enumerate(documents.items(), 1):
        found.append(row(name, compare(document)))
        seconds = time.monotonic() - started
        print(f"{index}/{len(documents)}, {seconds:.0f} s: {found[-1].text()}", file=sys.stderr, flush=True)
    return found


def compare(document: Document) -> list[Outcome]:
    """A task's outcomes, one a seed. Cooper works meanwhile in a process of its own."""
    seeded = [{**document, "seed": seed} for seed in SEEDS]
    with Cooper(seeded) as cooper:
        declared = [loss_if_held(one) for one in seeded]
        swept = [sweep(one) for one in seeded]
        others = cooper.losses()
    return [Outcome(*each) for each in zip(declared, swept, others, strict=True)]


def row(name: str, outcomes: list[Outcome]) -> Row:
    """The worst ratio of all seeds; where nothing else holds the limit, how many seeds hold it."""
    held = sum(outcome.declared is not None for outcome in outcomes)
    ratios = [o.declared / o.best if o.declared else math.inf for o in outcomes if o.best is not None]
    note = f"held in {held} of {len(outcomes)}; {described(outcomes)}"
    if held < len(outcomes):
        return Row(name, math.inf, GOAL, at_most=True, note=f"LIMIT BROKEN; {note}")
    if not ratios:
        note = f"no fixed weight nor Cooper held the limit; reached by holding it; {note}"
        return Row(name, held, len(outcomes), unit="", note=note)
    return Row(name, max(ratios), GOAL, at_most=True, note=note)


def described(outcomes: list[Outcome]) -> str:
    """The losses, seed by seed."""

    def text(loss: float | None) -> str:
        return "none" if loss is None else f"{loss:.4g}"

    parts = []
    for outcome in outcomes:
        found = min(outcome.sweep.items(), key=lambda item: item[1], default=None)
        best = "none" if found is None else f"{found[1]:.4g} (weight {found[0]:.2g})"
        feasible = f"{len(outcome.sweep)} of {len(WEIGHTS)} feasible"
        parts.append(f"{text(outcome.declared)} | {best}, {feasible} | Cooper {text(outcome.cooper)}")
    return "; ".join(parts)


def loss_if_held(document: Document) -> float | None:
    """The loss of what is served; None if it breaks the limit."""
    run = fit_run(parse_run(document), Silent())
    (predictions,) = run.predictions["train"].values()
    return loss_of(document, predictions) if run.verdicts[0]["satisfied"] else None


def loss_of(document: Document, predictions: NDArray[Any]) -> float:
    """The mean loss of predictions of all rows."""
    y = np.array(document["dataset"]["inline"]["y"], np.float64)
    predicted = predictions.astype(np.float64)
    if document["loss"] == "mean_squared_error":
        return float(np.square(predicted - y).mean())
    p = np.clip(predicted, 1e-7, 1 - 1e-7)
    return float(-(y * np.log(p) + (1 - y) * np.log(1 - p)).mean())


# The sweep


def sweep(document: Document) -> dict[float, float]:
    """The losses of the weights that hold the limit."""
    (limit,) = document["constraints"]
    on_weights = limit["quantity"]["type"] == "weight_sparsity"
    found = {}
    for weight in map(float, WEIGHTS):
        if on_weights:
            loss = proximal_loss(document, weight)
        else:
            penalized = {**limit, "method": "penalty", "weight": weight}
            loss = loss_if_held({**document, "constraints": [penalized]})
        if loss is not None:
            found[weight] = loss
    return found


def proximal_loss(document: Document, l1: float) -> float | None:
    """The least loss of the epochs that hold a limit of weight sparsity, with a proximal l1 on the layer."""
    (limit,) = document["constraints"]
    layer = limit["quantity"]["of"]
    regularizer = {"l1": l1, "proximal": True}
    layers = [
        {**one, "kernel_regularizer": regularizer} if one.get("name") == layer else one
        for one in document["model"]["layers"]
    ]
    spec = parse_run({**document, "model": {"layers": layers}, "constraints": []})
    run = prepare(spec)
    strengths = tf.constant(run.objective.strengths, tf.float32)
    state, losses = run.state, []
    place = run.program.forward.weight_paths.index(f"{layer}/kernel")
    epochs = tf.constant(EPOCHS_A_LOOK)
    for _ in range(spec.fit.epochs // EPOCHS_A_LOOK):
        state, _, _ = run.program.run(state, run.rows, strengths, tf.constant(spec.seed), epochs)
        if np.mean(state["trainable"][place].numpy() == 0) >= limit["at_least"]:
            for variable, value in zip(run.tapped.trainable_variables, state["trainable"], strict=True):
                variable.assign(value)
            (predictions,) = predict(run.model, run.splits["train"].inputs).values()
            losses.append(loss_of(document, predictions))
    return min(losses, default=None)


# Cooper


class Cooper:
    """Runs of Cooper in an environment and a process of their own.

    Args:
        documents: of one task, which differ in the seed.
    """

    def __init__(self, documents: list[Document]) -> None:
        self._count = len(documents)
        self._process: subprocess.Popen[str] | None = None
        python = python_of("cooper")
        if python is not None:
            self._process = subprocess.Popen(
                [python, Path(__file__).with_name("cooper_runs.py")],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
            assert self._process.stdin is not None
            # With Kerb's initial weights, so that luck is shared.
            payload = [{**d, "weights": initial_weights(d)} for d in documents]
            self._process.stdin.write(json.dumps(payload))
            self._process.stdin.close()

    def __enter__(self) -> "Cooper":
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def losses(self) -> list[float | None]:
        """The loss of each document; None where there is none."""
        if self._process is None:
            return [None] * self._count
        assert self._process.stdout is not None
        found: list[float | None] = json.loads(self._process.stdout.read())
        return found


def initial_weights(document: Document) -> list[Any]:
    """Of each layer in turn its kernel and, if it has one, its bias."""
    return [array.tolist() for array in prepare(parse_run(document)).model.get_weights()]
