"""Writes the documents on the breast cancer data: misses that cost more, anomalies by reconstruction.

    .venv/bin/python examples/make_cancer.py

569 tumours, described by the nuclei of their cells: the data of Street, Wolberg and Mangasarian, "Nuclear
feature extraction for breast tumor diagnosis" (1993), as it comes with scikit-learn.
"""

from typing import Any

import numpy as np
from sklearn.datasets import load_breast_cancer

from render import write

MALIGNANT, BENIGN = 0, 1

HARD_FEATURES = ["mean texture", "mean smoothness", "mean symmetry", "mean fractal dimension"]
"""Without the sizes, with which there would be little left to miss."""


def features(names: list[str], scaled_by: int | None = None) -> tuple[np.ndarray, np.ndarray]:
    """The named features, scaled to mean 0 and deviation 1, and the diagnoses.

    Args:
        names: which features.
        scaled_by: the diagnosis whose tumours' mean and deviation it is; by default all of them.
    """
    cancer = load_breast_cancer()
    x = cancer.data[:, [list(cancer.feature_names).index(name) for name in names]]
    scale = x if scaled_by is None else x[cancer.target == scaled_by]
    return (x - scale.mean(axis=0)) / scale.std(axis=0), cancer.target


def false_negatives_document(weight: float) -> dict[str, Any]:
    """A tumour that is missed counts `weight` times as much as a false alarm."""
    x, diagnosis = features(HARD_FEATURES)
    return {
        "name": f"cancer, misses weighted {weight:g}",
        "tags": {"example": "cancer"},
        "seed": 1,
        "dataset": {
            "inline": {
                "x": np.round(x, 2).tolist(),
                "y": (diagnosis[:, None] == MALIGNANT).astype(int).tolist(),
            }
        },
        "split": {"train": {"rows": [0, 350]}, "validation": {"rows": [350, 569]}},
        "model": {
            "layers": [
                {"type": "Dense", "units": 8, "activation": "relu"},
                {"type": "Dense", "units": 1, "activation": "sigmoid"},
            ]
        },
        "loss": {"type": "weighted_binary_crossentropy", "false_negative_weight": weight},
        "optimizer": {"type": "Adam", "learning_rate": 0.01},
        "metrics": ["recall", "precision"],
        "fit": {"epochs": 60, "batch_size": 50},
    }


def autoencoder_document() -> dict[str, Any]:
    """Learns to reconstruct benign tumours; malignant ones are told by a large error.

    The first 250 rows are benign and train, the other benign ones validate, all malignant ones stand at the
    end and are never looked at. The hidden code has an l1 price, so that few of its units are active.
    """
    x, diagnosis = features(list(load_breast_cancer().feature_names), scaled_by=BENIGN)
    order = np.argsort(diagnosis == MALIGNANT, kind="stable")
    values = np.round(x[order], 1).tolist()
    return {
        "name": "cancer, sparse autoencoder",
        "tags": {"example": "cancer"},
        "seed": 1,
        "dataset": {
            "inline": {
                "x": values,
                "y": values,
                "group": ["benign" if kind == BENIGN else "malignant" for kind in diagnosis[order]],
            }
        },
        "split": {
            "train": {"rows": [0, 250]},
            "validation": {"rows": [250, 357]},
            "test": {"rows": [357, 569]},
        },
        "model": {
            "layers": [
                {
                    "type": "Dense",
                    "name": "code",
                    "units": 16,
                    "activation": "relu",
                    "activity_regularizer": {"l1": 0.1},
                },
                {"type": "Dense", "units": 30},
            ]
        },
        "loss": "mean_squared_error",
        "optimizer": {"type": "Adam", "learning_rate": 0.01},
        "fit": {"epochs": 100, "batch_size": 50},
    }


def documents() -> dict[str, dict[str, Any]]:
    """The documents by file name."""
    return {
        "false_negatives_2.json": false_negatives_document(2),
        "false_negatives_3.json": false_negatives_document(3),
        "autoencoder.json": autoencoder_document(),
    }


if __name__ == "__main__":
    write(documents())
