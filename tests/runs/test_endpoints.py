"""The routes of runs, on a real database; no worker is needed for these."""

import csv
import gzip
import hashlib
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient

from app.database import Database, utc_now
from app.main import create_app
from app.problems import Problem
from app.runs import schemas
from app.runs.artifacts import write_checksums
from app.runs.files import RunFiles
from app.runs.history import append_block
from app.runs.tables import RunRow
from app.settings import Settings
from app.worker.claim import claim_run
from tests.support.documents import tiny_document


@pytest.fixture
def client(database: Database, tmp_path: Path) -> Iterator[TestClient]:
    with TestClient(create_app(Settings(data_dir=tmp_path, max_body_bytes=100_000))) as client:
        yield client


def post(client: TestClient, document: dict[str, Any] | None = None, **headers: str) -> dict[str, Any]:
    answer = client.post("/runs", json=document or tiny_document(), headers=headers)
    assert answer.status_code == 201, answer.text
    body: dict[str, Any] = answer.json()
    return body


def set_columns(database: Database, run_id: str, **columns: Any) -> None:
    with database.writing() as session:
        run = session.get_one(RunRow, run_id)
        for name, value in columns.items():
            setattr(run, name, value)


def assert_problem(answer: Any, status: int, code: str) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    problem: dict[str, Any] = answer.json()
    assert problem.keys() == {"type", "title", "status", "detail", "code", "errors"}
    assert problem["status"] == status
    assert problem["code"] == code
    assert "Traceback" not in answer.text
    return problem


