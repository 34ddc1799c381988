"""The supervisor, with other processes in place of workers."""

import errno
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import select

from app.counters import CounterRow
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
from tests.support.waiting import wait_until

STUBBORN = (
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(flush=True); time.sleep(60)"
)


BEATING = """
import os, socket, sys, time
from app.worker.pulse import Pulse, Work

class Watched:
    def work(self):
        return Work("run", 0) if "still" in sys.argv else None
    def give_up(self, error):
        pass

Pulse(Watched(), socket.socket(fileno=os.dup(0)), 2**62, 2.0, os._exit).start()
print(flush=True)
time.sleep(60)
"""
"""A process that gives signs of life as a worker does; with `still`, one that should be working."""


class Processes:
    """An engine of processes that do nothing, and don't end when they're asked to."""

    def __init__(self, failures: int = 0, *program: str) -> None:
        self.failures = failures
        self.program = program or (STUBBORN,)
        self.started: list[str] = []
        self.pids: list[int] = []

    def start_worker(self, worker_id: str) -> LocalWorker:
        if self.failures:
            self.failures -= 1
            raise OSError(errno.ENOMEM, "Cannot allocate memory")
        ours, theirs = socket.socketpair()
        with theirs:
            command = [sys.executable, "-c", *self.program]
            process = subprocess.Popen(command, stdin=theirs.fileno(), stdout=subprocess.PIPE)
        assert process.stdout is not None
        with process.stdout:
            process.stdout.readline()  # it's deaf from now on
        self.pids.append(process.pid)
        self.started.append(worker_id)
        return LocalWorker(process, ours)


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


@pytest.mark.parametrize(
    ("how", "said"), [("stopped", "worker gives no sign of life"), ("still", "worker died")]
)
def test_a_worker_that_hangs_is_replaced_and_its_run_tried_again(
    database: Database, tmp_path: Path, caplog: pytest.LogCaptureFixture, how: str, said: str
) -> None:
    engine = Processes(0, BEATING, how)
    supervisor = Supervisor(
        Settings(data_dir=tmp_path, workers=1, stop_seconds=0.1, hang_seconds=2), database, engine
    )
    with database.writing() as session:
        run_id = create_run(session, build_run(parse_run(tiny_document()), "hash", None)).id
    supervisor.start()
    wait_until(lambda: engine.started)
    with database.writing() as session:
        claim_run(session, engine.started[0], lease_seconds=10, most_of_project=1)
    if how == "stopped":
        os.kill(engine.pids[0], signal.SIGSTOP)

    wait_until(lambda: len(engine.started) > 1)

    with database.reading() as session:
        run = session.get_one(RunRow, run_id)
        restarts = session.scalar(select(CounterRow.value).where(CounterRow.name == "worker_restarts"))
    assert (run.status, run.attempts, run.worker_id) == ("queued", 1, None)
    assert restarts == 1
    assert said in caplog.text
    supervisor.stop()
