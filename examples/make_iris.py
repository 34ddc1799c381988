"""Writes the document whose outputs are to add up to one.

    .venv/bin/python examples/make_iris.py

Fisher's iris, as it comes with scikit-learn. Each species has a sigmoid of its own, and nothing in the model
makes the three probabilities add up to one; a penalty on the distance does.
"""

from typing import Any

import numpy as np
from sklearn.datasets import load_iris

from render import write


def iris_data() -> dict[str, Any]:
    """Lengths and widths in dm `x`, 150 × 4, and the species `y`, 150 × 3, one-hot, in a drawn order."""
    iris = load_iris()
    order = np.random.default_rng(1).permutation(len(iris.target))
    return {
        "x": np.round(iris.data[order] / 10, 2).tolist(),
        "y": np.eye(3, dtype=int)[iris.target[order]].tolist(),
    }


def documents() -> dict[str, dict[str, Any]]:
    """The documents by file name."""
    return {
        "sum_to_one.json": {
            "name": "iris, probabilities that add up to one",
            "tags": {"example": "iris"},
            "seed": 1,
            "dataset": {"inline": iris_data()},
            "split": {"train": {"rows": [0, 100]}, "validation": {"rows": [100, 150]}},
            "model": {
                "layers": [
                    {"type": "Dense", "units": 16, "activation": "tanh"},
                    {"type": "Dense", "units": 3, "activation": "sigmoid"},
                ]
            },
            "loss": "binary_crossentropy",
            "penalties": [{"type": "sum_to", "value": 1, "norm": "l1", "weight": 1}],
            "optimizer": {"type": "Adam", "learning_rate": 0.02},
            "metrics": ["categorical_accuracy"],
            "fit": {"epochs": 100, "batch_size": 25},
        }
    }


if __name__ == "__main__":
    write(documents())
