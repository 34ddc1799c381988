"""Writes the documents with declared limits, one a kind of limit, on data that come with scikit-learn.

    .venv/bin/python examples/make_limits.py

Each says what must hold and nothing of how: no weight, no step size.
"""

from typing import Any

import numpy as np
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits

from render import write

Rows = list[list[float]]

HARD_FEATURES = ["mean texture", "mean smoothness", "mean symmetry", "mean fractal dimension"]
"""Of the tumours, without their sizes, with which there would be little left to miss."""

DIGITS = 300
"""Images that are used."""


def scaled(x: np.ndarray) -> np.ndarray:
    """Columns with mean 0 and deviation 1, to two digits."""
    rounded: np.ndarray = ((x - x.mean(axis=0)) / x.std(axis=0)).round(2)
    return rounded


def document(name: str, inline: dict[str, Any], layers: list[Any], loss: Any, limit: Any) -> dict[str, Any]:
    """A run whose first 60 of 100 rows train, 20 validate and 20 test."""
    rows = len(inline["y"])
    first, second = int(0.6 * rows), int(0.8 * rows)
    return {
        "name": name,
        "tags": {"example": "limits"},
        "seed": 1,
        "dataset": {"inline": inline},
        "split": {
            "train": {"rows": [0, first]},
            "validation": {"rows": [first, second]},
            "test": {"rows": [second, rows]},
        },
        "model": {"layers": layers},
        "loss": loss,
        "constraints": [limit],
        "optimizer": {"type": "Adam", "learning_rate": 0.003},
        "fit": {"epochs": 300, "batch_size": 32},
    }


def tumours() -> tuple[np.ndarray, Rows]:
    """Four features of 569 tumours, and whether each is malignant."""
    cancer = load_breast_cancer()
    x = scaled(cancer.data[:, [list(cancer.feature_names).index(name) for name in HARD_FEATURES]])
    return x, (cancer.target == 0).astype(int)[:, None].tolist()


def digit_labels() -> dict[str, Any]:
    """Digits in 4 × 4 pixels, with six yes-or-no labels: even, prime, round, straight, large, square."""
    digits = load_digits()
    images = digits.images[:DIGITS].reshape(DIGITS, 4, 2, 4, 2).mean(axis=(2, 4)) / 16
    sets = [{0, 2, 4, 6, 8}, {2, 3, 5, 7}, {0, 3, 6, 8, 9}, {1, 4, 7}, {5, 6, 7, 8, 9}, {0, 1, 4, 9}]
    y = [[int(digit in chosen) for chosen in sets] for digit in digits.target[:DIGITS]]
    return {"x": images.reshape(DIGITS, 16).round(2).tolist(), "y": y}


def classifier(outputs: int, units: int = 16) -> list[dict[str, Any]]:
    """Two dense layers, the first of them `hidden`."""
    return [
        {"type": "Dense", "units": units, "activation": "relu", "name": "hidden"},
        {"type": "Dense", "units": outputs, "activation": "sigmoid"},
    ]


def regressor(outputs: int) -> list[dict[str, Any]]:
    """Two dense layers."""
    return [{"type": "Dense", "units": 16, "activation": "tanh"}, {"type": "Dense", "units": outputs}]


def documents() -> dict[str, dict[str, Any]]:
    """The documents by file name."""
    x, malignant = tumours()
    diabetes = load_diabetes()
    features = scaled(diabetes.data)
    progression = scaled(diabetes.target[:, None]).tolist()
    labels = digit_labels()
    crossentropy, squares = "binary_crossentropy", "mean_squared_error"
    above = {"type": "elements_above", "threshold": 0.5}
    groups = np.where(x[:, 1] > 0, "rough", "smooth").tolist()
    return {
        "limit_count.json": document(
            "digits, at most two labels a sample",
            labels,
            classifier(6),
            crossentropy,
            {"quantity": above, "at_most": 2, "over": "every_sample", "guarantee": True},
        ),
        "limit_bounds.json": document(
            "diabetes, predictions between -1 and 1",
            {"x": features.tolist(), "y": progression},
            regressor(1),
            squares,
            {"quantity": {"type": "bounds", "lower": -1, "upper": 1}, "at_most": 0, "over": "every_sample"},
        ),
        "limit_budget.json": document(
            "diabetes, three serum values within a budget",
            {"x": features[:, :4].tolist(), "y": features[:, 4:7].tolist()},
            regressor(3),
            squares,
            {
                "quantity": {"type": "linear", "coefficients": [1, 1, 0.5]},
                "at_most": 0.5,
                "over": "every_sample",
            },
        ),
        "limit_recall.json": document(
            "cancer, recall of at least 0.9",
            {"x": x.tolist(), "y": malignant},
            classifier(1, units=8),
            crossentropy,
            {"quantity": {"type": "recall"}, "at_least": 0.9},
        ),
        "limit_parity.json": document(
            "cancer, equal positive rates",
            {"x": x.tolist(), "y": malignant, "group": groups},
            classifier(1, units=8),
            crossentropy,
            {
                "quantity": {"type": "positive_rate", "difference": ["rough", "smooth"]},
                "at_most": 0.05,
            },
        ),
        "limit_activations.json": document(
            "digits, activations nine tenths zero",
            labels,
            classifier(6, units=64),
            crossentropy,
            {"quantity": {"type": "activation_sparsity", "of": "hidden"}, "at_least": 0.9},
        ),
        "limit_weights.json": document(
            "digits, weights four fifths zero",
            labels,
            classifier(6, units=32),
            crossentropy,
            {"quantity": {"type": "weight_sparsity", "of": "hidden"}, "at_least": 0.8},
        ),
    }


if __name__ == "__main__":
    write(documents())
