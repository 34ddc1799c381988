"""A model without an ONNX form is scored by a worker, by every route, as Keras scores it."""

import asyncio
import re
from typing import Any

import httpx
import keras
import numpy as np
import pytest
import tritonclient.http as triton

from app.main import create_app
from app.predictions.worker_models import MOST_ELEMENTS
from app.settings import Settings
from tests.support.service import Service

RANDOM = np.random.default_rng(4)
X = RANDOM.normal(size=(6, 4, 3, 1)).round(3)

DOCUMENT = {
    "dataset": {"inline": {"x": X.tolist(), "y": RANDOM.normal(size=(6, 2)).round(3).tolist()}},
    "model": {
        "layers": [
            {"type": "Input", "name": "image", "shape": [None, None, 1]},
            # The converter to ONNX needs to know how large these images are.
            {"type": "UpSampling2D", "interpolation": "bilinear"},
            {"type": "GlobalMaxPooling2D"},
            {"type": "Dense", "name": "dense", "units": 2},
        ]
    },
    "loss": "mean_squared_error",
    "constraints": [{"quantity": {"type": "elements_above", "threshold": 0.5}, "at_most": 2}],
    "fit": {"epochs": 1},
}


@pytest.fixture(scope="module")
def run(service: Service) -> dict[str, Any]:
    finished = service.run(DOCUMENT)
    assert finished["status"] == "succeeded", finished["error"]
    return finished


@pytest.fixture(scope="module")
def expected(service: Service, run: dict[str, Any]) -> np.ndarray:
    path = service.data_dir / "artifacts" / run["id"] / "model.keras"
    predictions: np.ndarray = keras.models.load_model(path).predict(X, verbose=0)
    return predictions


def test_the_run_says_who_scores_and_why(service: Service, run: dict[str, Any]) -> None:
    assert run["scoring"]["by"] == "worker"
    assert "UpSampling2D" in run["scoring"]["reason"]
    names = [item["name"] for item in service.get(f"/runs/{run['id']}/artifacts")["items"]]
    assert "model.keras" in names
    assert "model.onnx" not in names


def test_the_figures_of_the_service_count_it(service: Service, run: dict[str, Any]) -> None:
    found = re.search(r"^kerb_onnx_fallbacks_total (.*)$", service.client.get("/metrics").text, re.MULTILINE)
    assert found is not None
    assert float(found[1]) >= 1


def test_predict(service: Service, run: dict[str, Any], expected: np.ndarray) -> None:
    body = {"run_id": run["id"], "instances": X.tolist(), "threshold": 0.0}
    answer = service.client.post("/predict", json=body).json()
    np.testing.assert_allclose(answer["predictions"], expected, rtol=1e-4, atol=1e-5)
    assert answer["statistics"]["elements_above"][0]["total"] == np.count_nonzero(expected > 0)


def test_an_ensemble_of_it(service: Service, run: dict[str, Any], expected: np.ndarray) -> None:
    body = {"run_ids": [run["id"], run["id"]], "instances": X.tolist()}
    answer = service.client.post("/predict", json=body).json()
    np.testing.assert_allclose(answer["predictions"], expected, rtol=1e-4, atol=1e-5)


def test_other_protocols(service: Service, run: dict[str, Any], expected: np.ndarray) -> None:
    answer = service.client.post(f"/v1/models/{run['id']}:predict", json={"instances": X.tolist()}).json()
    np.testing.assert_allclose(answer["predictions"], expected, rtol=1e-4, atol=1e-5)
    with triton.InferenceServerClient(service.url.removeprefix("http://")) as client:
        tensor = triton.InferInput("image", list(X.shape), "FP32").set_data_from_numpy(np.float32(X))
        result = client.infer(run["id"], [tensor])
    np.testing.assert_allclose(result.as_numpy("dense"), expected, rtol=1e-4, atol=1e-5)


def test_evaluating_it(service: Service, run: dict[str, Any]) -> None:
    figures = service.client.post(f"/runs/{run['id']}/evaluate", json={"split": "train"}).json()
    stored = service.get(f"/runs/{run['id']}/statistics")["splits"]["train"]
    assert figures["elements_above"] == stored["elements_above"]
    assert figures["activation_sparsity"].keys() == stored["activation_sparsity"].keys()
    for layer, sparsity in stored["activation_sparsity"].items():
        near = {name: value and pytest.approx(value, rel=1e-5) for name, value in sparsity.items()}
        assert figures["activation_sparsity"][layer] == near


def test_more_rows_than_go_to_a_worker_at_once(service: Service, run: dict[str, Any]) -> None:
    rows = np.tile(np.float32(X), (1, 16, 16, 1))  # 3072 numbers a row
    several = np.concatenate([rows] * (2 * MOST_ELEMENTS // rows.size + 1))
    body = {"run_id": run["id"], "instances": several.tolist()}
    predictions = np.array(service.client.post("/predict", json=body).json()["predictions"])
    assert predictions.shape == (len(several), 2)
    np.testing.assert_allclose(predictions, np.tile(predictions[:6], (len(several) // 6, 1)), rtol=1e-5)


def test_more_than_may_wait_are_refused_and_the_others_answered(
    service: Service, run: dict[str, Any], expected: np.ndarray
) -> None:
    app = create_app(Settings(data_dir=service.data_dir, max_waiting_calls=2))
    asked = {"run_id": run["id"], "instances": X.tolist()}

    async def ask_at_once() -> list[httpx.Response]:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://testserver") as client:
            return await asyncio.gather(*(client.post("/predict", json=asked) for _ in range(10)))

    answers = asyncio.run(ask_at_once())
    app.state.kerb.predictor.close()
    answered = [answer.json()["predictions"] for answer in answers if answer.status_code == 200]
    refused = [answer for answer in answers if answer.status_code == 503]
    assert answered
    assert refused
    assert len(answered) + len(refused) == 10
    for predictions in answered:
        np.testing.assert_allclose(predictions, expected, rtol=1e-5)
    for answer in refused:
        assert "KERB_MAX_WAITING_CALLS" in answer.json()["detail"]
        assert int(answer.headers["retry-after"]) > 0
