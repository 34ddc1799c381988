"""The routes of named models, on a real database and tiny models."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from app.database import Database
from app.main import create_app
from app.models import schemas
from app.runs.tables import RunRow
from app.settings import Settings
from tests.support.onnx_models import add_scaling_run


@pytest.fixture
def client(database: Database, tmp_path: Path) -> Iterator[TestClient]:
    for factor in (1, 2, 3):
        add_scaling_run(database, tmp_path, f"run_{factor}", factor)
    with TestClient(create_app(Settings(data_dir=tmp_path))) as client:
        yield client


def put(client: TestClient, name: str, *, status: int = 200, **document: Any) -> dict[str, Any]:
    answer = client.put(f"/models/{name}", json=document)
    assert answer.status_code == status, answer.text
    body: dict[str, Any] = answer.json()
    return body


def refused(answer: Any, status: int) -> str:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    detail: str = answer.json()["detail"]
    return detail


class TestPutting:
    def test_each_put_makes_the_next_version(self, client: TestClient) -> None:
        first = client.put("/models/spam", json={"run_id": "run_1"})
        assert first.status_code == 201
        assert client.get(first.headers["location"]).json()["run_ids"] == ["run_1"]
        second = client.put("/models/spam", json={"run_ids": ["run_1", "run_2"], "combine": "vote"})
        assert second.status_code == 200
        assert second.headers["location"] == "/models/spam/versions/2"
        model = client.get("/models/spam").json()
        schemas.Model.model_validate(model)
        assert model == second.json()
        made = [(entry["version"], entry["run_ids"], entry["combine"]) for entry in model["versions"]]
        assert made == [(2, ["run_1", "run_2"], "vote"), (1, ["run_1"], None)]
        assert (model["version"], model["run_ids"]) == (2, ["run_1", "run_2"])

    def test_the_same_content_makes_no_new_version(self, client: TestClient) -> None:
        first = put(client, "spam", status=201, run_ids=["run_1", "run_2"])
        assert put(client, "spam", run_ids=["run_1", "run_2"], combine="mean") == first
        assert put(client, "spam", run_ids=["run_2", "run_1"])["version"] == 2

    @pytest.mark.parametrize("name", ["a", "spam-2.1_x", "9", "x" * 128])
    def test_names(self, client: TestClient, name: str) -> None:
        assert put(client, name, status=201, run_id="run_1")["name"] == name

    @pytest.mark.parametrize("name", [".spam", "-", "sp am", "späm", "x" * 129, "run_" + "0" * 26, "a%0A"])
    def test_other_names_are_refused(self, client: TestClient, name: str) -> None:
        detail = refused(client.put(f"/models/{name}", json={"run_id": "run_1"}), 422)
        assert "name: Expected a name" in detail
        assert "no run's id" in detail

    @pytest.mark.parametrize(
        ("document", "pointer"),
        [
            ({}, ""),
            ({"run_id": "run_1", "run_ids": ["run_1"]}, ""),
            ({"run_id": "run_1", "combine": "mean"}, "/combine"),
            ({"run_ids": []}, "/run_ids"),
            ({"run_ids": ["run_1"], "combine": "median"}, "/combine"),
            ({"run_id": 1}, "/run_id"),
            ({"run": "run_1"}, "/run"),
        ],
    )
    def test_a_wrong_document_is_told_where(self, client: TestClient, document: Any, pointer: str) -> None:
        answer = client.put("/models/spam", json=document)
        refused(answer, 422)
        assert pointer in [error["pointer"] for error in answer.json()["errors"]]

    def test_its_runs_must_have_models_that_go_together(
        self, client: TestClient, database: Database, tmp_path: Path
    ) -> None:
        assert "run_9" in refused(client.put("/models/spam", json={"run_id": "run_9"}), 404)
        add_scaling_run(database, tmp_path, "run_wide", width=3)
        answer = client.put("/models/spam", json={"run_ids": ["run_1", "run_wide"]})
        refused(answer, 422)
        assert answer.json()["errors"][0]["pointer"] == "/run_ids/1"
        with database.writing() as session:
            session.get_one(RunRow, "run_2").status = "running"
        assert "running" in refused(client.put("/models/spam", json={"run_id": "run_2"}), 409)
        refused(client.get("/models/spam"), 404)


class TestListing:
    def test_models_come_by_name_in_pages(self, client: TestClient) -> None:
        for name in ("b", "c", "a"):
            put(client, name, status=201, run_id="run_1")
        put(client, "b", run_id="run_2")
        page = client.get("/models", params={"limit": 2}).json()
        schemas.ModelList.model_validate(page)
        assert [(item["name"], item["version"]) for item in page["items"]] == [("a", 1), ("b", 2)]
        rest = client.get("/models", params={"limit": 2, "after": page["next"]}).json()
        assert [item["name"] for item in rest["items"]] == ["c"]
        assert rest["next"] is None


class TestRollback:
    def test_an_earlier_version_becomes_current_and_none_is_lost(self, client: TestClient) -> None:
        put(client, "spam", status=201, run_id="run_1")
        put(client, "spam", run_id="run_2")
        model = client.post("/models/spam/rollback", json={"version": 1}).json()
        assert (model["version"], model["run_ids"], len(model["versions"])) == (1, ["run_1"], 2)
        assert put(client, "spam", run_id="run_1")["version"] == 1
        assert put(client, "spam", run_id="run_2")["version"] == 3

    def test_a_version_must_be_there(self, client: TestClient) -> None:
        put(client, "spam", status=201, run_id="run_1")
        assert "2" in refused(client.post("/models/spam/rollback", json={"version": 2}), 404)
        refused(client.post("/models/ham/rollback", json={"version": 1}), 404)
        refused(client.post("/models/spam/rollback", json={"version": "1"}), 422)


class TestDeletion:
    def test_a_deleted_model_is_gone_and_its_runs_stay(self, client: TestClient) -> None:
        put(client, "spam", status=201, run_id="run_1")
        assert client.delete("/models/spam").status_code == 204
        refused(client.get("/models/spam"), 404)
        refused(client.delete("/models/spam"), 404)
        assert client.get("/models").json()["items"] == []
        assert client.delete("/runs/run_1").status_code == 204

    def test_a_version_is_deleted_unless_it_is_current_and_its_number_is_not_given_again(
        self, client: TestClient
    ) -> None:
        for run_id in ("run_1", "run_2"):
            put(client, "spam", status=201 if run_id == "run_1" else 200, run_id=run_id)
        assert "current" in refused(client.delete("/models/spam/versions/2"), 409)
        client.post("/models/spam/rollback", json={"version": 1})
        assert client.delete("/models/spam/versions/2").status_code == 204
        refused(client.get("/models/spam/versions/2"), 404)
        refused(client.delete("/models/spam/versions/2"), 404)
        assert put(client, "spam", run_id="run_3")["version"] == 3

    def test_a_run_that_a_model_names_cannot_be_deleted(self, client: TestClient, tmp_path: Path) -> None:
        put(client, "spam", status=201, run_ids=["run_1", "run_2"])
        put(client, "spam", run_id="run_3")
        detail = refused(client.delete("/runs/run_1"), 409)
        assert "version 1 of 'spam'" in detail
        assert (tmp_path / "artifacts" / "run_1" / "model.onnx").exists()
        assert client.delete("/models/spam/versions/1").status_code == 204
        assert client.delete("/runs/run_1").status_code == 204
