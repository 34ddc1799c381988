"""Errors that no route is at home to."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from app.database import Database
from app.main import create_app
from app.settings import Settings


@pytest.fixture
def client(database: Database, tmp_path: Path) -> Iterator[TestClient]:
    app = create_app(Settings(data_dir=tmp_path, call_seconds=0.1))
    app.add_api_route("/broken", lambda: 1 / 0)
    with TestClient(app, raise_server_exceptions=False) as client:
        yield client


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/nothing", 404, "not_found"),
        ("GET", "/runs/a/b/c/d", 404, "not_found"),
        ("PUT", "/runs", 405, "method_not_allowed"),
        ("GET", "/predict", 405, "method_not_allowed"),
        ("GET", "/broken", 500, "internal_error"),
        ("GET", "/readyz", 503, "unavailable"),
    ],
)
def test_every_error_is_a_problem_document(
    client: TestClient, method: str, path: str, status: int, code: str
) -> None:
    answer = client.request(method, path)

    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["type"] == f"urn:kerb:problem:{code}"
    assert problem["status"] == status
    assert problem["errors"] == []
    assert "ZeroDivisionError" not in answer.text


def test_who_must_wait_is_told_how_long(client: TestClient) -> None:
    assert int(client.get("/readyz").headers["retry-after"]) > 0


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ("/runs", "GET, POST"),
        ("/runs/run_1", "DELETE, GET"),
        ("/runs/compare", "GET"),
        ("/v1/models/spam", "GET"),
        ("/v1/models/spam:predict", "POST"),
        ("/v1/models/spam/versions/1:predict", "POST"),
        ("/runs/run_1/artifacts/model.onnx", "GET, HEAD"),
    ],
)
def test_a_method_that_is_not_allowed_names_those_that_are(
    client: TestClient, path: str, allowed: str
) -> None:
    answer = client.options(path)
    assert (answer.status_code, answer.headers["allow"]) == (405, allowed)


def test_a_question_that_no_worker_answers(client: TestClient) -> None:
    document = {"loss": "mean_squared_error", "y_true": [[1.0]], "y_pred": [[2.0]]}

    answer = client.post("/losses/evaluate", json=document)

    assert answer.status_code == 503
    assert answer.json()["code"] == "unavailable"


def test_the_process_is_alive_without_a_worker(client: TestClient) -> None:
    assert client.get("/healthz").json() == {"status": "alive"}


def test_a_database_that_is_gone_is_told(database: Database, tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path, database_url=f"sqlite:///{tmp_path}/no/such/folder/kerb.db")
    with TestClient(create_app(settings)) as client:
        answers = [client.get(path) for path in ("/readyz", "/runs", "/runs/run_1")]

    for answer in answers:
        assert answer.status_code == 503
        assert answer.headers["content-type"] == "application/problem+json"
        assert "database" in answer.json()["detail"]
        assert "sqlite" not in answer.text
