"""A disk that is full or read-only, a database that is locked: the service says so, and lives on."""

import sqlite3
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi.testclient import TestClient

from app.database import Database, utc_now
from app.main import create_app
from app.runs.files import RunFiles
from app.runs.history import read_history
from app.runs.service import build_run, create_run
from app.runs.tables import RunRow, WorkerRow
from app.settings import Settings
from app.spec.parsing import parse_run
from app.worker.claim import LeaseWatch, claim_run, requeue_expired
from app.worker.training_job import TrainingJob
from tests.support.documents import tiny_document


@pytest.fixture
def client(small_disk: Path) -> Iterator[TestClient]:
    settings = Settings(data_dir=small_disk, min_free_bytes=100_000)
    with TestClient(create_app(settings), raise_server_exceptions=False) as client:
        yield client


@contextmanager
def full(disk: Path) -> Iterator[None]:
    """Nothing more can be written to the disk."""
    ballast = disk / "ballast"
    with ballast.open("wb", buffering=0) as file:
        try:
            while file.write(bytes(4096)):
                pass
        except OSError:
            pass
    try:
        yield
    finally:
        ballast.unlink()


@contextmanager
def read_only(disk: Path) -> Iterator[None]:
    """The disk takes nothing; files that are open for writing would hinder that, so none may be."""
    subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
    try:
        yield
    finally:
        subprocess.run(["mount", "-o", "remount,rw", str(disk)], check=True)


def add_worker(database: Database, age: timedelta = timedelta(0), state: str = "ready") -> None:
    with database.writing() as session:
        moment = utc_now() - age
        session.add(
            WorkerRow(id="worker_1", pid=1, hostname="h", started_at=moment, heartbeat_at=moment, state=state)
        )


def enqueue(database: Database, document: dict[str, Any]) -> str:
    with database.writing() as session:
        return create_run(session, build_run(parse_run(document), "hash", None)).id


def job(database: Database, disk: Path) -> TrainingJob:
    with database.writing() as session:
        claim = claim_run(session, "worker_1", 10, 16)
    assert claim is not None
    return TrainingJob(claim, database, Settings(data_dir=disk, checkpoint_seconds=0), threading.Event())


def row(database: Database, run_id: str) -> RunRow:
    with database.reading() as session:
        return session.get_one(RunRow, run_id)


def assert_unavailable(answer: httpx.Response, word: str) -> None:
    assert answer.status_code == 503, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert int(answer.headers["retry-after"]) > 0
    assert word in answer.json()["detail"], answer.text


class TestReadiness:
    def test_all_is_well(self, client: TestClient, small_database: Database) -> None:
        add_worker(small_database)
        answer = client.get("/readyz")
        assert answer.status_code == 200
        assert answer.json() == {"status": "ready", "workers": 1}

    @pytest.mark.parametrize("hours", [3, -3])
    def test_a_sign_of_life_from_another_time_is_none(
        self, client: TestClient, small_database: Database, hours: int
    ) -> None:
        add_worker(small_database, timedelta(hours=hours))
        assert_unavailable(client.get("/readyz"), "No worker")

    def test_a_worker_starts(self, client: TestClient, small_database: Database) -> None:
        add_worker(small_database, state="starting")
        assert_unavailable(client.get("/readyz"), "starting")

    def test_the_disk_is_nearly_full(
        self, client: TestClient, small_database: Database, small_disk: Path
    ) -> None:
        add_worker(small_database)
        with full(small_disk):
            assert_unavailable(client.get("/readyz"), "KERB_MIN_FREE_BYTES")
        assert client.get("/readyz").status_code == 200

    def test_the_disk_is_read_only(
        self, client: TestClient, small_database: Database, small_disk: Path
    ) -> None:
        small_database.close()
        with read_only(small_disk):
            assert_unavailable(client.get("/readyz"), "read-only")


