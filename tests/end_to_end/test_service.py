"""The service as a client meets it: `kerb serve` as a process, over HTTP, training real models."""

import csv
import hashlib
import io
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.support.documents import long_document, tiny_document
from tests.support.service import Service

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def finished(service: Service) -> dict[str, Any]:
    """A run that succeeded."""
    run = service.run(tiny_document(epochs=7, name="seven"))
    assert run["status"] == "succeeded", run["error"]
    return run


def test_a_run_succeeds(finished: dict[str, Any]) -> None:
    assert finished["progress"] == {"epoch": 7, "epochs": 7}
    assert finished["error"] is None
    assert finished["created_at"] <= finished["started_at"] <= finished["finished_at"]


def test_its_history_has_every_epoch_once(service: Service, finished: dict[str, Any]) -> None:
    metrics = service.get(f"/runs/{finished['id']}/metrics")

    assert metrics["epochs"] == [1, 2, 3, 4, 5, 6, 7]
    assert len(metrics["series"]["loss"]) == 7
    assert metrics["series"]["loss"][-1] < metrics["series"]["loss"][0]


def test_its_statistics(service: Service, finished: dict[str, Any]) -> None:
    statistics = service.get(f"/runs/{finished['id']}/statistics")

    assert statistics["run_id"] == finished["id"]
    assert statistics["epoch"] == 7
    (above,) = statistics["splits"]["train"]["elements_above"]
    assert above["threshold"] == 0.5
    assert 0 <= above["total"] <= 4
    assert "dense" in statistics["weight_sparsity"]


def test_its_artifacts_are_what_the_routes_answer(service: Service, finished: dict[str, Any]) -> None:
    path = f"/runs/{finished['id']}"
    names = [item["name"] for item in service.get(f"{path}/artifacts")["items"]]

    assert names == [
        "model.keras",
        "model.onnx",
        "activations.onnx",
        "continuation.npz",
        "signature.json",
        "run.json",
        "history.csv",
        "statistics.json",
    ]
    for item in service.get(f"{path}/artifacts")["items"]:
        content = service.client.get(item["href"]).content
        assert (len(content), hashlib.sha256(content).hexdigest()) == (item["bytes"], item["sha256"])
    assert service.get(f"{path}/artifacts/run.json") == finished
    assert service.get(f"{path}/artifacts/statistics.json") == service.get(f"{path}/statistics")
    answered = service.client.get(f"{path}/metrics", headers={"accept": "text/csv"}).text
    assert service.client.get(f"{path}/artifacts/history.csv").text == answered
    assert len(list(csv.reader(io.StringIO(answered)))) == 8


def test_its_model_opens_in_plain_keras_and_predicts_what_the_service_predicts(
    service: Service, finished: dict[str, Any], tmp_path: Path
) -> None:
    content = service.client.get(f"/runs/{finished['id']}/artifacts/model.keras").content
    (tmp_path / "model.keras").write_bytes(content)
    code = f"""
import importlib.util, sys
sys.path = [path for path in sys.path if path != {str(ROOT)!r}]
assert importlib.util.find_spec("app") is None
import keras, numpy as np
model = keras.models.load_model("model.keras")
print(float(model(np.array([[0.25, 0.75]], "float32"))[0, 0]))
"""
    command = [sys.executable, "-I", "-c", code]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)

    answer = service.client.post("/predict", json={"run_id": finished["id"], "instances": [[0.25, 0.75]]})

    assert answer.status_code == 200, answer.text
    assert answer.json()["predictions"][0][0] == pytest.approx(float(done.stdout), rel=1e-5)


def test_prefer_wait_answers_with_the_ended_run(service: Service) -> None:
    run = service.submit(tiny_document(), Prefer="wait=60")

    assert run["status"] == "succeeded"


def test_many_can_wait(service: Service) -> None:
    with ThreadPoolExecutor(8) as threads:
        runs = list(
            threads.map(lambda seed: service.submit(tiny_document(seed=seed), Prefer="wait=60"), range(8))
        )

    assert [run["status"] for run in runs] == ["succeeded"] * 8


def test_many_clients_at_once_are_all_answered(service: Service) -> None:
    def post_and_delete(seed: int) -> list[int]:
        posted = service.client.post("/runs", json=long_document(seed=seed))
        path = posted.headers["location"]
        read = [service.client.get(path), service.client.get("/runs"), service.client.get(f"{path}/metrics")]
        ended = [service.client.post(f"{path}/cancel"), service.client.delete(path)]
        return [answer.status_code for answer in (posted, *read, *ended)]

    with ThreadPoolExecutor(24) as threads:
        answers = list(threads.map(post_and_delete, range(72)))

    assert answers == [[201, 200, 200, 200, 200, 204]] * 72