class TestPosting:
    def test_a_run_is_queued(self, client: TestClient) -> None:
        answer = client.post("/runs", json=tiny_document(name="first", tags={"study": "a"}))

        assert answer.status_code == 201
        run = answer.json()
        assert answer.headers["location"] == f"/runs/{run['id']}"
        assert run["status"] == "queued"
        assert run["name"] == "first"
        assert run["tags"] == {"study": "a"}
        assert run["progress"] == {"epoch": 0, "epochs": 3}
        assert run["started_at"] is run["finished_at"] is run["error"] is None
        assert run["verdicts"] == []
        assert run["created_at"].endswith("Z")
        assert client.get(answer.headers["location"]).json() == run

    @pytest.mark.parametrize("path", ["/runs", "/runs/validate"])
    def test_a_model_that_no_worker_can_hold_is_refused(
        self, database: Database, tmp_path: Path, path: str
    ) -> None:
        document = tiny_document()
        document["model"]["layers"].insert(0, {"type": "Dense", "units": 10_000})  # 40,001 parameters
        for most_bytes, status in ((320_007, 422), (320_008, 201 if path == "/runs" else 200)):
            settings = Settings(data_dir=tmp_path, worker_memory_bytes=most_bytes)
            with TestClient(create_app(settings)) as client:
                answer = client.post(path, json=document)
            assert answer.status_code == status, answer.text
            if status == 422:
                assert answer.json()["errors"][0]["pointer"] == "/model"
                assert "40,001 parameters" in answer.json()["detail"]

    def test_the_document_comes_back_with_defaults_and_data(self, client: TestClient) -> None:
        document = tiny_document()

        spec = post(client, document)["spec"]

        assert spec["dataset"]["inline"]["x"] == document["dataset"]["inline"]["x"]
        assert spec["dataset"]["inline"]["y"] == document["dataset"]["inline"]["y"]
        assert spec["optimizer"]["learning_rate"] == 0.001
        assert spec["fit"]["batch_size"] == 32

    def test_the_document_that_comes_back_makes_the_same_run(self, client: TestClient) -> None:
        first = post(client)

        assert post(client, first["spec"])["spec"] == first["spec"]

    def test_curl_needs_no_content_type(self, client: TestClient) -> None:
        body = json.dumps(tiny_document())
        for headers in ({}, {"content-type": "application/x-www-form-urlencoded"}):
            assert client.post("/runs", content=body, headers=headers).status_code == 201

    def test_a_wrong_field_is_named(self, client: TestClient) -> None:
        document = tiny_document()
        document["model"]["layers"][0]["units"] = -1

        problem = assert_problem(client.post("/runs", json=document), 422, "invalid_document")

        assert problem["errors"][0]["pointer"] == "/model/layers/0/units"
        assert problem["errors"][0]["message"].startswith("Expected")
        assert "received -1" in problem["errors"][0]["message"]
        assert client.get("/runs").json()["items"] == []

    def test_shapes_that_do_not_fit_are_named(self, client: TestClient) -> None:
        document = tiny_document()
        document["model"]["layers"][0]["units"] = 3

        problem = assert_problem(client.post("/runs", json=document), 422, "invalid_document")

        assert problem["errors"][0]["pointer"]
        assert client.get("/runs").json()["items"] == []

    @pytest.mark.parametrize("body", [b"", b"{", b"\xff\xfe", b"nope", b'{"a": 1,}', b"[" * 50])
    def test_what_is_not_json_is_refused(self, client: TestClient, body: bytes) -> None:
        assert_problem(client.post("/runs", content=body), 422, "malformed_document")

    @pytest.mark.parametrize("body", [b"[]", b"1", b'"text"', b"null", b"{}", b"[" * 100_000])
    def test_what_is_no_run_is_refused(self, client: TestClient, body: bytes) -> None:
        assert_problem(client.post("/runs", content=body), 422, "invalid_document")

    def test_nan_is_refused_where_it_stands(self, client: TestClient) -> None:
        body = json.dumps(tiny_document()).replace("[0, 1]", "[0, NaN]", 1)

        problem = assert_problem(client.post("/runs", content=body), 422, "malformed_document")

        assert problem["errors"][0]["pointer"] == "/dataset/inline/x/1/1"

    def test_another_media_type_is_refused(self, client: TestClient) -> None:
        answer = client.post("/runs", content=b"a,b", headers={"content-type": "text/csv"})
        assert_problem(answer, 415, "unsupported_media_type")

    def test_a_compressed_body_is_refused(self, client: TestClient) -> None:
        body = gzip.compress(json.dumps(tiny_document()).encode())
        answer = client.post("/runs", content=body, headers={"content-encoding": "gzip"})
        assert_problem(answer, 415, "unsupported_media_type")

    @pytest.mark.parametrize("chunked", [False, True])
    def test_a_body_that_is_too_large_is_refused(self, client: TestClient, chunked: bool) -> None:
        body = b" " * 100_001
        answer = client.post("/runs", content=iter([body]) if chunked else body)
        assert_problem(answer, 413, "too_large")

    def test_validating_says_what_is_known_and_keeps_nothing(self, client: TestClient) -> None:
        answer = client.post("/runs/validate", json=tiny_document())

        assert answer.status_code == 200
        summary = answer.json()
        assert summary["parameter_count"] == 3
        assert list(summary["inputs"].values()) == [[2]]
        assert summary["outputs"] == {"dense": [1]}
        assert summary["terms"] == ["binary_crossentropy"]
        assert client.get("/runs").json()["items"] == []

    def test_validating_refuses_what_posting_refuses(self, client: TestClient) -> None:
        answer = client.post("/runs/validate", json=tiny_document(losss="mse"))

        problem = assert_problem(answer, 422, "invalid_document")
        assert problem["errors"][0]["pointer"] == "/losss"
        assert '"loss"' in problem["errors"][0]["message"]


class TestIdempotency:
    def test_the_same_key_and_body_give_the_same_run(self, client: TestClient) -> None:
        first, second = post(client, **{"Idempotency-Key": "k"}), post(client, **{"Idempotency-Key": "k"})

        assert first["id"] == second["id"]
        assert len(client.get("/runs").json()["items"]) == 1

    def test_the_same_key_with_another_body_is_refused(self, client: TestClient) -> None:
        post(client, **{"Idempotency-Key": "k"})

        answer = client.post("/runs", json=tiny_document(epochs=4), headers={"Idempotency-Key": "k"})

        assert_problem(answer, 422, "idempotency_mismatch")

    def test_other_keys_and_none_give_other_runs(self, client: TestClient) -> None:
        runs = [post(client), post(client), *(post(client, **{"Idempotency-Key": k}) for k in "ab")]

        assert len({run["id"] for run in runs}) == 4

    @pytest.mark.parametrize("key", ["", "k" * 256])
    def test_a_key_has_a_length(self, client: TestClient, key: str) -> None:
        answer = client.post("/runs", json=tiny_document(), headers={"Idempotency-Key": key})

        problem = assert_problem(answer, 422, "invalid_request")
        assert problem["errors"][0]["parameter"] == "idempotency-key"


