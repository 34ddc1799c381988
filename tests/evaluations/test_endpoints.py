"""Figures after the fact, against NumPy and scikit-learn on the predictions of `model.keras` itself."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, f1_score, precision_score, recall_score, roc_auc_score

from app.statistics import activation_sparsity
from tests.support.documents import long_document
from tests.support.service import Service

ROWS = {"train": (0, 60), "validation": (60, 80), "test": (80, 100)}
RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(100, 3)).round(2)
Y = (X @ RANDOM.normal(size=(3, 4)) + RANDOM.normal(size=(100, 4)) > 0).astype(int)

PREDICT = """
import sys, keras, numpy as np
model = keras.models.load_model(sys.argv[1])
hidden = keras.Model(model.inputs, model.layers[-2].output)
x = np.load(sys.argv[2]).astype("float32")
np.savez(sys.argv[3], y=model.predict(x, verbose=0), hidden=hidden.predict(x, verbose=0))
"""


@pytest.fixture(scope="module")
def run_id(service: Service) -> str:
    document = {
        "dataset": {"inline": {"x": X.tolist(), "y": Y.tolist()}},
        "split": {name: {"rows": list(rows)} for name, rows in ROWS.items()},
        "model": {
            "layers": [
                {"type": "Dense", "units": 6, "activation": "relu"},
                {"type": "Dense", "units": 4, "activation": "sigmoid"},
            ]
        },
        "loss": "binary_crossentropy",
        "constraints": [{"quantity": {"type": "elements_above"}, "at_most": 2}],
        "fit": {"epochs": 60},
    }
    run = service.run(document)
    assert run["status"] == "succeeded", run["error"]
    return str(run["id"])


@pytest.fixture(scope="module")
def of_keras(
    service: Service, run_id: str, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, np.ndarray]:
    """What plain Keras makes of `model.keras`: predictions, and the activations of the first layer."""
    folder = tmp_path_factory.mktemp("keras")
    files = [folder / name for name in ("model.keras", "x.npy", "out.npz")]
    files[0].write_bytes(service.client.get(f"/runs/{run_id}/artifacts/model.keras").content)
    np.save(files[1], X)
    subprocess.run([sys.executable, "-c", PREDICT, *map(str, files)], check=True, cwd=Path("/"))
    return dict(np.load(files[2]))


def counts_of(predicted: np.ndarray, threshold: float) -> dict[str, Any]:
    counts = (predicted > threshold).sum(axis=1)
    values, samples = np.unique(counts, return_counts=True)
    return {
        "threshold": threshold,
        "total": counts.sum(),
        "fraction": counts.sum() / predicted.size,
        "per_sample": {
            "mean": pytest.approx(counts.mean()),
            "std": pytest.approx(counts.std()),
            "min": counts.min(),
            "median": np.median(counts),
            "p95": pytest.approx(np.percentile(counts, 95)),
            "max": counts.max(),
        },
        "histogram": {str(value): n for value, n in zip(values, samples, strict=True)},
    }


def test_statistics_are_those_of_keras_predictions(
    service: Service, run_id: str, of_keras: dict[str, np.ndarray]
) -> None:
    splits = service.get(f"/runs/{run_id}/statistics")["splits"]
    for name, (first, last) in ROWS.items():
        predicted, true = of_keras["y"][first:last], Y[first:last]
        said = predicted > 0.5
        assert splits[name]["elements_above"] == [counts_of(predicted, 0.5)]
        figures = splits[name]["classification"]
        labels = range(4)
        expected = {
            "accuracy": accuracy_score(true.ravel(), said.ravel()),
            "recall": np.mean([recall_score(true[:, i], said[:, i]) for i in labels]),
            "f1_score": np.mean([f1_score(true[:, i], said[:, i]) for i in labels]),
            "roc_auc": np.mean([roc_auc_score(true[:, i], predicted[:, i]) for i in labels]),
            "precision": np.mean(
                [precision_score(true[:, i], said[:, i]) for i in labels if said[:, i].any()]
            ),
        }
        assert {key: figures[key] for key in expected} == pytest.approx(expected)
        hidden = of_keras["hidden"][first:last].astype(np.float64)
        sparsity = splits[name]["activation_sparsity"]["dense"]
        norms = np.sqrt((hidden**2).sum(axis=1))
        alive = norms > 0
        ratio = np.abs(hidden).sum(axis=1)[alive] / norms[alive]
        assert sparsity["zero_fraction"] == pytest.approx((hidden == 0).mean())
        assert sparsity["near_zero_fraction"] == pytest.approx((np.abs(hidden) <= 0.001).mean())
        assert sparsity["mean_activation"] == pytest.approx(hidden.mean(), rel=1e-5)
        assert sparsity["dead_units"] == (hidden == 0).all(axis=0).sum()
        if alive.all():
            hoyer = ((np.sqrt(6) - ratio) / (np.sqrt(6) - 1)).mean()
            assert sparsity["hoyer"] == pytest.approx(hoyer, rel=1e-5)
        (limit,) = splits[name]["constraints"]
        assert limit["value"] == pytest.approx(said.sum(axis=1).mean())
        assert limit["satisfied"] == (said.sum() <= 2 * len(said))


def same_figures(asked: dict[str, Any], expected: dict[str, Any]) -> None:
    assert asked.keys() == expected.keys()
    for layer, figures in expected.items():
        assert asked[layer] == pytest.approx(figures, rel=1e-5), layer


def test_the_activations_of_a_batch_are_those_of_keras(
    service: Service, run_id: str, of_keras: dict[str, np.ndarray]
) -> None:
    expected = {
        "dense_1": activation_sparsity(of_keras["y"], 0.001),
        "dense": activation_sparsity(of_keras["hidden"], 0.001),
    }
    body = {"run_id": run_id, "instances": X.tolist(), "statistics": {"activation_sparsity": list(expected)}}
    same_figures(
        service.client.post("/predict", json=body).json()["statistics"]["activation_sparsity"], expected
    )

    lines = "".join(json.dumps(row) + "\n" for row in X.tolist())
    query = {"run_id": run_id, "activation_sparsity": list(expected)}
    headers = {"Content-Type": "application/x-ndjson", "Accept": "application/json"}
    answer = service.client.post("/predict", params=query, content=lines, headers=headers)
    same_figures(answer.json()["statistics"]["activation_sparsity"], expected)


@pytest.mark.parametrize(
    ("target", "layers", "pointer", "message"),
    [
        ({}, ["dense", "dens"], "/statistics/activation_sparsity/1", 'Did you mean "dense"'),
        ({}, "dense", "/statistics/activation_sparsity", "a list of names"),
        ({"run_ids": 2}, ["dense"], "/statistics/activation_sparsity/0", "one run"),
    ],
)
def test_activations_that_are_not_there(
    service: Service, run_id: str, target: dict[str, int], layers: Any, pointer: str, message: str
) -> None:
    whose = {"run_ids": [run_id] * target["run_ids"]} if target else {"run_id": run_id}
    body = {**whose, "instances": X.tolist(), "statistics": {"activation_sparsity": layers}}
    answer = service.client.post("/predict", json=body)
    assert answer.status_code == 422
    (problem,) = answer.json()["errors"]
    assert problem["pointer"] == pointer
    assert message in problem["message"]


def test_other_thresholds_need_no_training(
    service: Service, run_id: str, of_keras: dict[str, np.ndarray]
) -> None:
    stored = service.get(f"/runs/{run_id}/statistics")
    asked = service.get(f"/runs/{run_id}/statistics", threshold=[0.3, 0.7])
    for name, (first, last) in ROWS.items():
        predicted = of_keras["y"][first:last]
        assert asked["splits"][name].pop("elements_above") == [counts_of(predicted, t) for t in (0.3, 0.7)]
        stored["splits"][name].pop("elements_above")
    assert asked == stored


def test_the_curve_counts_at_every_threshold(
    service: Service, run_id: str, of_keras: dict[str, np.ndarray]
) -> None:
    (curve,) = service.get(f"/runs/{run_id}/statistics/elements_above", points=21)["outputs"].values()
    thresholds = np.float32(curve["thresholds"])
    assert len(thresholds) == 21
    np.testing.assert_allclose(thresholds[[0, -1]], [of_keras["y"].min(), of_keras["y"].max()], rtol=1e-5)
    for name, (first, last) in ROWS.items():
        predicted = of_keras["y"][first:last]
        inner = slice(1, -1)  # at the ends rounding decides
        above = [(predicted > threshold).mean() for threshold in thresholds[inner]]
        np.testing.assert_allclose(curve["splits"][name]["fraction"][inner], above, atol=1e-12)
        np.testing.assert_allclose(
            curve["splits"][name]["per_sample"][inner], 4 * np.array(above), atol=1e-12
        )
        assert curve["splits"][name]["fraction"][-1] == 0


def evaluate(service: Service, run_id: str, **body: Any) -> Any:
    return service.client.post(f"/runs/{run_id}/evaluate", json=body)


def test_a_part_of_its_own_data(service: Service, run_id: str) -> None:
    answer = evaluate(service, run_id, split="test").json()
    stored = service.get(f"/runs/{run_id}/statistics")["splits"]["test"]
    assert (answer["run_id"], answer["samples"]) == (run_id, 20)
    assert answer["elements_above"] == stored["elements_above"]
    assert answer["classification"]["confusion_matrix"] == stored["classification"]["confusion_matrix"]
    assert answer["classification"]["roc_auc"] == pytest.approx(stored["classification"]["roc_auc"])
    assert answer["constraints"][0]["satisfied"] == stored["constraints"][0]["satisfied"]


def test_the_activations_of_a_part_of_its_own_data(service: Service, run_id: str) -> None:
    stored = service.get(f"/runs/{run_id}/statistics")["splits"]
    for name in ROWS:
        asked = evaluate(service, run_id, split=name).json()["activation_sparsity"]
        same_figures(asked, stored[name]["activation_sparsity"])


def test_other_data(service: Service, run_id: str, of_keras: dict[str, np.ndarray]) -> None:
    inline = {"x": X[::3].tolist(), "y": Y[::3].tolist()}
    answer = evaluate(service, run_id, dataset={"inline": inline}, thresholds=[0.25]).json()
    assert answer["samples"] == len(X[::3])
    assert answer["elements_above"] == [counts_of(of_keras["y"][::3], 0.25)]
    right = (of_keras["y"][::3] > 0.5) == Y[::3]
    assert answer["classification"]["accuracy"] == pytest.approx(right.mean())


@pytest.mark.parametrize(
    ("body", "pointer", "message"),
    [
        ({}, "", "Expected split or dataset; received neither."),
        ({"split": "test", "dataset": {"inline": {"x": [1], "y": [1]}}}, "", "received both"),
        ({"split": "holdout"}, "/split", "received"),
        ({"split": "test", "thresholds": []}, "/thresholds", "Expected"),
        ({"dataset": {"inline": {"x": [[1, 2]], "y": [[0, 0, 0, 1]]}}}, "/dataset/inline/x", "shape [3]"),
        ({"dataset": {"inline": {"x": [[1, 2, 3]], "y": [[0, 1]]}}}, "/dataset/inline/y", "shape [4]"),
        ({"dataset": {"inline": {"x": [[1, 2, "3"]], "y": [[0, 1]]}}}, "/dataset/inline/x/0/2", '"3"'),
    ],
)
def test_wrong_requests(
    service: Service, run_id: str, body: dict[str, Any], pointer: str, message: str
) -> None:
    answer = evaluate(service, run_id, **body)
    assert answer.status_code == 422, answer.text
    problem = answer.json()["errors"][0]
    assert problem["pointer"] == pointer
    assert message in problem["message"]


def test_a_run_without_a_model_or_a_part_without_rows(service: Service, run_id: str) -> None:
    going = service.submit(long_document())["id"]
    assert evaluate(service, going, split="train").status_code == 409
    assert service.client.get(f"/runs/{going}/statistics/elements_above").status_code == 409
    service.client.post(f"/runs/{going}/cancel")
    assert evaluate(service, "run_" + "0" * 26, split="train").status_code == 404
    assert service.client.get(f"/runs/{run_id}/statistics", params={"threshold": "x"}).status_code == 422
