"""The worker process: Keras imported before a run arrives; then claim, train, claim the next.

Four threads: the main one trains; one keeps the database informed (heartbeat, lease, runs of lost workers);
one answers the API's questions; one watches the process (`app.worker.pulse`). The process ends on SIGTERM or
SIGINT, when its parent is gone, or after `runs_per_worker` runs. Before it ends it puts the run it trains
aside, with a checkpoint.
"""

import contextlib
import logging
import os
import signal
import socket
import sys
import threading
from datetime import timedelta
from types import FrameType
from typing import TYPE_CHECKING, NoReturn

from sqlalchemy import delete
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from app.database import Database, utc_now
from app.errors import RunError
from app.runs.files import RunFiles
from app.runs.tables import WorkerRow
from app.settings import Settings
from app.sweeps.rounds import carry_on
from app.worker import calls
from app.worker.changes import Changes
from app.worker.claim import Claim, LeaseWatch, claim_run, queue_has_runs, requeue_expired
from app.worker.pulse import Pulse, Work

if TYPE_CHECKING:
    from app.worker.training_job import TrainingJob

logger = logging.getLogger(__name__)

HEARTBEAT_SECONDS = 1.0
FORGET_AFTER_LEASES = 100
"""Leases without a heartbeat after which a worker's row is removed."""
RETRY_SECONDS = 1.0
"""Pause after the database failed."""


class Worker:
    """A worker, in a process of its own.

    Args:
        settings: of the service.
        worker_id: under which it's known.

    Attributes:
        warm: whether Keras is imported.
        job: the run in training.
    """

    def __init__(self, settings: Settings, worker_id: str) -> None:
        self.settings = settings
        self.id = worker_id
        self.database = Database(settings.url_of_database())
        self.started_at = utc_now()
        self.stopping = threading.Event()
        self._ending = threading.Event()
        self.warm = False
        self.job: TrainingJob | None = None

    def run(self) -> None:
        """Works until it's told to stop, or has trained as many runs as it may."""
        self._write_row()
        heart = threading.Thread(target=self._beat, daemon=True)
        heart.start()
        try:
            # Not before the heart beats: these take seconds, as they import Keras.
            from app.training.warm_up import warm_up
            from app.worker.training_job import TrainingJob

            known_calls = calls.answerers(RunFiles(self.settings.data_dir))
            warm_up()
            self.warm = True
            threading.Thread(target=self._answer_calls, args=(known_calls,), daemon=True).start()
            self._write_row()
            logger.info("worker ready worker=%s", self.id)
            for _ in range(self.settings.runs_per_worker):
                claim = self._wait_for_run()
                if claim is None:
                    return
                self.job = TrainingJob(claim, self.database, self.settings, self.stopping)
                self.job.run()
                self.job = None
            logger.info("worker has trained its runs, another takes its place worker=%s", self.id)
        finally:
            self.stopping.set()
            self._ending.set()
            heart.join(timeout=2 * HEARTBEAT_SECONDS)
            self._unregister()
            logger.info("worker ended worker=%s", self.id)

    def work(self) -> Work | None:
        """What the worker is at; None while it waits for a run."""
        job = self.job
        if job is not None:
            return Work(f"run {job.run_id}", job.progress)
        return None if self.warm else Work("the imports", 0)

    def give_up(self, error: RunError) -> None:
        """Fails the run that the worker is at, if it's at one; called from another thread."""
        job = self.job
        if job is not None:
            job.give_up(error)

    def stop(self) -> None:
        """Makes `run` end soon; may be called from a signal handler or another thread."""
        self.stopping.set()

    def _wait_for_run(self) -> Claim | None:
        """Claims the next run; None once the worker is to stop."""
        changes = Changes(self.database)
        while not self.stopping.is_set():
            try:
                if not changes.may_be():
                    self.stopping.wait(self.settings.poll_seconds)
                    continue
                carry_on(self.database)
                with self.database.engine.connect() as connection:
                    waiting = queue_has_runs(connection, self.settings.max_running_runs)
                if waiting:
                    with self.database.writing() as session:
                        claim = claim_run(
                            session, self.id, self.settings.lease_seconds, self.settings.max_running_runs
                        )
                    if claim is not None:
                        return claim
                self.stopping.wait(self.settings.poll_seconds)
            except SQLAlchemyError:
                logger.exception("database failed while the worker looked for runs")
                self.stopping.wait(RETRY_SECONDS)
        return None

    def _beat(self) -> None:
        watch = LeaseWatch(self.settings.lease_seconds)
        # One that is to stop may be writing a run's files for a while yet, and keeps the run meanwhile.
        while not self._ending.wait(HEARTBEAT_SECONDS):
            try:
                with self.database.writing() as session:
                    self._register(session)
                    ended = watch.find_ended(session)
                    for run_id in requeue_expired(session, ended, self.settings.max_attempts):
                        logger.warning("lease ended, worker lost run=%s", run_id)
                    calls.forget_old_calls(session)
                    self._forget_lost_workers(session)
                job = self.job
                if job is not None:
                    job.renew()
            except SQLAlchemyError:
                logger.exception("database failed at a heartbeat")

    def _answer_calls(self, known: dict[str, calls.Answerer]) -> None:
        changes = Changes(self.database)
        while not self.stopping.is_set():
            try:
                while changes.may_be() and calls.answer_next_call(self.database, known):
                    pass
                self.stopping.wait(self.settings.poll_seconds)
            except SQLAlchemyError:
                logger.exception("database failed while the worker looked for questions")
                self.stopping.wait(RETRY_SECONDS)

    def _register(self, session: Session) -> None:
        """Writes the worker's row, anew if another took the worker for lost, as when the clock has jumped."""
        session.merge(
            WorkerRow(
                id=self.id,
                pid=os.getpid(),
                hostname=socket.gethostname(),
                started_at=self.started_at,
                heartbeat_at=utc_now(),
                state=self._state(),
            )
        )

    def _state(self) -> str:
        if self.stopping.is_set():
            return "stopping"
        return "ready" if self.warm else "starting"

    def _forget_lost_workers(self, session: Session) -> None:
        now, long = utc_now(), timedelta(seconds=FORGET_AFTER_LEASES * self.settings.lease_seconds)
        # One that is alive, and only seems lost as the clock has jumped, writes its row again.
        session.execute(delete(WorkerRow).where(~WorkerRow.heartbeat_at.between(now - long, now + long)))

    def _write_row(self) -> None:
        with self.database.writing() as session:
            self._register(session)

    def _unregister(self) -> None:
        with self.database.writing() as session:
            session.execute(delete(WorkerRow).where(WorkerRow.id == self.id))