class TestWaiting:
    def test_without_a_worker_the_answer_comes_when_the_time_is_up(self, client: TestClient) -> None:
        answer = client.post("/runs", json=tiny_document(), headers={"Prefer": "wait=0.1"})

        assert answer.status_code == 201
        assert answer.headers["preference-applied"] == "wait=0.1"
        assert answer.json()["status"] == "queued"

    @pytest.mark.parametrize("prefer", ["respond-async", "wait=soon", "wait=-1", "wait"])
    def test_what_can_not_be_read_is_ignored(self, client: TestClient, prefer: str) -> None:
        answer = client.post("/runs", json=tiny_document(), headers={"Prefer": prefer})

        assert answer.status_code == 201
        assert "preference-applied" not in answer.headers


class TestListing:
    def test_newest_first_in_pages_while_others_come(self, client: TestClient) -> None:
        ids = [post(client)["id"] for _ in range(5)]

        first = client.get("/runs", params={"limit": 2}).json()
        post(client)
        second = client.get("/runs", params={"limit": 2, "after": first["next"]}).json()
        client.delete(f"/runs/{second['next']}")
        third = client.get("/runs", params={"limit": 2, "after": second["next"]}).json()

        pages = [[run["id"] for run in page["items"]] for page in (first, second, third)]
        assert pages == [ids[:2:-1], ids[2:0:-1], ids[:1]]
        assert third["next"] is None

    def test_arrays_are_left_out_and_shapes_stand_for_them(self, client: TestClient) -> None:
        post(client)

        (run,) = client.get("/runs").json()["items"]

        assert run["spec"]["dataset"]["inline"]["x"] == {"shape": [4, 2], "dtype": "int64"}
        assert run["spec"]["dataset"]["inline"]["y"] == {"shape": [4, 1], "dtype": "int64"}

    def test_shapes_are_not_taken_for_arrays(self, client: TestClient) -> None:
        post(client)
        (run,) = client.get("/runs").json()["items"]

        assert_problem(client.post("/runs", json=run["spec"]), 422, "invalid_document")

    def test_filters(self, client: TestClient, database: Database) -> None:
        a = post(client, tiny_document(name="a", tags={"study": "s", "fold": "1"}))
        b = post(client, tiny_document(name="b", tags={"study": "s", "fold": "2", "odd": "x:y"}))
        set_columns(database, b["id"], status="failed")

        def found(**parameters: Any) -> list[str]:
            return [run["name"] for run in client.get("/runs", params=parameters).json()["items"]]

        assert found() == ["b", "a"]
        assert found(name="a") == ["a"]
        assert found(name="A") == []
        assert found(status="failed") == ["b"]
        assert found(tag="study:s") == ["b", "a"]
        assert found(tag=["study:s", "fold:1"]) == ["a"]
        assert found(tag="fold:3") == []
        assert found(tag="odd:x:y") == ["b"]
        assert found(created_after=a["created_at"]) == ["b"]
        assert found(created_before=b["created_at"]) == ["a"]
        assert found(created_after=a["created_at"].removesuffix("Z")) == ["b"]
        assert found(created_after="2999-01-01T00:00:00+05:00") == []

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("status", "done"),
            ("tag", "study"),
            ("limit", "0"),
            ("limit", "501"),
            ("limit", "many"),
            ("after", "run_1' OR 1=1"),
            ("created_after", "yesterday"),
            ("created_after", "20260131"),
            ("created_before", "0"),
            ("created_before", "0001-01-01T00:00:00+23:00"),
        ],
    )
    def test_a_wrong_parameter_is_named(self, client: TestClient, name: str, value: str) -> None:
        problem = assert_problem(client.get("/runs", params={name: value}), 422, "invalid_request")

        assert problem["errors"][0]["parameter"].startswith(name)
        assert problem["errors"][0]["message"].startswith("Expected")
        assert problem["errors"][0]["message"].endswith(f'received "{value}".')


