"""Writes the documents on the diabetes data: limits on a number, a lopsided error, linear models.

    .venv/bin/python examples/make_diabetes.py

442 patients, ten features each, and how far their disease has gone a year later: the data of Efron, Hastie,
Johnstone and Tibshirani, "Least Angle Regression" (2004), as it comes with scikit-learn.
"""

from typing import Any

import numpy as np
from sklearn.datasets import load_diabetes

from render import write

TRAINED = 300
"""Rows that train; the other 142 validate."""


def diabetes_data(decimals: int = 2) -> dict[str, Any]:
    """Features of mean 0 and deviation 1 `x`, 442 × 10, and the progression in hundreds `y`, 442 × 1."""
    x, y = load_diabetes(return_X_y=True)
    x = (x - x.mean(axis=0)) / x.std(axis=0)
    return {"x": np.round(x, decimals).tolist(), "y": np.round(y[:, None] / 100, 2).tolist()}


def diabetes_document(name: str, **fields: Any) -> dict[str, Any]:
    """A small network for the progression.

    Args:
        name: what the run is called.
        fields: what is its own, in place of what all have.
    """
    return {
        "name": name,
        "tags": {"example": "diabetes"},
        "seed": 1,
        "dataset": {"inline": diabetes_data()},
        "split": {"train": {"rows": [0, TRAINED]}, "validation": {"rows": [TRAINED, 442]}},
        "model": {
            "layers": [
                {"type": "Dense", "units": 16, "activation": "relu"},
                {"type": "Dense", "units": 1},
            ]
        },
        "loss": "mean_squared_error",
        "optimizer": {"type": "Adam", "learning_rate": 0.01},
        "metrics": ["mean_absolute_error"],
        "fit": {"epochs": 60, "batch_size": 50},
        **fields,
    }


def excess_document(norm: str, weight: float) -> dict[str, Any]:
    """A price for what a prediction is above 2; l1 by its amount, l2 by its square."""
    return diabetes_document(
        f"diabetes, {norm} excess above 2",
        penalties=[{"type": "excess_above", "threshold": 2, "norm": norm, "weight": weight}],
        statistics={"thresholds": [2]},
    )


def bounds_penalty_document() -> dict[str, Any]:
    """Predictions outside [1, 2] cost the square of their distance."""
    return diabetes_document(
        "diabetes, a price outside [1, 2]",
        penalties=[{"type": "bounds", "lower": 1, "upper": 2, "norm": "l2", "weight": 20}],
        statistics={"thresholds": [1, 2]},
    )


def bounds_layer_document() -> dict[str, Any]:
    """Predictions can't leave [1, 2]."""
    return diabetes_document(
        "diabetes, nothing outside [1, 2]",
        model={
            "layers": [
                {"type": "Dense", "units": 16, "activation": "relu"},
                {"type": "Dense", "units": 1},
                {"type": "Bounded", "lower": 1, "upper": 2},
            ]
        },
        statistics={"thresholds": [1, 2]},
    )


def asymmetric_document() -> dict[str, Any]:
    """To predict too little costs nine times as much as to predict too much."""
    return diabetes_document(
        "diabetes, rather too much than too little",
        loss={"type": "asymmetric_squared_error", "under_weight": 9, "over_weight": 1},
    )


def linear_document(name: str, regularizer: dict[str, Any]) -> dict[str, Any]:
    """One linear unit, all rows, the whole data in each step of plain gradient descent, to convergence."""
    document = diabetes_document(
        name,
        dataset={"inline": diabetes_data(decimals=4)},
        model={"layers": [{"type": "Dense", "units": 1, "kernel_regularizer": regularizer}]},
        optimizer={"type": "SGD", "learning_rate": 0.2},
        metrics=[],
        fit={"epochs": 4000, "batch_size": 442, "shuffle": False, "record_every": 100},
    )
    del document["split"]
    return document


def ridge_document(alpha: float = 20.0) -> dict[str, Any]:
    """scikit-learn's `Ridge(alpha)`.

    It minimises ‖y − Xw‖² + α·‖w‖², which is n times mean squared error + (α/n)·‖w‖².
    """
    return linear_document("diabetes, ridge", {"l2": round(alpha / 442, 8)})


def elastic_net_document(alpha: float = 0.1, l1_ratio: float = 0.5) -> dict[str, Any]:
    """scikit-learn's `ElasticNet(alpha, l1_ratio)`.

    It minimises (1/2n)·‖y − Xw‖² + α·l1_ratio·‖w‖₁ + ½·α·(1 − l1_ratio)·‖w‖², half of what is minimised
    here. With `proximal` the l1 part is a soft threshold after each step, which gives true zeros.
    """
    return linear_document(
        "diabetes, elastic net",
        {"l1": 2 * alpha * l1_ratio, "l2": alpha * (1 - l1_ratio), "proximal": True},
    )


def documents() -> dict[str, dict[str, Any]]:
    """The documents by file name."""
    return {
        "excess_l1.json": excess_document("l1", 1),
        "excess_l2.json": excess_document("l2", 5),
        "bounds_penalty.json": bounds_penalty_document(),
        "bounds_layer.json": bounds_layer_document(),
        "asymmetric_error.json": asymmetric_document(),
        "ridge.json": ridge_document(),
        "elastic_net.json": elastic_net_document(),
    }


if __name__ == "__main__":
    write(documents())
