"""Every figure of a run, and none left out, against NumPy and scikit-learn on what `model.keras` computes.

What is compared are whole answers, so that a figure without a formula here fails.
"""

import math
from typing import Any

import keras
import numpy as np
import pytest
from sklearn import metrics

from tests.support.service import Service

RANDOM = np.random.default_rng(5)
X = RANDOM.normal(size=(90, 4)).round(2)
ROWS = {"train": (0, 50), "validation": (50, 70), "test": (70, 90)}
THRESHOLDS = [0.5, 0.2]
NEAR_ZERO = 0.02


def noisy(units: int) -> np.ndarray:
    return X @ RANDOM.normal(size=(4, units)) + RANDOM.normal(size=(90, units))


TARGETS = {
    "kind": noisy(3).argmax(axis=1),
    "answer": (noisy(1) > 0).astype(int),
    "labels": (noisy(3) > 0).astype(int),
    "amount": noisy(2).round(3),
}
ACTIVATIONS = {"kind": "softmax", "answer": "sigmoid", "labels": "sigmoid", "amount": "linear"}
UNITS = {"kind": 3, "answer": 1, "labels": 3, "amount": 2}
LAYERS = ["hidden", *TARGETS]


@pytest.fixture(scope="module")
def run_id(service: Service) -> str:
    heads = [
        {"type": "Dense", "name": name, "units": UNITS[name], "activation": of, "inputs": ["hidden"]}
        for name, of in ACTIVATIONS.items()
    ]
    hidden = {
        "type": "Dense",
        "name": "hidden",
        "units": 8,
        "activation": "relu",
        "activity_regularizer": {"l1": 0.02},
    }
    run = service.run(
        {
            "dataset": {"inline": {"x": X.tolist(), "y": {name: y.tolist() for name, y in TARGETS.items()}}},
            "split": {name: {"rows": list(rows)} for name, rows in ROWS.items()},
            "model": {"layers": [hidden, *heads], "outputs": list(TARGETS)},
            "loss": {
                "kind": "sparse_categorical_crossentropy",
                "answer": "binary_crossentropy",
                "labels": "binary_crossentropy",
                "amount": "mean_squared_error",
            },
            "statistics": {"thresholds": THRESHOLDS, "near_zero": NEAR_ZERO},
            "fit": {"epochs": 150},
        }
    )
    assert run["status"] == "succeeded", run["error"]
    return str(run["id"])


@pytest.fixture(scope="module")
def model(service: Service, run_id: str) -> keras.Model:
    loaded: keras.Model = keras.models.load_model(service.data_dir / "artifacts" / run_id / "model.keras")
    return loaded


@pytest.fixture(scope="module")
def activations(model: keras.Model) -> dict[str, np.ndarray]:
    tapped = keras.Model(model.inputs, [model.get_layer(name).output for name in LAYERS])
    return dict(zip(LAYERS, tapped.predict(X.astype("float32"), verbose=0), strict=True))


def same(found: Any, expected: Any, at: str = "") -> None:
    """Compares what may be nested, numbers to float32's precision."""
    if isinstance(expected, dict):
        assert found.keys() == expected.keys(), at
        for key, value in expected.items():
            same(found[key], value, f"{at}/{key}")
    elif isinstance(expected, list):
        assert len(found) == len(expected), at
        for place, value in enumerate(expected):
            same(found[place], value, f"{at}/{place}")
    elif isinstance(expected, str) or expected is None:
        assert found == expected, at
    else:
        assert found == pytest.approx(expected, rel=1e-5, abs=1e-6), at


def above(predicted: np.ndarray, threshold: float) -> dict[str, Any]:
    counts = [int((row > threshold).sum()) for row in predicted]
    return {
        "threshold": threshold,
        "total": sum(counts),
        "fraction": sum(counts) / predicted.size,
        "per_sample": {
            "mean": np.mean(counts),
            "std": np.std(counts),
            "min": min(counts),
            "median": np.median(counts),
            "p95": np.percentile(counts, 95),
            "max": max(counts),
        },
        "histogram": {str(count): counts.count(count) for count in sorted(set(counts))},
    }


def calibration(p: np.ndarray, came_true: np.ndarray) -> dict[str, Any]:
    bins, error = [], 0.0
    for k in range(10):
        within = [n for n, value in enumerate(p) if math.ceil(value * 10 - 1e-9) - 1 == k or value == k == 0]
        if within:
            mean, share = float(p[within].mean()), float(came_true[within].mean())
            error += len(within) / len(p) * abs(share - mean)
            bins.append(
                {
                    "from": k / 10,
                    "to": (k + 1) / 10,
                    "count": len(within),
                    "mean_predicted": mean,
                    "fraction_true": share,
                }
            )
    return {"expected_calibration_error": error, "bins": bins}


def of_two_classes(true: np.ndarray, p: np.ndarray) -> dict[str, Any]:
    said = p > 0.5
    return {
        "accuracy": metrics.accuracy_score(true, said),
        "precision": metrics.precision_score(true, said, zero_division=np.nan),
        "recall": metrics.recall_score(true, said),
        "f1_score": metrics.f1_score(true, said),
        "roc_auc": metrics.roc_auc_score(true, p),
        "confusion_matrix": metrics.confusion_matrix(true, said, labels=[0, 1]).tolist(),
    }


