"""The worker process: Keras imported before a run arrives; then claim, train, claim the next.

Three threads: the main one trains; one gives signs of life (heartbeat, lease, runs of lost workers); one
answers the API's questions. The process ends on SIGTERM or SIGINT, when its parent is gone, or after
`runs_per_worker` runs. Before it ends it puts the run it trains aside, with a checkpoint.
"""

import logging
import os
import signal
import socket
import sys
import threading
from datetime import timedelta
from types import FrameType
from typing import TYPE_CHECKING, NoReturn

from sqlalchemy import delete, update
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from app.database import Database, utc_now
from app.runs.files import RunFiles
from app.runs.tables import WorkerRow
from app.settings import Settings
from app.sweeps.service import carry_on
from app.worker import calls
from app.worker.claim import Claim, claim_run, queue_has_runs, requeue_expired

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
        self.stopping = threading.Event()
        self.warm = False
        self.job: TrainingJob | None = None

    def run(self) -> None:
        """Works until it's told to stop, or has trained as many runs as it may."""
        self._register()
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
            self._set_state("ready")
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
            heart.join(timeout=2 * HEARTBEAT_SECONDS)
            self._unregister()
            logger.info("worker ended worker=%s", self.id)

    def stop(self) -> None:
        """Makes `run` end soon; may be called from a signal handler or another thread."""
        self.stopping.set()

    def _wait_for_run(self) -> Claim | None:
        """Claims the next run; None once the worker is to stop."""
        while not self.stopping.is_set():
            try:
                carry_on(self.database)
                with self.database.engine.connect() as connection:
                    waiting = queue_has_runs(connection)
                if waiting:
                    with self.database.writing() as session:
                        claim = claim_run(session, self.id, self.settings.lease_seconds)
                    if claim is not None:
                        return claim
                self.stopping.wait(self.settings.poll_seconds)
            except SQLAlchemyError:
                logger.exception("database failed while the worker looked for runs")
                self.stopping.wait(RETRY_SECONDS)
        return None

    def _beat(self) -> None:
        while not self.stopping.wait(HEARTBEAT_SECONDS):
            try:
                with self.database.writing() as session:
                    session.execute(
                        update(WorkerRow).where(WorkerRow.id == self.id).values(heartbeat_at=utc_now())
                    )
                    for run_id in requeue_expired(session, self.settings.max_attempts):
                        logger.warning("lease ended, worker lost run=%s", run_id)
                    calls.forget_old_calls(session)
                    self._forget_lost_workers(session)
                job = self.job
                if job is not None:
                    job.renew()
            except SQLAlchemyError:
                logger.exception("database failed at a heartbeat")

    def _answer_calls(self, known: dict[str, calls.Answerer]) -> None:
        while not self.stopping.is_set():
            try:
                if not calls.answer_next_call(self.database, known):
                    self.stopping.wait(self.settings.poll_seconds)
            except SQLAlchemyError:
                logger.exception("database failed while the worker looked for questions")
                self.stopping.wait(RETRY_SECONDS)

    def _register(self) -> None:
        now = utc_now()
        row = WorkerRow(
            id=self.id,
            pid=os.getpid(),
            hostname=socket.gethostname(),
            started_at=now,
            heartbeat_at=now,
            state="starting",
        )
        with self.database.writing() as session:
            session.add(row)

    def _forget_lost_workers(self, session: Session) -> None:
        long_ago = utc_now() - timedelta(seconds=FORGET_AFTER_LEASES * self.settings.lease_seconds)
        session.execute(delete(WorkerRow).where(WorkerRow.heartbeat_at < long_ago))

    def _set_state(self, state: str) -> None:
        with self.database.writing() as session:
            session.execute(update(WorkerRow).where(WorkerRow.id == self.id).values(state=state))

    def _unregister(self) -> None:
        with self.database.writing() as session:
            session.execute(delete(WorkerRow).where(WorkerRow.id == self.id))


def run_worker(settings: Settings, worker_id: str) -> NoReturn:
    """The main function of a worker process.

    Its standard input is a pipe from the process that started it: when that process is gone, however it
    ended, the pipe is closed, and the worker stops.

    Args:
        settings: of the service.
        worker_id: under which it's known.
    """
    worker = Worker(settings, worker_id)

    def stop(_signal: int, _frame: FrameType | None) -> None:
        worker.stop()
        if not worker.warm:
            raise SystemExit(0)  # importing Keras would take seconds more, for nothing

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    threading.Thread(target=_stop_with_parent, args=(worker,), daemon=True).start()
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


def _stop_with_parent(worker: Worker) -> None:
    # The bare descriptor: a thread that waits inside Python's own stdin would hinder the interpreter's end.
    while os.read(sys.stdin.fileno(), 1):
        pass
    logger.warning("parent is gone, worker stops worker=%s", worker.id)
    worker.stop()
    # Training may be deep in a compilation. Another worker may want the machine, and the lease runs out
    # anyway, so this one doesn't take longer than it would be given by a parent.
    threading.Event().wait(worker.settings.stop_seconds)
    leave(1)
