"""Every layer in the compiled loop: one epoch moves the weights as `model.fit` moves them."""

from typing import Any

import keras
import numpy as np
import pytest

from app.training.build import build_model
from tests.support.layers import CASES
from tests.support.training import fit, prepared

RANDOM = {
    "Dropout",
    "GaussianDropout",
    "GaussianNoise",
    "SpatialDropout1D",
    "SpatialDropout2D",
    "SpatialDropout3D",
}
"""These draw from the run's seed, and Keras from its own; everything else must come out the same."""

SAMPLES, BATCH_SIZE = 12, 8


@pytest.mark.parametrize("kind", sorted(CASES.keys() - RANDOM - {"Input"}))
def test_a_layer_trains_as_in_keras(kind: str) -> None:
    settings, shapes = CASES[kind][0]
    inputs = {f"x{i}": shape for i, shape in enumerate(shapes if isinstance(shapes, list) else [shapes])}
    random = np.random.default_rng(0)
    x = {name: random.random((SAMPLES, *shape), np.float32) for name, shape in inputs.items()}
    y = random.random((SAMPLES, 1), np.float32)
    document: dict[str, Any] = {
        "seed": 4,
        "dataset": {"inline": {"x": {n: a.tolist() for n, a in x.items()}, "y": y.tolist()}},
        "model": {
            "layers": [
                *({"type": "Input", "name": name} for name in inputs),
                {"type": kind, "name": "layer", "inputs": list(inputs), **settings},
                {"type": "Flatten"},
                {"type": "Dense", "units": 1},
            ]
        },
        "loss": "mean_squared_error",
        "optimizer": {"type": "SGD", "learning_rate": 0.05},
        "fit": {"epochs": 1, "batch_size": BATCH_SIZE, "shuffle": False},
    }

    fitted, recorder = fit(document)

    model = build_model(prepared(document).graph, seed=4)
    model.compile(keras.optimizers.SGD(0.05), "mean_squared_error")
    options = {"batch_size": BATCH_SIZE, "shuffle": False, "verbose": 0}
    history = model.fit(x if len(x) > 1 else x["x0"], y, **options).history
    # Keras reports activity regularizers within its loss, as Kerb does.
    np.testing.assert_allclose(recorder.series("loss"), history["loss"], rtol=1e-4)
    for ours, theirs in zip(fitted.model.variables, model.variables, strict=True):
        np.testing.assert_allclose(ours.numpy(), theirs.numpy(), rtol=1e-4, atol=1e-6, err_msg=ours.path)
