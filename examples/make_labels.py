"""Writes the documents that limit how many labels a model gives: by a soft threshold, by policy gradient.

    .venv/bin/python examples/make_labels.py

300 samples of scikit-learn's `make_multilabel_classification`: how often each of 12 words occurs in a text,
and which of 10 labels the text has. A label is given where its probability is above 0.5; every one that is
given costs something, as an alert costs the time of whoever reads it.
"""

from typing import Any

import numpy as np
from sklearn.datasets import make_multilabel_classification

from render import write


def labels_data() -> dict[str, Any]:
    """Shares of words `x`, 300 × 12, and labels `y`, 300 × 10."""
    x, y = make_multilabel_classification(
        n_samples=300, n_features=12, n_classes=10, n_labels=4, length=40, random_state=1
    )
    return {"x": np.round(x / 10, 1).tolist(), "y": y.tolist()}


def labels_document(name: str, penalty: dict[str, Any]) -> dict[str, Any]:
    """Binary cross-entropy, and a price for each label that is given.

    Args:
        name: what the run is called.
        penalty: what counts the labels.
    """
    return {
        "name": name,
        "tags": {"example": "labels"},
        "seed": 1,
        "dataset": {"inline": labels_data()},
        "split": {"train": {"rows": [0, 200]}, "validation": {"rows": [200, 300]}},
        "model": {
            "layers": [
                {"type": "Dense", "units": 32, "activation": "relu"},
                {"type": "Dense", "units": 10, "activation": "sigmoid"},
            ]
        },
        "loss": "binary_crossentropy",
        "penalties": [penalty],
        "optimizer": {"type": "Adam", "learning_rate": 0.01},
        "metrics": ["binary_accuracy"],
        "fit": {"epochs": 60, "batch_size": 50},
        "statistics": {"thresholds": [0.5]},
    }


def documents() -> dict[str, dict[str, Any]]:
    """The documents by file name."""
    return {
        "soft_threshold.json": labels_document(
            "labels, soft threshold",
            {"type": "elements_above", "threshold": 0.5, "slope": 10, "weight": 0.03},
        ),
        "policy_gradient.json": labels_document(
            "labels, policy gradient",
            {"type": "elements_above", "threshold": 0.5, "method": "policy_gradient", "weight": 0.03},
        ),
    }


if __name__ == "__main__":
    write(documents())