def run_worker(settings: Settings, worker_id: str) -> NoReturn:
    """The main function of a worker process.

    Its standard input is a socket to the process that started it: when that process is gone, however it
    ended, the socket is closed, and the worker stops.

    Args:
        settings: of the service.
        worker_id: under which it's known.
    """
    worker = Worker(settings, worker_id)

    def stop(_signal: int, _frame: FrameType | None) -> None:
        worker.stop()
        if not worker.warm:
            raise SystemExit(0)  # importing Keras would take seconds more, for nothing

    def leave_for_lost_thread(failure: threading.ExceptHookArgs) -> None:
        logger.error("a thread failed, worker ends worker=%s", worker.id, exc_info=failure.exc_value)
        leave(1)

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    threading.excepthook = leave_for_lost_thread  # a worker without heartbeat, say, only seems to be one
    parent = _parent_socket()
    threading.Thread(target=_stop_with_parent, args=(worker,), daemon=True).start()
    Pulse(worker, parent, settings.memory_of_worker(), settings.hang_seconds, leave).start()
    try:
        worker.run()
    except SystemExit:
        leave(0)
    except Exception:
        logger.exception("worker failed worker=%s", worker.id)
        leave(1)
    leave(0)


def leave(code: int) -> NoReturn:
    """Ends the process without Python's and TensorFlow's clearing up, which takes seconds, for nothing."""
    logging.shutdown()
    os._exit(code)


def _parent_socket() -> socket.socket | None:
    try:
        return socket.socket(fileno=os.dup(sys.stdin.fileno()))
    except OSError:  # started by hand, with a terminal or a file there
        return None


def _stop_with_parent(worker: Worker) -> None:
    # The bare descriptor: a thread that waits inside Python's own stdin would hinder the interpreter's end.
    with contextlib.suppress(ConnectionResetError):
        while os.read(sys.stdin.fileno(), 1):
            pass
    logger.warning("parent is gone, worker stops worker=%s", worker.id)
    worker.stop()
    # Training may be deep in a compilation. Another worker may want the machine, and the lease runs out
    # anyway, so this one doesn't take longer than it would be given by a parent.
    threading.Event().wait(worker.settings.stop_seconds)
    leave(1)
