"""Writes the sweeps: whole studies in one document each, to post to `/sweeps`.

.venv/bin/python examples/make_sweeps.py
"""

from typing import Any

from make_circles import circles_document
from sklearn.datasets import load_breast_cancer, load_diabetes

from render import write

BEFORE, AFTER = ("/model/layers/0/activity_regularizer", "/model/layers/1/activity_regularizer")
STRENGTHS = [1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1]


def circles_sweep() -> dict[str, Any]:
    """The circles study: strength, norm and place of the regularizer, with ten seeds."""
    regularizer = {"l1": 0.0001, "l2": 0.0001, "reduction": "sum"}
    base = circles_document(
        "circles",
        dense={"activity_regularizer": regularizer},
        activation={"activity_regularizer": regularizer},
    )
    places = [f"{place}/{norm}" for place in (BEFORE, AFTER) for norm in ("l1", "l2")]
    return {
        "name": "circles: strength, norm and place of the regularizer",
        "base": base | {"export": False},
        "axes": [
            {"name": "strength", "pointer": places, "values": STRENGTHS},
            {
                "name": "norm",
                "choice": {
                    "l1": {f"{BEFORE}/l2": 0, f"{AFTER}/l2": 0},
                    "l2": {f"{BEFORE}/l1": 0, f"{AFTER}/l1": 0},
                    "both": {},
                },
            },
            {"name": "place", "choice": {"before the relu": {AFTER: None}, "on the relu": {BEFORE: None}}},
        ],
        "repeats": 10,
        "objectives": [{"metric": "val_accuracy", "goal": "maximize"}],
    }


def data(loaded: Any) -> dict[str, Any]:
    """Standardized inputs, to four digits, and the target."""
    x = (loaded.data - loaded.data.mean(axis=0)) / loaded.data.std(axis=0)
    return {"inline": {"x": x.round(4).tolist(), "y": loaded.target.tolist()}}


def cancer_sweep() -> dict[str, Any]:
    """Breast cancer: standard against false-negative-weighted cross-entropy, with five folds."""
    weighted = {"type": "weighted_binary_crossentropy", "false_negative_weight": 5}
    return {
        "name": "breast cancer: what a false negative costs",
        "base": {
            "dataset": data(load_breast_cancer()),
            "model": {
                "layers": [
                    {"type": "Dense", "units": 16, "activation": "relu"},
                    {"type": "Dense", "units": 1, "activation": "sigmoid"},
                ]
            },
            "loss": "binary_crossentropy",
            "metrics": ["accuracy", "precision", "recall", "f1_score"],
            "fit": {"epochs": 60, "batch_size": 32},
            "export": False,
        },
        "axes": [{"name": "loss", "choice": {"standard": {}, "weighted": {"/loss": weighted}}}],
        "folds": {"count": 5, "kind": "stratified", "shuffle": True, "seed": 1},
        "objectives": [{"metric": "val_recall", "goal": "maximize"}],
    }


def linear(name: str, regularizer: dict[str, Any], pointer: str, strengths: list[float]) -> dict[str, Any]:
    """A linear regression on the diabetes data over strengths of a regularizer, with five folds."""
    return {
        "name": name,
        "base": {
            "dataset": {"inline": scaled_diabetes()},
            "model": {"layers": [{"type": "Dense", "units": 1, "kernel_regularizer": regularizer}]},
            "loss": "mean_squared_error",
            "metrics": ["r2_score"],
            "optimizer": {"type": "Adam", "learning_rate": 0.01},
            "fit": {"epochs": 300, "batch_size": 442},
            "export": False,
        },
        "axes": [
            {
                "name": "strength",
                "pointer": f"/model/layers/0/kernel_regularizer/{pointer}",
                "values": strengths,
            }
        ],
        "folds": 5,
        "objectives": [{"metric": "val_r2_score", "goal": "maximize"}],
    }


def scaled_diabetes() -> dict[str, Any]:
    """Inputs and target, all of mean 0 and deviation 1, to four digits."""
    loaded = load_diabetes()
    x = loaded.data / loaded.data.std(axis=0)
    y = (loaded.target - loaded.target.mean()) / loaded.target.std()
    return {"x": x.round(4).tolist(), "y": y.round(4).tolist()}


def documents() -> dict[str, dict[str, Any]]:
    """The documents by file name."""
    ridge = linear("the ridge path", {"l2": 0.01}, "l2", [0.001, 0.01, 0.1, 1.0, 10.0])
    lasso = linear(
        "features chosen by a proximal l1", {"l1": 0.01, "proximal": True}, "l1", [0.001, 0.01, 0.1, 0.3, 1.0]
    )
    return {
        "sweep_circles.json": circles_sweep(),
        "sweep_false_negatives.json": cancer_sweep(),
        "sweep_ridge.json": ridge,
        "sweep_features.json": lasso,
    }


if __name__ == "__main__":
    write(documents())
