"""Training against `model.fit`, and against a hand-written JAX scan of the same model and optimizer.

Each pair is measured in turns in one run, on the same data, with validation where the document has it; the
ratio is that of the medians. Compilation isn't counted on any side.
"""

import json
import os
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from app.spec.parsing import parse_run
from app.training.preparation import Preparation, prepare
from benchmarks.peers import python_of
from benchmarks.table import Row

ROOT = Path(__file__).parent.parent
ROUNDS = 3

Document = dict[str, Any]


def circles() -> Document:
    """The circles study without a regularizer."""
    document: Document = json.loads((ROOT / "examples/circles.json").read_text())
    return document


def four_models() -> dict[str, tuple[Document, float]]:
    """One epoch of 4,096 samples in batches of 128: each model's document and the ratio it must reach."""
    random = np.random.default_rng(0)

    def document(shape: tuple[int, ...], layers: list[Document]) -> Document:
        x, y = random.normal(size=(4096, *shape)).round(3), random.integers(0, 2, (4096, 1))
        return {
            "dataset": {"inline": {"x": x.tolist(), "y": y.tolist()}},
            "model": {"layers": [*layers, {"type": "Dense", "units": 1, "activation": "sigmoid"}]},
            "loss": "binary_crossentropy",
            "metrics": ["accuracy"],
            "fit": {"epochs": 1000, "batch_size": 128},
        }

    def dense(units: int) -> Document:
        return {"type": "Dense", "units": units, "activation": "relu"}

    def convolution(filters: int) -> Document:
        return {"type": "Conv2D", "filters": filters, "kernel_size": 3, "activation": "relu"}

    flat = {"type": "Flatten"}
    return {
        "Dense 64": (document((20,), [dense(64)]), 10.0),
        "Dense 512-512": (document((20,), [dense(512), dense(512)]), 2.0),
        "LSTM 32": (document((10, 8), [{"type": "LSTM", "units": 32}]), 3.0),
        "Conv2D 32, 64": (document((16, 16, 1), [convolution(32), convolution(64), flat]), 1.1),
    }


def rows() -> list[Row]:
    """Measures everything; takes some minutes."""
    measured = []
    run = prepare(parse_run(circles()))
    loop, fit, jax = in_turns(
        [lambda: loop_speed(run, 4000), lambda: fit_speed(circles(), 20), lambda: jax_speed(run)]
    )
    figures = f"{loop:,.0f} against {fit:,.1f} epochs/s"
    measured.append(Row("circles, epochs/s, against model.fit", loop / fit, 1000, note=figures))
    ratio = loop / jax if jax else None
    figures = f"{loop:,.0f} against {jax:,.0f} epochs/s" if jax else "make bench-peers installs it"
    measured.append(Row("circles, epochs/s, against a jitted JAX lax.scan", ratio, 0.9, note=figures))
    return measured + [against_fit(name, document, goal) for name, (document, goal) in four_models().items()]


def against_fit(name: str, document: Document, goal: float) -> Row:
    """The row of one model of `four_models`."""
    run = prepare(parse_run(document))
    loop, fit = in_turns([lambda: loop_speed(run, 4), lambda: fit_speed(document, 2)])
    figures = f"{loop:,.2f} against {fit:,.2f} epochs/s"
    return Row(f"{name}, epochs/s, against model.fit", loop / fit, goal, note=figures)


def in_turns(measurements: Sequence[Callable[[], float | None]], rounds: int = ROUNDS) -> list[Any]:
    """Each measurement's median over some rounds, taken in turns so that the machine's mood hits all."""
    measured = [[measure() for measure in measurements] for _ in range(rounds)]
    figures = zip(*measured, strict=True)
    return [None if None in of_one else median(figure for figure in of_one if figure) for of_one in figures]


def loop_speed(run: Preparation, epochs: int) -> float:
    """Epochs a second of Kerb's compiled loop."""
    strengths = tf.constant(run.objective.strengths, tf.float32)

    def call(count: int) -> None:
        _, history, _ = run.program.run(run.state, run.rows, strengths, tf.constant(0), tf.constant(count))
        history.numpy()

    call(1)  # compiles
    started = time.perf_counter()
    call(epochs)
    return epochs / (time.perf_counter() - started)


def fit_speed(document: Document, epochs: int) -> float:
    """Epochs a second of `model.fit` with the same model, data, optimizer and metrics."""
    run = prepare(parse_run(document))
    model = run.model
    model.compile("adam", "binary_crossentropy", metrics=["accuracy"])
    (x,), (y,) = run.splits["train"].inputs.values(), run.splits["train"].targets.values()
    options: dict[str, Any] = {"batch_size": document["fit"]["batch_size"], "verbose": 0}
    if "validation" in run.splits:
        held = run.splits["validation"]
        options["validation_data"] = (*held.inputs.values(), *held.targets.values())
    model.fit(x, y, epochs=1, **options)  # compiles
    started = time.perf_counter()
    model.fit(x, y, epochs=epochs, **options)
    speed = epochs / (time.perf_counter() - started)
    keras.backend.clear_session()
    return speed


def jax_speed(run: Preparation) -> float | None:
    """Epochs a second of the JAX scan, in a process and an environment of its own; None without JAX."""
    python = python_of("jax")
    if python is None:
        return None
    arrays = {
        f"{split}_{part}": array.tolist()
        for split, data in run.splits.items()
        for part, named in (("x", data.inputs), ("y", data.targets))
        for array in named.values()
    }
    finished = subprocess.run(
        [python, Path(__file__).with_name("jax_scan.py")],
        input=json.dumps(arrays),
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "JAX_PLATFORMS": "cpu"},
    )
    return float(finished.stdout)
