"""Limits by settings: what is beyond them is refused with the right status, and when to try again."""

import asyncio
import io
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from fastapi.testclient import TestClient

from app.database import Database
from app.keys.service import create_key
from app.limits import with_time_limit
from app.main import create_app
from app.rates import MOST_BUCKETS, Rates
from app.settings import Settings
from app.spec.parsing import parse_run
from app.spec.strict_json import depth_of
from app.worker.claim import claim_run, queue_has_runs
from tests.support.documents import tiny_document

LIMITS: dict[str, Any] = {
    "max_json_depth": 20,
    "max_queued_runs": 2,
    "max_parameters": 1000,
    "max_epochs": 100,
    "max_run_seconds": 60.0,
    "max_dataset_rows": 10,
    "max_dataset_values": 30,
}


@pytest.fixture
def client(database: Database, tmp_path: Path) -> Iterator[TestClient]:
    with TestClient(create_app(Settings(data_dir=tmp_path, **LIMITS))) as client:
        yield client


def dense(units: int) -> dict[str, Any]:
    document = tiny_document()
    return document | {"model": {"layers": [{"type": "Dense", "units": units}, *document["model"]["layers"]]}}


@pytest.mark.parametrize(
    ("document", "pointer"),
    [
        (dense(500), "/model"),
        (tiny_document() | {"fit": {"epochs": 101}}, "/fit/epochs"),
        (tiny_document() | {"fit": {"epochs": 1, "time_limit_seconds": 61}}, "/fit/time_limit_seconds"),
    ],
)
def test_a_document_that_asks_for_too_much(
    client: TestClient, document: dict[str, Any], pointer: str
) -> None:
    sweep = {"base": document, "axes": [{"pointer": "/seed", "values": [1, 2]}]}
    for path, body, prefix in (
        ("/runs", document, ""),
        ("/runs/validate", document, ""),
        ("/sweeps", sweep, "/base"),
    ):
        answer = client.post(path, json=body)
        assert answer.status_code == 422, path
        (error,) = answer.json()["errors"]
        assert error["pointer"] == prefix + pointer
        assert error["message"].startswith("Expected at most")


def test_a_run_gets_no_more_time_than_the_service_gives() -> None:
    settings = Settings(max_run_seconds=60)
    for asked, given in ((None, 60.0), (10.0, 10.0)):
        document = tiny_document() | {"fit": {"epochs": 1, "time_limit_seconds": asked}}
        spec = with_time_limit(parse_run(document), settings)
        assert spec.fit.time_limit_seconds == given


def test_a_full_queue(client: TestClient) -> None:
    first = client.post("/runs", json=tiny_document(), headers={"Idempotency-Key": "a"})
    assert client.post("/runs", json=tiny_document()).status_code == 201
    answer = client.post("/runs", json=tiny_document())
    assert (answer.status_code, answer.json()["code"]) == (429, "too_many")
    assert int(answer.headers["retry-after"]) > 0
    sweep = {"base": tiny_document(), "axes": [{"pointer": "/seed", "values": [1, 2]}]}
    assert client.post("/sweeps", json=sweep).status_code == 429
    again = client.post("/runs", json=tiny_document(), headers={"Idempotency-Key": "a"})
    assert again.json()["id"] == first.json()["id"]
    client.post(f"/runs/{first.json()['id']}/cancel")
    assert client.post("/runs", json=tiny_document()).status_code == 201


def test_no_more_requests_wait_for_a_worker_than_may(database: Database, tmp_path: Path) -> None:
    app = create_app(Settings(data_dir=tmp_path, call_seconds=2, max_waiting_calls=2))
    asked = {"loss": "mean_squared_error", "y_true": [[1]], "y_pred": [[2]]}

    async def ask_at_once() -> list[httpx.Response]:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://testserver") as client:
            return await asyncio.gather(*(client.post("/losses/evaluate", json=asked) for _ in range(5)))

    for _ in range(2):  # those who were refused, or gave up, take no place
        answers = asyncio.run(ask_at_once())
        assert {answer.status_code for answer in answers} == {503}
        assert all(int(answer.headers["retry-after"]) > 0 for answer in answers)
        refused = [answer for answer in answers if "KERB_MAX_WAITING_CALLS" in answer.json()["detail"]]
        assert len(refused) == 3