class TestFullDisk:
    def test_a_run_is_refused_and_taken_again_later(
        self, client: TestClient, small_database: Database, small_disk: Path
    ) -> None:
        assert client.get("/runs").json()["items"] == []
        with full(small_disk):
            answers = [client.post("/runs", json=tiny_document()) for _ in range(3)]
            for answer in answers:
                assert_unavailable(answer, "Free some space")
            assert client.get("/runs").json()["items"] == []
        assert client.post("/runs", json=tiny_document()).status_code == 201

    def test_an_upload_is_refused_and_leaves_nothing(self, client: TestClient, small_disk: Path) -> None:
        table = b"a,b\n" + b"1,2\n" * 1_000_000
        answer = client.post("/datasets", content=table, headers={"content-type": "text/csv"})
        assert_unavailable(answer, "No space left on device. Free some space")
        assert list((small_disk / "datasets").iterdir()) == []

    def test_a_conversion_that_fills_the_disk_is_not_the_files_fault(
        self, client: TestClient, small_disk: Path
    ) -> None:
        table = b"a,b\n" + b"1,2\n" * 500_000  # 2 MB, and 8 MB as it's stored
        answer = client.post("/datasets", content=table, headers={"content-type": "text/csv"})
        assert_unavailable(answer, "No space left on device. Free some space")
        assert list((small_disk / "datasets").iterdir()) == []

    def test_a_run_in_training_waits_for_space_and_goes_on(
        self, small_database: Database, small_disk: Path
    ) -> None:
        run_id = enqueue(small_database, tiny_document(epochs=400))
        undisturbed = enqueue(small_database, tiny_document(epochs=400))
        first = job(small_database, small_disk)
        report = first.report

        def fill_and_report(block: Any) -> None:
            if block.last_epoch < 20:
                report(block)
            else:
                with full(small_disk):
                    while True:  # what SQLite has room for in its own files goes through
                        report(block)

        first.report = fill_and_report  # type: ignore[method-assign]
        first.run()

        assert row(small_database, run_id).status == "running"  # nothing else could be stored
        watch = LeaseWatch(lease_seconds=0)
        with small_database.writing() as session:
            assert requeue_expired(session, watch.find_ended(session), 5) == [run_id]
        job(small_database, small_disk).run()
        job(small_database, small_disk).run()

        with small_database.reading() as session:
            runs = [session.get_one(RunRow, each) for each in (run_id, undisturbed)]
            assert [run.status for run in runs] == ["succeeded", "succeeded"]
            assert runs[0].statistics == runs[1].statistics
            histories = [read_history(session, run) for run in runs]
        assert histories[0].epochs.tolist() == list(range(1, 401))
        assert histories[0].values.tobytes() == histories[1].values.tobytes()

    def test_artifacts_without_room_fail_the_run_in_words(
        self, small_database: Database, small_disk: Path
    ) -> None:
        document = tiny_document()
        document["model"]["layers"].insert(0, {"type": "Dense", "units": 400_000})  # 5 MB of weights
        run_id = enqueue(small_database, document)

        job(small_database, small_disk).run()

        run = row(small_database, run_id)
        assert run.status == "failed"
        assert run.error is not None
        assert run.error["code"] == "storage_failed"
        assert "No space left on device. Free some space" in run.error["message"]
        assert RunFiles(small_disk).runs_with_artifacts() == []
        assert RunFiles(small_disk).unfinished_folders() == []


def test_a_read_only_disk_is_told(client: TestClient, small_database: Database, small_disk: Path) -> None:
    run_id = enqueue(small_database, tiny_document())
    small_database.close()
    client.app.state.kerb.database.close()  # type: ignore[attr-defined]
    with read_only(small_disk):
        assert_unavailable(client.post("/runs", json=tiny_document()), "can it be written?")
        upload = client.post("/datasets", content=b"a\n1\n", headers={"content-type": "text/csv"})
        assert_unavailable(upload, "can it be written?")
        client.app.state.kerb.database.close()  # type: ignore[attr-defined]
    assert client.get(f"/runs/{run_id}").json()["status"] == "queued"


@pytest.fixture
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.database.BUSY_TIMEOUT_SECONDS", 0.3)


@pytest.mark.usefixtures("_impatient")
def test_a_locked_database_is_told_after_a_while(small_disk: Path, request: pytest.FixtureRequest) -> None:
    client = request.getfixturevalue("client")
    run_id = client.post("/runs", json=tiny_document()).json()["id"]
    with sqlite3.connect(small_disk / "kerb.db", isolation_level=None) as other:
        other.execute("BEGIN IMMEDIATE")
        threads_answers: list[httpx.Response] = []

        def post() -> None:
            threads_answers.append(client.post("/runs", json=tiny_document()))

        threads = [threading.Thread(target=post) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert client.get(f"/runs/{run_id}").json()["status"] == "queued"  # who reads waits for nobody
        other.execute("ROLLBACK")
    other.close()
    for answer in threads_answers:
        assert_unavailable(answer, "busy")
        assert "sqlite" not in answer.text.lower()
    assert client.post("/runs", json=tiny_document()).status_code == 201
