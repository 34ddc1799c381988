"""The circles study as one sweep, over HTTP, against the same loop over `model.fit`.

The sweep has 360 runs of 4,000 epochs. The loop would take hours, so some of its epochs are timed, before
the sweep and after it, and the faster of both is taken for all of them. Everything that a service does for a
run is counted on the sweep's side: the queue, the history in the database, statistics, files.
"""

import json
import os
import tempfile
import time
from pathlib import Path
from typing import Any

import httpx
import keras
import numpy as np

from app.demo import running_service
from app.spec.dataset import Dataset, load_data
from app.spec.parsing import parse_run
from benchmarks.table import Row

SWEEP = Path(__file__).parent.parent / "examples/sweep_circles.json"
POLL_SECONDS = 1.0
SAMPLED_EPOCHS = 40
STRENGTH = 1e-4
"""Where l1 before the activation is published to be best."""


def rows() -> list[Row]:
    """Runs the sweep; takes some minutes."""
    document: dict[str, Any] = json.loads(SWEEP.read_text())
    epochs = document["base"]["fit"]["epochs"]
    os.environ.setdefault("KERB_WORKERS", str(len(os.sched_getaffinity(0))))
    before = fit_speed(document["base"])
    seconds, sweep = timed_sweep(document)
    fit = max(before, fit_speed(document["base"]))
    runs = sweep["progress"]["total"]
    ratio = runs * epochs / fit / seconds
    note = f"{runs} runs in {seconds:,.0f} s, {seconds / runs:.2f} s each; fit {fit:,.1f} epochs/s"
    return [
        Row("circles sweep, POST to the end, against a loop over model.fit", ratio, 300, note=note),
        l1_before_the_activation(sweep["table"]),
    ]


def fit_speed(base: dict[str, Any]) -> float:
    """Epochs a second of `model.fit` with the model, data, optimizer and metrics of the study."""
    spec = parse_run(base)
    assert isinstance(spec.dataset, Dataset)
    data = load_data(spec.dataset)
    (x,), (y,) = data.inputs.values(), data.targets.values()
    train, held = (np.arange(*base["split"][name]["rows"]) for name in ("train", "validation"))
    strengths = {name: base["model"]["layers"][0]["activity_regularizer"][name] for name in ("l1", "l2")}
    model = keras.Sequential(
        [
            keras.Input(x.shape[1:]),
            keras.layers.Dense(500, activity_regularizer=keras.regularizers.L1L2(**strengths)),
            keras.layers.Activation("relu"),
            keras.layers.Dense(1, activation="sigmoid"),
        ]
    )
    model.compile("adam", "binary_crossentropy", metrics=["accuracy"])
    options: dict[str, Any] = {"batch_size": 32, "verbose": 0, "validation_data": (x[held], y[held])}
    model.fit(x[train], y[train], epochs=2, **options)  # compiles
    started = time.perf_counter()
    model.fit(x[train], y[train], epochs=SAMPLED_EPOCHS, **options)
    speed = SAMPLED_EPOCHS / (time.perf_counter() - started)
    keras.backend.clear_session()
    return speed


def timed_sweep(document: dict[str, Any]) -> tuple[float, dict[str, Any]]:
    """Seconds from the POST until a sweep has succeeded in a warm service, and the sweep."""
    with (
        tempfile.TemporaryDirectory() as folder,
        running_service(Path(folder)) as url,
        httpx.Client(base_url=url, timeout=60) as client,
    ):
        posted = time.perf_counter()
        sweep = client.post("/sweeps", json=document).raise_for_status().json()
        while sweep["status"] == "running":
            time.sleep(POLL_SECONDS)
            sweep = client.get(f"/sweeps/{sweep['id']}").raise_for_status().json()
        seconds = time.perf_counter() - posted
    if sweep["status"] != "succeeded" or sweep["progress"]["failed"]:
        raise RuntimeError(f"the sweep {sweep['status']}, {sweep['progress']}")
    return seconds, sweep


def l1_before_the_activation(table: list[dict[str, Any]]) -> Row:
    """How much better l1 before the activation is at the published strength than at any other."""
    wanted = {"norm": "l1", "place": "before the relu"}
    found = {
        row["parameters"]["strength"]: row["metrics"]
        for row in table
        if wanted.items() <= row["parameters"].items()
    }
    here = found[STRENGTH]["val_accuracy"]
    others = [metrics["val_accuracy"]["mean"] for value, metrics in found.items() if value != STRENGTH]
    activation = found[STRENGTH]["train/activation_sparsity/activation/mean_activation"]
    note = (
        f"accuracy {here['mean']:.3f} ± {here['std']:.3f}, mean activation {activation['mean']:.4f} "
        f"± {activation['std']:.4f}, n {here['n']}"
    )
    gain = here["mean"] - max(others)
    return Row(f"l1 before the relu, {STRENGTH:g} against its other strengths", gain, 0, unit="", note=note)
