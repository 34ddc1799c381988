"""The worker, in a thread of this process."""

import threading
import time
from pathlib import Path

import pytest
from sqlalchemy import select

from app.database import Database
from app.runs.service import build_run, create_run
from app.runs.tables import RunRow, WorkerRow
from app.settings import Settings
from app.spec.parsing import parse_run
from app.worker.process import Worker
from tests.support.documents import tiny_document


def test_a_worker_that_is_told_to_stop_keeps_the_run_whose_files_it_writes(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with database.writing() as session:
        run_id = create_run(session, build_run(parse_run(tiny_document()), "hash", None)).id
    worker = Worker(Settings(data_dir=tmp_path), "worker_1")
    seen = set()

    def stop_and_look(_folder: Path) -> None:
        worker.stop()
        deadline = time.monotonic() + 20
        while len(seen) < 3 and time.monotonic() < deadline:
            with database.reading() as session:
                lease = session.scalar(select(RunRow.lease_expires_at).where(RunRow.id == run_id))
                seen.add((lease, session.get_one(WorkerRow, "worker_1").state))
            time.sleep(0.1)

    monkeypatch.setattr("app.worker.training_job.sync_files", stop_and_look)
    thread = threading.Thread(target=worker.run)
    thread.start()
    thread.join()

    assert {state for _, state in seen} >= {"stopping"}
    assert len({lease for lease, _ in seen}) >= 2  # it was renewed
    with database.reading() as session:
        assert session.get_one(RunRow, run_id).status == "succeeded"
        assert session.scalars(select(WorkerRow)).all() == []
