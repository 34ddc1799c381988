"""One claimed run from its document to its end, in this process: real training, real files."""

import threading
from pathlib import Path
from typing import Any

import orjson
import pytest
from sqlalchemy import delete

from app.database import Database
from app.runs.files import ARTIFACTS, CHECKSUMS, CONTINUATION, RunFiles
from app.runs.history import read_history
from app.runs.service import build_run, cancel_run, create_run
from app.runs.tables import RunDataRow, RunRow
from app.settings import Settings
from app.spec.parsing import parse_run
from app.training.checkpoint import to_bytes
from app.worker.checkpoints import Checkpoints
from app.worker.claim import claim_run, requeue_of_worker
from app.worker.training_job import TrainingJob
from tests.support.documents import long_document, tiny_document
from tests.support.training import prepared


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path, checkpoint_seconds=0)


def enqueue(database: Database, document: dict[str, Any]) -> str:
    with database.writing() as session:
        return create_run(session, build_run(parse_run(document), "hash", None)).id


def claim_job(database: Database, settings: Settings, stopping: threading.Event | None = None) -> TrainingJob:
    with database.writing() as session:
        claim = claim_run(session, "worker_1", 10, 16)
    assert claim is not None
    return TrainingJob(claim, database, settings, stopping or threading.Event())


def row(database: Database, run_id: str) -> RunRow:
    with database.reading() as session:
        return session.get_one(RunRow, run_id)


def recorded_epochs(database: Database, run_id: str) -> list[int]:
    with database.reading() as session:
        return read_history(session, session.get_one(RunRow, run_id)).epochs.tolist()


def files_of(settings: Settings, run_id: str) -> list[str]:
    return sorted(path.name for path in settings.data_dir.rglob("*") if run_id in str(path.parent))


def test_a_run_succeeds_with_all_its_files(database: Database, settings: Settings) -> None:
    run_id = enqueue(database, tiny_document(epochs=4))

    claim_job(database, settings).run()

    assert row(database, run_id).status == "succeeded"
    assert row(database, run_id).worker_id is None
    assert recorded_epochs(database, run_id) == [1, 2, 3, 4]
    assert files_of(settings, run_id) == sorted([*ARTIFACTS, CHECKSUMS])
    written = orjson.loads((RunFiles(settings.data_dir).artifacts(run_id) / "run.json").read_bytes())
    assert written["status"] == "succeeded"
    assert written["finished_at"] is not None


def test_a_crash_between_the_files_and_the_row_is_mended(database: Database, settings: Settings) -> None:
    run_id = enqueue(database, tiny_document(epochs=4))
    claim_job(database, settings).run()
    folder = RunFiles(settings.data_dir).artifacts(run_id)
    statistics = (folder / "statistics.json").read_bytes()
    (folder / "leftover").write_text("of the attempt that crashed")
    with database.writing() as session:  # as if the last transaction had never been
        run = session.get_one(RunRow, run_id)
        run.status, run.finished_at, run.statistics, run.worker_id = "running", None, None, "worker_1"
    with database.writing() as session:
        requeue_of_worker(session, "worker_1", max_attempts=5)

    claim_job(database, settings).run()

    assert row(database, run_id).status == "succeeded"
    assert recorded_epochs(database, run_id) == [1, 2, 3, 4]
    assert files_of(settings, run_id) == sorted([*ARTIFACTS, CHECKSUMS])
    assert (folder / "statistics.json").read_bytes() == statistics


def test_the_end_is_when_the_model_is_written(database: Database, settings: Settings) -> None:
    run_id = enqueue(database, tiny_document())

    claim_job(database, settings).run()

    finished_at = row(database, run_id).finished_at
    assert finished_at is not None
    model = RunFiles(settings.data_dir).artifacts(run_id) / "model.keras"
    assert finished_at.timestamp() >= model.stat().st_mtime


@pytest.mark.parametrize("meanwhile", ["trained by another", "cancelled", "deleted"])
def test_who_lost_the_claim_as_the_run_ended_puts_no_files_in_place(
    database: Database, settings: Settings, monkeypatch: pytest.MonkeyPatch, meanwhile: str
) -> None:
    run_id = enqueue(database, tiny_document())
    files = RunFiles(settings.data_dir)

    def lose_claim(folder: Path) -> None:
        with database.writing() as session:
            run = session.get_one(RunRow, run_id)
            if meanwhile == "deleted":
                session.delete(run)
            elif meanwhile == "cancelled":
                cancel_run(session, run_id)
            else:
                run.status, run.worker_id, run.lease_expires_at = "succeeded", None, None
                files.artifacts(run_id).mkdir(parents=True)
                (files.artifacts(run_id) / "model.onnx").write_bytes(b"the other's")

    monkeypatch.setattr("app.worker.training_job.sync_files", lose_claim)
    claim_job(database, settings).run()

    if meanwhile == "trained by another":
        assert files_of(settings, run_id) == ["model.onnx"]
        assert (files.artifacts(run_id) / "model.onnx").read_bytes() == b"the other's"
    else:
        assert files_of(settings, run_id) == []