def test_a_project_trains_no_more_runs_at_once_than_it_may(database: Database, tmp_path: Path) -> None:
    with database.writing() as session:
        keys = {project: create_key(session, "test", project, ["train"])[1] for project in ("many", "one")}
    ids: dict[str, list[str]] = {"many": [], "one": []}
    with TestClient(create_app(Settings(data_dir=tmp_path))) as client:
        for project in ("many", "many", "many", "one"):
            made = client.post("/runs", json=tiny_document(), headers={"X-API-Key": keys[project]}).json()
            ids[project].append(made["id"])
    with database.writing() as session:
        claims = [claim_run(session, f"worker_{number}", 10, 2) for number in range(4)]
    assert [claim and claim.run_id for claim in claims] == [*ids["many"][:2], *ids["one"], None]
    with database.engine.connect() as connection:
        assert not queue_has_runs(connection, 2)
        assert queue_has_runs(connection, 3)


def test_a_dataset_that_is_too_large(client: TestClient, tmp_path: Path) -> None:
    headers = {"Content-Type": "text/csv"}
    sink = io.BytesIO()
    np.savez(sink, x=np.zeros((10, 2, 2)))
    for content, media_type in ((b"x\n" + b"1\n" * 11, "text/csv"), (sink.getvalue(), "application/x-npz")):
        answer = client.post("/datasets", content=content, headers={"Content-Type": media_type})
        assert (answer.status_code, answer.json()["code"]) == (413, "too_large")
    assert client.get("/datasets").json()["items"] == []
    assert not [path for path in (tmp_path / "datasets").iterdir() if not path.name.startswith(".lock")]
    assert client.post("/datasets", content=b"x,y,z\n" + b"1,2,3\n" * 10, headers=headers).status_code == 201


class TestDepth:
    def test_a_document_that_is_too_deep(self, client: TestClient) -> None:
        for path in ("/runs", "/runs/validate", "/losses/evaluate", "/sweeps"):
            answer = client.post(path, content=b"[" * 21 + b"]" * 21)
            assert answer.status_code == 422
            assert "at most 20 deep; received them 21 deep" in answer.json()["detail"]
        assert "deep" not in client.post("/runs", content=b"[" * 20 + b"]" * 20).json()["detail"]

    @pytest.mark.parametrize(
        "value",
        [
            [],
            {"a": [1, {"b": []}]},
            "[[[",
            ['a"[[', {"\\": '[\\\\"['}],
            [[["\\\\"]], '\\"{{{{'],
            [[]] * 1000,
            1.5,
        ],
    )
    def test_depth_is_that_of_the_parsed_value(self, value: Any) -> None:
        def depth(value: Any) -> int:
            parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
            return 0 if parts is None else 1 + max(map(depth, parts), default=0)

        assert depth_of(json.dumps(value).encode()) == depth(value)

    @pytest.mark.parametrize("body", [b"", b'"', b"]]]]", b'["', b"\\", b'{"a\\"[[['])
    def test_what_is_no_json_is_left_to_the_parser(self, body: bytes) -> None:
        assert depth_of(body) <= 2


class TestRates:
    def test_a_bucket_is_emptied_and_fills_again(self) -> None:
        rates = Rates(per_second=20)
        waits = [rates.wait_seconds("a") for _ in range(40)]
        assert waits[:20] == [0.0] * 20
        assert 0 < max(waits) <= 1 / 20
        assert rates.wait_seconds("b") == 0
        time.sleep(max(waits))
        assert rates.wait_seconds("a") == 0

    def test_buckets_stay_few(self) -> None:
        rates = Rates(per_second=1)
        for number in range(MOST_BUCKETS + 100):
            rates.wait_seconds(str(number))
        assert len(rates._buckets) == MOST_BUCKETS

    def test_too_many_requests_of_a_key(self, database: Database, tmp_path: Path) -> None:
        with database.writing() as session:
            keys = [create_key(session, "test", "default", ["read"])[1] for _ in range(2)]
        settings = Settings(data_dir=tmp_path, max_requests_per_second=5)
        with TestClient(create_app(settings)) as client:
            answers = [client.get("/models", headers={"X-API-Key": keys[0]}) for _ in range(50)]
            refused = [answer for answer in answers if answer.status_code == 429]
            assert answers[0].status_code == 200
            assert refused
            assert all(int(answer.headers["retry-after"]) == 1 for answer in refused)
            assert client.get("/models", headers={"X-API-Key": keys[1]}).status_code == 200
            guesses = [client.get("/models", headers={"X-API-Key": "guess"}).status_code for _ in range(50)]
            assert guesses[0] == 401
            assert 429 in guesses
            assert client.get("/healthz").status_code == 200