def of_labels(true: np.ndarray, p: np.ndarray) -> dict[str, Any]:
    alone = [of_two_classes(true[:, label], p[:, label]) for label in range(true.shape[1])]
    means = {
        name: np.nanmean([one[name] for one in alone]) for name in alone[0] if name != "confusion_matrix"
    }
    matrices = [one["confusion_matrix"] for one in alone]
    return {**means, "confusion_matrix": matrices, "calibration": calibration(p.ravel(), true.ravel())}


def of_classes(true: np.ndarray, p: np.ndarray) -> dict[str, Any]:
    said = p.argmax(axis=1)
    means = {"average": "macro", "zero_division": 0}
    return {
        "accuracy": metrics.accuracy_score(true, said),
        "precision": metrics.precision_score(true, said, **means),
        "recall": metrics.recall_score(true, said, **means),
        "f1_score": metrics.f1_score(true, said, **means),
        "roc_auc": np.mean([metrics.roc_auc_score(true == one, p[:, one]) for one in range(3)]),
        "confusion_matrix": metrics.confusion_matrix(true, said, labels=range(3)).tolist(),
        "calibration": calibration(p.max(axis=1), said == true),
    }


def of_numbers(true: np.ndarray, predicted: np.ndarray) -> dict[str, Any]:
    squared = metrics.mean_squared_error(true, predicted)
    return {
        "mean_squared_error": squared,
        "mean_absolute_error": metrics.mean_absolute_error(true, predicted),
        "root_mean_squared_error": math.sqrt(squared),
        "r2_score": metrics.r2_score(true, predicted),
    }


def sparsity(a: np.ndarray) -> dict[str, Any]:
    root = math.sqrt(a.shape[1])
    rows = [row.astype(float) for row in a if row.any()]
    hoyers = [
        (root - np.abs(row).sum() / math.sqrt((row**2).sum())) / (root - 1) for row in rows if len(row) > 1
    ]
    return {
        "zero_fraction": np.mean(a == 0),
        "near_zero_fraction": np.mean(np.abs(a) <= NEAR_ZERO),
        "mean_activation": a.astype(float).mean(),
        "mean_absolute_activation": np.abs(a.astype(float)).mean(),
        "dead_units": sum(not column.any() for column in a.T),
        "hoyer": np.mean(hoyers) if hoyers else None,
    }


def of_weights(w: np.ndarray) -> dict[str, Any]:
    w = w.astype(float)
    return {
        "zero_fraction": np.mean(w == 0),
        "near_zero_fraction": np.mean(np.abs(w) <= NEAR_ZERO),
        "l1_norm": np.abs(w).sum(),
        "l2_norm": math.sqrt((w**2).sum()),
    }


def expected_of(activations: dict[str, np.ndarray], rows: slice) -> dict[str, Any]:
    true = {name: y[rows] for name, y in TARGETS.items()}
    a = {name: values[rows] for name, values in activations.items()}
    p = a["answer"].ravel()
    answer = {
        **of_two_classes(true["answer"].ravel(), p),
        "calibration": calibration(p, true["answer"].ravel()),
    }
    return {
        "elements_above": [
            {"output": name, **above(a[name], threshold)} for name in TARGETS for threshold in THRESHOLDS
        ],
        "classification": {
            "kind": of_classes(true["kind"], a["kind"]),
            "answer": answer,
            "labels": of_labels(true["labels"], a["labels"]),
        },
        "regression": {"amount": of_numbers(true["amount"], a["amount"])},
        "activation_sparsity": {name: sparsity(values) for name, values in a.items()},
    }


@pytest.mark.parametrize("split", ROWS)
def test_of_a_split(service: Service, run_id: str, activations: dict[str, np.ndarray], split: str) -> None:
    expected = expected_of(activations, slice(*ROWS[split]))
    same(service.get(f"/runs/{run_id}/statistics")["splits"][split], expected)
    evaluated = service.client.post(f"/runs/{run_id}/evaluate", json={"split": split}).json()
    same(evaluated, {"run_id": run_id, "samples": len(X[slice(*ROWS[split])]), **expected})


def test_of_the_weights(service: Service, run_id: str, model: keras.Model) -> None:
    expected = {}
    for name in LAYERS:
        kernel, bias = model.get_layer(name).get_weights()
        expected[name] = {
            **of_weights(kernel),
            "unused_input_features": [row for row, weights in enumerate(kernel) if not weights.any()],
            "variables": {"kernel": of_weights(kernel), "bias": of_weights(bias)},
        }
    same(service.get(f"/runs/{run_id}/statistics")["weight_sparsity"], expected)


def test_of_a_batch(service: Service, run_id: str, activations: dict[str, np.ndarray]) -> None:
    rows = slice(10, 35)
    body = {
        "run_id": run_id,
        "instances": X[rows].tolist(),
        "thresholds": [0.3, -0.1],
        "statistics": {"counts": True, "activation_sparsity": LAYERS},
    }
    expected = {
        "elements_above": [
            {
                "output": name,
                **above(activations[name][rows], threshold),
                "counts": [int((row > threshold).sum()) for row in activations[name][rows]],
            }
            for name in TARGETS
            for threshold in (0.3, -0.1)
        ],
        "activation_sparsity": {name: sparsity(activations[name][rows]) for name in LAYERS},
    }
    same(service.client.post("/predict", json=body).json()["statistics"], expected)
