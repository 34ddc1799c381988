"""What declared limits are measured on: a document for each kind of quantity, on synthetic and on real data.

All rows train, as losses of training are compared. The real data are those of the examples, which come with
scikit-learn.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np

EXAMPLES = Path(__file__).parents[1] / "examples"

Document = dict[str, Any]


def tasks() -> dict[str, Document]:
    """The documents by what they are about."""
    above = {"type": "elements_above", "threshold": 0.5}
    return {
        "count of free outputs": free_outputs({"quantity": above, "at_most": 2}),
        "count of labels, mean": example("count", {"quantity": above, "at_most": 2}),
        "count of labels, every sample": example("count"),
        "count of labels, 9 of 10 samples": example(
            "count", {"quantity": above, "at_most": 2, "over": {"quantile": 0.9}}
        ),
        "excess, mean": example(
            "bounds", {"quantity": {"type": "excess_above", "threshold": 0, "norm": "l1"}, "at_most": 0.05}
        ),
        "bounds, every sample": example("bounds"),
        "sums within a tenth of 1, every sample": shares(
            {"quantity": {"type": "sum_to", "value": 1, "norm": "l1"}, "at_most": 0.1, "over": "every_sample"}
        ),
        "sums equal to 1, every sample": shares(
            {"quantity": {"type": "linear", "coefficients": [1, 1, 1]}, "equals": 1, "over": "every_sample"}
        ),
        "budget, mean": shares({"quantity": {"type": "linear", "coefficients": [1, 2, 3]}, "at_most": 1}),
        "budget, every sample": example("budget"),
        "norm, 9 of 10 samples": example(
            "bounds", {"quantity": {"type": "norm", "norm": "l1"}, "at_most": 1, "over": {"quantile": 0.9}}
        ),
        "expression: mean shortfall": example(
            "bounds",
            {
                "quantity": {"type": "expression", "expression": "relu(y_true - y_pred)"},
                "at_most": 0.1,
            },
        ),
        "recall": example("recall"),
        "precision": example("recall", {"quantity": {"type": "precision"}, "at_least": 0.95}),
        "false positive rate": example(
            "recall", {"quantity": {"type": "false_positive_rate"}, "at_most": 0.02}
        ),
        "difference of positive rates": example("parity"),
        "accuracy of a group": example(
            "parity", {"quantity": {"type": "accuracy", "where": "smooth"}, "at_least": 0.93}
        ),
        "activation sparsity": example("activations"),
        "weight sparsity": example("weights"),
    }


def example(name: str, limit: Document | None = None) -> Document:
    """An example document on all its rows, perhaps with another limit."""
    document: Document = json.loads((EXAMPLES / f"limit_{name}.json").read_text())
    del document["split"]
    document["constraints"] = [limit or document["constraints"][0]]
    document["constraints"][0].pop("guarantee", None)
    return document


def free_outputs(limit: Document) -> Document:
    """Six outputs that are weights, so that the best loss is known."""
    return {
        "dataset": {"inline": {"x": [[1.0]], "y": [[0.9, 0.8, 0.75, 0.6, 0.55, 0.2]]}},
        "model": {"layers": [{"type": "Dense", "units": 6, "use_bias": False}]},
        "loss": "mean_squared_error",
        "constraints": [limit],
        "optimizer": {"type": "Adam", "learning_rate": 0.01},
        "fit": {"epochs": 1000, "batch_size": 32},
    }


def shares(limit: Document) -> Document:
    """Three outputs of 256 samples with four features each; their targets add up to about 1, with noise."""
    random = np.random.default_rng(0)
    x = random.normal(size=(256, 4))
    scores = np.exp(x @ random.normal(size=(4, 3)))
    y = scores / scores.sum(axis=1, keepdims=True) + random.normal(scale=0.2, size=(256, 3))
    return {
        "dataset": {"inline": {"x": x.round(3).tolist(), "y": y.round(3).tolist()}},
        "model": {
            "layers": [{"type": "Dense", "units": 16, "activation": "tanh"}, {"type": "Dense", "units": 3}]
        },
        "loss": "mean_squared_error",
        "constraints": [limit],
        "optimizer": {"type": "Adam", "learning_rate": 0.003},
        "fit": {"epochs": 300, "batch_size": 32},
    }