@pytest.mark.parametrize("loss", ["bit", "file"])
def test_a_run_does_not_start_from_files_that_are_lost(
    database: Database, settings: Settings, loss: str
) -> None:
    first = enqueue(database, tiny_document())
    claim_job(database, settings).run()
    path = RunFiles(settings.data_dir).artifacts(first) / CONTINUATION
    if loss == "bit":
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= 1
        path.write_bytes(content)
    else:
        path.unlink()
    second = enqueue(database, tiny_document(start_from=first))

    claim_job(database, settings).run()

    run = row(database, second)
    assert run.status == "failed"
    assert run.error is not None
    assert (run.error["code"], run.error["pointer"]) == ("artifacts_lost", "/start_from")
    assert first in run.error["message"]


def test_a_stopped_run_is_put_aside_and_goes_on_where_it_was(database: Database, settings: Settings) -> None:
    run_id = enqueue(database, tiny_document(epochs=50))
    stopping = threading.Event()
    job = claim_job(database, settings, stopping)
    report = job.report

    def report_and_stop(block: Any) -> None:
        report(block)
        stopping.set()

    job.report = report_and_stop  # type: ignore[method-assign]
    job.run()

    run = row(database, run_id)
    assert (run.status, run.attempts, run.worker_id) == ("queued", 0, None)
    assert 0 < run.epoch < 50
    checkpoint = Checkpoints(RunFiles(settings.data_dir).checkpoints(run_id)).newest(50)
    assert checkpoint is not None
    assert checkpoint.epoch == run.epoch

    claim_job(database, settings).run()

    assert row(database, run_id).status == "succeeded"
    assert recorded_epochs(database, run_id) == list(range(1, 51))


def test_a_cancelled_run_leaves_no_files(database: Database, settings: Settings) -> None:
    run_id = enqueue(database, long_document())
    thread = threading.Thread(target=claim_job(database, settings).run)
    thread.start()
    while row(database, run_id).epoch < 10:
        threading.Event().wait(0.02)

    with database.writing() as session:
        cancel_run(session, run_id)
    thread.join()

    assert row(database, run_id).status == "cancelled"
    assert recorded_epochs(database, run_id) == list(range(1, row(database, run_id).epoch + 1))
    assert files_of(settings, run_id) == []


def test_a_disk_that_takes_no_checkpoint_costs_no_run(database: Database, settings: Settings) -> None:
    run_id = enqueue(database, tiny_document(epochs=20))
    (settings.data_dir / "checkpoints").write_text("a file where the folder should be")

    claim_job(database, settings).run()

    assert row(database, run_id).status == "succeeded"


def test_a_disk_that_takes_no_artifacts_fails_the_run(database: Database, settings: Settings) -> None:
    run_id = enqueue(database, tiny_document())
    (settings.data_dir / "artifacts").write_text("a file where the folder should be")

    claim_job(database, settings).run()

    run = row(database, run_id)
    assert run.status == "failed"
    assert run.error is not None
    assert run.error["code"] == "storage_failed"


@pytest.mark.parametrize("of", ["nothing", "another model"])
def test_a_checkpoint_of_another_structure_costs_the_epochs_and_not_the_run(
    database: Database, settings: Settings, of: str
) -> None:
    run_id = enqueue(database, tiny_document(epochs=30))
    payload = b"whole, but no training state"
    if of == "another model":
        document = tiny_document()
        document["model"]["layers"][0]["units"] += 1
        payload = to_bytes(prepared(document).state, seconds=0.0)
    Checkpoints(RunFiles(settings.data_dir).checkpoints(run_id)).save(0, payload)

    claim_job(database, settings).run()

    assert row(database, run_id).status == "succeeded"
    assert recorded_epochs(database, run_id) == list(range(1, 31))


def test_an_error_that_nobody_foresaw_fails_the_run_in_plain_words(
    database: Database, settings: Settings
) -> None:
    run_id = enqueue(database, tiny_document(epochs=30))
    job = claim_job(database, settings)

    def report(block: Any) -> None:
        raise ZeroDivisionError(f"{block.first_epoch} by nothing")

    job.report = report  # type: ignore[method-assign]
    job.run()

    run = row(database, run_id)
    assert run.status == "failed"
    assert run.error is not None
    assert run.error["code"] == "internal_error"
    assert "ZeroDivisionError" not in run.error["message"]
    assert files_of(settings, run_id) == []


def test_a_document_that_this_version_can_not_read_fails_with_the_field(
    database: Database, settings: Settings
) -> None:
    run_id = enqueue(database, tiny_document())
    with database.writing() as session:
        session.execute(delete(RunDataRow))  # the shapes stay where the arrays should be

    claim_job(database, settings).run()

    run = row(database, run_id)
    assert run.status == "failed"
    assert run.error is not None
    assert run.error["code"] == "invalid_document"
    assert run.error["pointer"].startswith("/dataset/inline")
