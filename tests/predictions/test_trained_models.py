"""Predictions of models that a worker has trained, against the statistics that it stored."""

from typing import Any

import numpy as np
import pytest

from tests.support.documents import tiny_document
from tests.support.service import Service

RANDOM = np.random.default_rng(1)
A = RANDOM.normal(size=(12, 2)).round(3).tolist()
B = RANDOM.normal(size=(12, 3)).round(3).tolist()


@pytest.fixture(scope="module")
def run(service: Service) -> dict[str, Any]:
    """A run with two inputs and two outputs."""
    targets = {"few": RANDOM.normal(size=(12, 4)).round(3).tolist(), "flag": [[n % 2] for n in range(12)]}
    finished = service.run(
        {
            "dataset": {"inline": {"x": {"a": A, "b": B}, "y": targets}},
            "model": {
                "layers": [
                    {"type": "Input", "name": "a"},
                    {"type": "Input", "name": "b"},
                    {"type": "Concatenate", "name": "both", "inputs": ["a", "b"]},
                    {"type": "Dense", "name": "few", "units": 4, "inputs": "both"},
                    {
                        "type": "Dense",
                        "name": "flag",
                        "units": 1,
                        "activation": "sigmoid",
                        "inputs": "both",
                    },
                ],
                "outputs": ["few", "flag"],
            },
            "constraints": [{"quantity": {"type": "elements_above", "of": "few"}, "at_most": 1}],
            "loss": {"few": "mean_squared_error", "flag": "binary_crossentropy"},
            "fit": {"epochs": 5},
            "statistics": {"thresholds": [0.5, -0.25]},
        }
    )
    assert finished["status"] == "succeeded", finished["error"]
    return finished


def predict(service: Service, run: dict[str, Any], instances: Any) -> dict[str, Any]:
    answer = service.client.post("/predict", json={"run_id": run["id"], "instances": instances})
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


def test_the_batch_it_was_trained_on_has_the_statistics_that_the_worker_stored(
    service: Service, run: dict[str, Any]
) -> None:
    answer = predict(service, run, {"a": A, "b": B})
    stored = service.get(f"/runs/{run['id']}/statistics")["splits"]["train"]["elements_above"]
    assert len(stored) == 4
    assert sorted(answer["statistics"]["elements_above"], key=str) == sorted(stored, key=str)


def test_the_limits_of_the_document_stand_where_the_worker_counted_them(
    service: Service, run: dict[str, Any]
) -> None:
    (held,) = predict(service, run, {"a": A, "b": B})["statistics"]["constraints"]
    (stored,) = service.get(f"/runs/{run['id']}/statistics")["splits"]["train"]["constraints"]
    told = held.keys() - {"quantity"}
    assert {"value", "limit", "satisfied", "slack", "share_of_samples_satisfied"} < told
    assert {name: held[name] for name in told} == {name: stored[name] for name in told}


def test_the_loss_tells_what_the_classes_are(service: Service, run: dict[str, Any]) -> None:
    document = {"run_id": run["id"], "instances": {"a": A, "b": B}}
    probabilities = service.client.post("/predict", json=document).json()["predictions"]
    said = service.client.post("/predict", json={**document, "return": "classes"}).json()["predictions"]
    assert said["few"] == np.argmax(probabilities["few"], axis=1).tolist()
    assert said["flag"] == [int(row[0] > 0.5) for row in probabilities["flag"]]


def test_rows_predict_the_same_alone_and_in_a_batch(service: Service, run: dict[str, Any]) -> None:
    batch = predict(service, run, [{"a": a, "b": b} for a, b in zip(A, B, strict=True)])["predictions"]
    assert np.shape(batch["few"]) == (12, 4)
    assert np.shape(batch["flag"]) == (12, 1)
    for row in range(3):
        alone = predict(service, run, {"a": [A[row]], "b": [B[row]]})["predictions"]
        np.testing.assert_allclose(alone["few"], [batch["few"][row]], rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(alone["flag"], [batch["flag"][row]], rtol=1e-5, atol=1e-6)


def test_a_deleted_run_predicts_no_more(service: Service) -> None:
    deleted = service.run(tiny_document())
    predict(service, deleted, [[0, 1]])
    assert service.client.delete(f"/runs/{deleted['id']}").status_code == 204
    answer = service.client.post("/predict", json={"run_id": deleted["id"], "instances": [[0, 1]]})
    assert answer.status_code == 404, answer.text