def test_an_idle_worker_takes_a_run_at_once(service: Service) -> None:
    run = service.run(tiny_document())
    created, started = (float(run[key][17:-1]) for key in ("created_at", "started_at"))

    # Not a bound on speed: it takes a run when it comes, and not at some later time such as a heartbeat.
    assert (started - created) % 60 < 1.0


def test_a_running_run_is_cancelled_and_the_next_one_trained(service: Service) -> None:
    run_id = service.submit(long_document())["id"]
    service.wait_until(run_id, lambda run: run["progress"]["epoch"] > 100)

    answer = service.client.post(f"/runs/{run_id}/cancel")

    assert answer.json()["status"] == "cancelled"
    assert service.run(tiny_document())["status"] == "succeeded"
    epochs = service.get(f"/runs/{run_id}/metrics")["epochs"]
    assert epochs == list(range(1, service.get(f"/runs/{run_id}")["progress"]["epoch"] + 1))
    assert service.client.delete(f"/runs/{run_id}").status_code == 204
    assert [path for path in service.data_dir.rglob("*") if run_id in str(path)] == []


def test_metrics_can_be_followed_while_it_trains(service: Service) -> None:
    run_id = service.submit(long_document())["id"]
    seen: list[int] = []
    while len(seen) < 1000:
        seen += service.get(f"/runs/{run_id}/metrics", since_epoch=seen[-1] if seen else 0)["epochs"]
        time.sleep(0.05)
    service.client.post(f"/runs/{run_id}/cancel")

    assert seen == list(range(1, len(seen) + 1))


def test_a_run_that_diverges_fails_and_says_when(service: Service) -> None:
    document = tiny_document(
        epochs=500, loss="mean_squared_error", optimizer={"type": "SGD", "learning_rate": 1e20}
    )
    document["model"]["layers"][0]["activation"] = "linear"

    run = service.run(document)

    assert run["status"] == "failed"
    assert run["error"]["code"] == "diverged"
    assert str(run["progress"]["epoch"]) in run["error"]["message"]
    assert service.get(f"/runs/{run['id']}/metrics")["epochs"][-1] == run["progress"]["epoch"]
    assert service.client.get(f"/runs/{run['id']}/statistics").status_code == 409
    assert service.run(tiny_document())["status"] == "succeeded"


def test_a_loss_is_evaluated_while_a_run_trains(service: Service) -> None:
    run_id = service.submit(long_document())["id"]
    service.wait_until(run_id, lambda run: run["status"] == "running")

    answer = service.client.post(
        "/losses/evaluate",
        json={"loss": "mean_squared_error", "y_true": [[1.0], [2.0]], "y_pred": [[2.0], [4.0]]},
    )
    service.client.post(f"/runs/{run_id}/cancel")

    assert answer.status_code == 200, answer.text
    assert answer.json()["value"] == 2.5
    assert answer.json()["gradient"] == [[1.0], [2.0]]


def test_a_loss_that_does_not_fit_is_refused_by_field(service: Service) -> None:
    document = {"loss": "mean_squared_error", "y_true": [[1.0, 2.0]], "y_pred": [[2.0]]}

    answer = service.client.post("/losses/evaluate", json=document)

    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"].startswith("/y_")


def test_the_api_process_has_not_imported_keras(service: Service, finished: dict[str, Any]) -> None:
    maps = Path(f"/proc/{service.process.pid}/maps").read_text()

    assert "onnxruntime" in maps
    assert "tensorflow" not in maps


def test_a_taken_port_is_told_in_a_sentence(service: Service, tmp_path: Path) -> None:
    port = service.url.rpartition(":")[2]
    command = [sys.executable, "-m", "app.cli", "serve", "--port", port, "--data-dir", str(tmp_path)]

    done = subprocess.run(command, capture_output=True, text=True, check=False)

    assert done.returncode == 1
    assert f"Can't listen on 127.0.0.1:{port}" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_wrong_setting_is_told_in_a_sentence(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "app.cli", "serve", "--data-dir", str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"KERB_LEASE_SECONDS": "soon"},
    )

    assert done.returncode == 2
    assert "lease_seconds" in done.stderr
    assert "Traceback" not in done.stderr
