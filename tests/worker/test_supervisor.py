"""The supervisor, with other processes in place of workers."""

import errno
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from app.database import Database
from app.memory import usual_workers
from app.runs.service import build_run, create_run
from app.runs.tables import RunRow
from app.settings import Settings
from app.spec.parsing import parse_run
from app.worker.claim import claim_run
from app.worker.engine import LocalWorker
from app.worker.supervisor import Supervisor
from tests.support.documents import tiny_document

STUBBORN = (
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(flush=True); time.sleep(60)"
)


class Processes:
    """An engine of processes that do nothing, and don't end when they're asked to."""

    def __init__(self, failures: int = 0) -> None:
        self.failures = failures
        self.started: list[str] = []

    def start_worker(self, worker_id: str) -> LocalWorker:
        if self.failures:
            self.failures -= 1
            raise OSError(errno.ENOMEM, "Cannot allocate memory")
        ours, theirs = socket.socketpair()
        with theirs:
            command = [sys.executable, "-c", STUBBORN]
            process = subprocess.Popen(command, stdin=theirs.fileno(), stdout=subprocess.PIPE)
        assert process.stdout is not None
        with process.stdout:
            process.stdout.readline()  # it's deaf from now on
        self.started.append(worker_id)
        return LocalWorker(process, ours)


def wait_until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.mark.parametrize(
    ("cores", "gigabytes", "workers"), [(1, 64, 1), (2, 24, 2), (32, 64, 2), (2, 8, 2), (2, 7, 1), (1, 1, 1)]
)
def test_machines_have_two_workers_if_there_is_room(cores: int, gigabytes: int, workers: int) -> None:
    assert usual_workers(cores, gigabytes * 10**9) == workers


def test_workers_share_the_memory() -> None:
    one, two = (Settings(workers=workers).memory_of_worker() for workers in (1, 2))
    assert two == one // 2


def test_a_worker_that_cannot_be_started_is_started_later(database: Database, tmp_path: Path) -> None:
    engine = Processes(failures=1)
    supervisor = Supervisor(Settings(data_dir=tmp_path, stop_seconds=0.1), database, engine)
    supervisor.start()
    wait_until(lambda: engine.started)
    supervisor.stop()


def test_a_run_of_a_worker_that_is_stopped_by_force_has_not_lost_an_attempt(
    database: Database, tmp_path: Path
) -> None:
    engine = Processes()
    supervisor = Supervisor(Settings(data_dir=tmp_path, stop_seconds=0.1, max_attempts=1), database, engine)
    supervisor.start()
    wait_until(lambda: engine.started)
    with database.writing() as session:
        run_id = create_run(session, build_run(parse_run(tiny_document()), "hash", None)).id
        claim_run(session, engine.started[0], lease_seconds=10, most_of_project=1)

    supervisor.stop()

    with database.reading() as session:
        run = session.get_one(RunRow, run_id)
    assert (run.status, run.attempts, run.worker_id) == ("queued", 0, None)