class TestEnding:
    def test_a_queued_run_is_cancelled_at_once_and_stays_so(self, client: TestClient) -> None:
        run_id = post(client)["id"]

        for _ in range(2):
            answer = client.post(f"/runs/{run_id}/cancel")
            assert answer.status_code == 200
            assert answer.json()["status"] == "cancelled"
            assert answer.json()["finished_at"] is not None

    @pytest.mark.parametrize("status", ["succeeded", "failed"])
    def test_what_has_ended_can_not_be_cancelled(
        self, client: TestClient, database: Database, status: str
    ) -> None:
        run_id = post(client)["id"]
        set_columns(database, run_id, status=status)

        assert_problem(client.post(f"/runs/{run_id}/cancel"), 409, "conflict")

    def test_deleting_leaves_neither_rows_nor_files(
        self, client: TestClient, database: Database, tmp_path: Path
    ) -> None:
        run_id = post(client, tiny_document(tags={"a": "b"}))["id"]
        add_history(database, run_id)
        files = RunFiles(tmp_path)
        for folder in (files.artifacts(run_id), files.checkpoints(run_id)):
            folder.mkdir(parents=True)
            (folder / "file").write_text("x")

        assert client.delete(f"/runs/{run_id}").status_code == 204

        assert_problem(client.get(f"/runs/{run_id}"), 404, "not_found")
        assert_problem(client.delete(f"/runs/{run_id}"), 404, "not_found")
        assert [path for path in tmp_path.rglob("*") if run_id in str(path)] == []
        with database.engine.connect() as connection:
            for table in ("runs", "run_data", "run_tags", "history_blocks"):
                assert connection.exec_driver_sql(f"SELECT count(*) FROM {table}").scalar() == 0

    def test_a_run_in_training_is_not_deleted(self, client: TestClient, database: Database) -> None:
        run_id = post(client)["id"]
        with database.writing() as session:
            claim_run(session, "worker_1", 10, 16)

        assert_problem(client.delete(f"/runs/{run_id}"), 409, "conflict")
        assert client.post(f"/runs/{run_id}/cancel").json()["status"] == "cancelled"
        assert client.delete(f"/runs/{run_id}").status_code == 204


def add_history(database: Database, run_id: str) -> None:
    epochs = np.arange(1, 11, dtype=np.int32)
    values = np.stack([1 / epochs, epochs / 8], axis=1).astype(np.float32)
    values[4, 1] = np.nan
    with database.writing() as session:
        run = session.get_one(RunRow, run_id)
        append_block(session, run, (1, 10), epochs, ["loss", "val_loss"], values)


class TestMetrics:
    @pytest.fixture
    def path(self, client: TestClient, database: Database) -> str:
        run_id = post(client)["id"]
        add_history(database, run_id)
        return f"/runs/{run_id}/metrics"

    def test_each_epoch_has_an_entry_and_what_is_not_finite_is_null(
        self, client: TestClient, path: str
    ) -> None:
        metrics = client.get(path).json()

        assert metrics["run_id"] == path.split("/")[2]
        assert metrics["epochs"] == list(range(1, 11))
        assert metrics["series"]["loss"][1] == 0.5
        assert metrics["series"]["val_loss"][3:6] == [0.5, None, 0.75]

    def test_since_and_thinned(self, client: TestClient, path: str) -> None:
        assert client.get(path, params={"since_epoch": 7}).json()["epochs"] == [8, 9, 10]
        assert client.get(path, params={"since_epoch": 10}).json()["series"] == {"loss": [], "val_loss": []}
        assert client.get(path, params={"max_points": 4}).json()["epochs"] == [1, 4, 7, 10]

    @pytest.mark.parametrize("accept", ["text/csv", "text/csv, application/json;q=0.5", "text/*"])
    def test_csv_for_who_accepts_it(self, client: TestClient, path: str, accept: str) -> None:
        answer = client.get(path, headers={"accept": accept})

        assert answer.headers["content-type"] == "text/csv; charset=utf-8"
        rows = list(csv.DictReader(io.StringIO(answer.text)))
        assert rows[1] == {"epoch": "2", "loss": "0.5", "val_loss": "0.25"}
        assert rows[4]["val_loss"] == ""

    @pytest.mark.parametrize(
        "accept", ["*/*", "application/json, text/csv", "text/csv;q=0.1, */*", "x", ";q=x"]
    )
    def test_json_for_everybody_else(self, client: TestClient, path: str, accept: str) -> None:
        answer = client.get(path, headers={"accept": accept})
        assert answer.headers["content-type"] == "application/json"

    @pytest.mark.parametrize(
        "parameters", [{"since_epoch": -1}, {"max_points": 0}, {"since_epoch": 2**63}, {"max_points": "x"}]
    )
    def test_wrong_parameters(self, client: TestClient, path: str, parameters: dict[str, Any]) -> None:
        assert_problem(client.get(path, params=parameters), 422, "invalid_request")


