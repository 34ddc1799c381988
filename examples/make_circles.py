"""Writes the three circles documents: the same data and model, and an l1 activity regularizer or none.

    .venv/bin/python examples/make_circles.py

100 points on two noisy circles, the first 30 to train and the last 70 to validate, and a network wide
enough to learn the noise by heart. `circles.json` has no regularizer, `circles_l1_before.json` has it on
the layer before the relu, `circles_l1_after.json` on the relu itself.
"""

from typing import Any

import numpy as np
from sklearn.datasets import make_circles

from render import write

L1 = {"l1": 1e-4, "reduction": "sum"}


def circles_data() -> dict[str, Any]:
    """The points `x`, 100 × 2, and labels `y`, 100 × 1, as numbers that are exact in float32."""
    x, y = make_circles(n_samples=100, noise=0.1, random_state=1)
    return {
        "x": [[float(str(value)) for value in row] for row in x.astype(np.float32)],
        "y": [[int(label)] for label in y],
    }


def circles_document(
    name: str, *, dense: dict[str, Any] | None = None, activation: dict[str, Any] | None = None
) -> dict[str, Any]:
    """One run document of the study.

    Args:
        name: what the run is called.
        dense: further fields of the wide layer.
        activation: further fields of the relu behind it.
    """
    return {
        "name": name,
        "tags": {"study": "circles"},
        "seed": 1,
        "dataset": {"inline": circles_data()},
        "split": {"train": {"rows": [0, 30]}, "validation": {"rows": [30, 100]}},
        "model": {
            "layers": [
                {"type": "Dense", "units": 500, **(dense or {})},
                {"type": "Activation", "activation": "relu", **(activation or {})},
                {"type": "Dense", "units": 1, "activation": "sigmoid"},
            ]
        },
        "loss": "binary_crossentropy",
        "optimizer": {"type": "Adam", "learning_rate": 0.001},
        "metrics": ["accuracy"],
        "fit": {"epochs": 4000, "batch_size": 32, "shuffle": True},
        "statistics": {"thresholds": [0.5], "near_zero": 0.001},
    }


def documents() -> dict[str, dict[str, Any]]:
    """The documents by file name."""
    return {
        "circles.json": circles_document("circles, no regularizer"),
        "circles_l1_before.json": circles_document(
            "circles, l1 before the activation", dense={"activity_regularizer": L1}
        ),
        "circles_l1_after.json": circles_document(
            "circles, l1 after the activation", activation={"activity_regularizer": L1}
        ),
    }


if __name__ == "__main__":
    write(documents())