class TestResults:
    @pytest.fixture
    def run_id(self, client: TestClient, database: Database, tmp_path: Path) -> str:
        run_id: str = post(client)["id"]
        statistics = {"epoch": 3, "splits": {"train": {"x": float("nan")}}, "weight_sparsity": {}}
        set_columns(database, run_id, status="succeeded", finished_at=utc_now(), statistics=statistics)
        folder = RunFiles(tmp_path).artifacts(run_id)
        folder.mkdir(parents=True)
        (folder / "model.keras").write_bytes(b"0123456789")
        (folder / "secret").write_text("x")
        (tmp_path / "secret").write_text("x")
        return run_id

    def test_statistics(self, client: TestClient, run_id: str) -> None:
        answer = client.get(f"/runs/{run_id}/statistics")
        assert answer.json() == {
            "run_id": run_id,
            "epoch": 3,
            "splits": {"train": {"x": None}},
            "weight_sparsity": {},
        }

    def test_artifacts_are_listed_and_read(self, client: TestClient, run_id: str) -> None:
        (item,) = client.get(f"/runs/{run_id}/artifacts").json()["items"]

        assert item == {
            "name": "model.keras",
            "bytes": 10,
            "sha256": hashlib.sha256(b"0123456789").hexdigest(),
            "media_type": "application/octet-stream",
            "href": f"/runs/{run_id}/artifacts/model.keras",
        }
        answer = client.get(item["href"], headers={"X-Request-ID": "1"})
        assert answer.content == b"0123456789"
        assert answer.headers["content-type"] == "application/octet-stream"
        assert answer.headers["etag"] == f'"{item["sha256"]}"'
        head = client.head(item["href"], headers={"X-Request-ID": "1"})
        assert head.headers == answer.headers
        assert head.content == b""

    def test_the_stored_checksum_is_told(self, client: TestClient, run_id: str, tmp_path: Path) -> None:
        folder = RunFiles(tmp_path).artifacts(run_id)
        write_checksums(folder)
        (before,) = client.get(f"/runs/{run_id}/artifacts").json()["items"]
        assert (folder / "SHA256SUMS").read_text() == f"{before['sha256']}  model.keras\n"

        assert_problem(client.get(f"/runs/{run_id}/artifacts/SHA256SUMS"), 404, "not_found")

        (folder / "model.keras").write_bytes(b"another")  # as a failing disk might; the list reads no file
        (after,) = client.get(f"/runs/{run_id}/artifacts").json()["items"]

        assert after == before | {"bytes": 7}
        assert_problem(client.get(after["href"]), 409, "artifacts_lost")
        (folder / "model.keras").unlink()
        assert_problem(client.get(f"/runs/{run_id}/artifacts"), 409, "artifacts_lost")

    def test_content_that_the_client_has_is_not_sent_again(self, client: TestClient, run_id: str) -> None:
        path = f"/runs/{run_id}/artifacts/model.keras"
        etag = client.get(path).headers["etag"]

        for tags in (etag, "*", f'"other", W/{etag}'):
            answer = client.get(path, headers={"if-none-match": tags})
            assert (answer.status_code, answer.content) == (304, b"")
            assert answer.headers["etag"] == etag
        assert client.get(path, headers={"if-none-match": '"other"'}).content == b"0123456789"

    @pytest.mark.parametrize(
        ("asked", "part"),
        [("2-4", b"234"), ("8-", b"89"), ("-3", b"789"), ("5-99", b"56789"), ("-99", b"0123456789")],
    )
    def test_a_part_of_a_file(self, client: TestClient, run_id: str, asked: str, part: bytes) -> None:
        path = f"/runs/{run_id}/artifacts/model.keras"
        answer = client.get(path, headers={"range": f"bytes={asked}"})

        assert (answer.status_code, answer.content) == (206, part)
        assert answer.headers["content-range"].endswith("/10")
        assert client.get(path, headers={"range": f"Bytes={asked}"}).content == part
        for validator, whole in ((answer.headers["etag"], False), ('"other"', True)):
            headers = {"range": f"bytes={asked}", "if-range": validator}
            assert client.get(path, headers=headers).content == (b"0123456789" if whole else part)

    def test_several_parts_of_a_file(self, client: TestClient, run_id: str) -> None:
        path = f"/runs/{run_id}/artifacts/model.keras"
        answer = client.get(path, headers={"range": "bytes=0-1, 8-"})

        assert answer.status_code == 206
        assert answer.headers["content-type"].startswith("multipart/byteranges")
        assert b"\r\n01\r\n" in answer.content
        assert b"\r\n89\r\n" in answer.content

    @pytest.mark.parametrize(
        "asked",
        ["", "x", "10-", "4-2", "-", "-0", "1-x", "0-1,", "0-1,10-", "1" * 5000 + "-", "\u0663-", "0-1-2"],
    )
    def test_a_part_that_cannot_be(self, client: TestClient, run_id: str, asked: str) -> None:
        path = f"/runs/{run_id}/artifacts/model.keras"
        answer = client.get(path, headers={"range": f"bytes={asked}".encode()})  # type: ignore[dict-item]

        problem = assert_problem(answer, 416, "invalid_range")
        assert answer.headers["content-range"] == "bytes */10"
        assert "within the 10 bytes" in problem["detail"]
        assert client.get(path, headers={"range": "bytes=x", "if-range": '"other"'}).status_code == 200

    @pytest.mark.parametrize("unit", ["rows=1-2", "rows", ""])
    def test_units_that_are_unknown_are_passed_over(self, client: TestClient, run_id: str, unit: str) -> None:
        answer = client.get(f"/runs/{run_id}/artifacts/model.keras", headers={"range": unit})
        assert (answer.status_code, answer.content) == (200, b"0123456789")

    @pytest.mark.parametrize(
        "name",
        [
            "model.onnx",
            "secret",
            "..%2F..%2Fsecret",
            "../../secret",
            "%2e%2e%2fsecret",
            "model.keras%00",
        ],
    )
    def test_no_other_file_is_read(self, client: TestClient, run_id: str, name: str) -> None:
        assert_problem(client.get(f"/runs/{run_id}/artifacts/{name}"), 404, "not_found")

    @pytest.mark.parametrize("status", ["queued", "running", "failed", "cancelled"])
    @pytest.mark.parametrize("path", ["statistics", "artifacts", "artifacts/model.keras"])
    def test_only_a_run_that_succeeded_has_results(
        self, client: TestClient, database: Database, run_id: str, status: str, path: str
    ) -> None:
        set_columns(database, run_id, status=status)

        assert_problem(client.get(f"/runs/{run_id}/{path}"), 409, "conflict")


@pytest.mark.parametrize("path", ["", "/metrics", "/statistics", "/artifacts", "/artifacts/model.keras"])
@pytest.mark.parametrize("run_id", ["run_1", "%2e%2e", "%00", "%ff", "a%2Fb", "'; DROP TABLE runs; --"])
def test_what_is_not_there_is_not_found(client: TestClient, run_id: str, path: str) -> None:
    assert_problem(client.get(f"/runs/{run_id}{path}"), 404, "not_found")


def test_answers_are_as_the_openapi_document_says(client: TestClient, database: Database) -> None:
    run_id = post(client)["id"]
    add_history(database, run_id)

    schemas.RunList.model_validate_json(client.get("/runs").content)
    schemas.Run.model_validate_json(client.get(f"/runs/{run_id}").content)
    schemas.Metrics.model_validate_json(client.get(f"/runs/{run_id}/metrics").content)
    schemas.ValidRun.model_validate_json(client.post("/runs/validate", json=tiny_document()).content)
    set_columns(
        database, run_id, status="failed", error={"code": "diverged", "message": "m", "pointer": None}
    )
    schemas.Run.model_validate_json(client.get(f"/runs/{run_id}").content)
    Problem.model_validate_json(client.get("/runs/none").content)
