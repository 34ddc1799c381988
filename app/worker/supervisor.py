"""Keeps workers alive: one that ended is replaced, and its run goes to the next at once.

What a service does from time to time, retention, is started here, too, as each service has a supervisor.
"""

import logging
import threading
import time

from sqlalchemy import delete
from sqlalchemy.exc import SQLAlchemyError

from app.counters import count
from app.database import Database
from app.ids import new_id
from app.migrations import migrate
from app.repair import clean_up, repair, report_losses
from app.retention import Retention
from app.runs.tables import WorkerRow
from app.settings import Settings
from app.worker.claim import release_of_worker, requeue_of_worker
from app.worker.engine import Engine, LocalEngine, WorkerHandle

logger = logging.getLogger(__name__)

LOOK_SECONDS = 0.1
LONGEST_PAUSE_SECONDS = 30.0
HEALTHY_AFTER_SECONDS = 60.0
"""A worker that lived as long isn't held against its successor."""


def build_supervisor(settings: Settings) -> "Supervisor":
    """A supervisor of processes of this machine, with the data folder and the database they need.

    What a crash left behind there is repaired.
    """
    database = Database(settings.url_of_database())
    migrate(database)
    repair(database, settings.data_dir)
    # Reading all files takes a while where there are many.
    threading.Thread(target=report_losses, args=(database, settings.data_dir), daemon=True).start()
    return Supervisor(settings, database, LocalEngine(settings))


class Supervisor:
    """Keeps `settings.workers` workers alive, in threads of its own.

    Args:
        settings: of the service.
        database: where runs and workers are.
        engine: starts workers.
    """

    def __init__(self, settings: Settings, database: Database, engine: Engine) -> None:
        self._settings = settings
        self._database = database
        self._engine = engine
        self._stopping = threading.Event()
        self._retention = Retention(settings, database, self._stopping)
        self._threads = [
            threading.Thread(target=self._keep_one_alive, name=f"worker-{place}", daemon=True)
            for place in range(settings.workers)
        ]

    def start(self) -> None:
        """Starts the workers; returns at once."""
        self._retention.start()
        for thread in self._threads:
            thread.start()

    def begin_stop(self) -> None:
        """Tells the workers to stop; returns at once."""
        self._stopping.set()

    def stop(self) -> None:
        """Stops the workers; returns when they are gone, `stop_seconds` later at most."""
        self.begin_stop()
        for thread in self._threads:
            if thread.ident is not None:  # otherwise it was never started
                thread.join()

    def _keep_one_alive(self) -> None:
        pause = 0.0
        while not self._stopping.wait(pause):
            started = time.monotonic()
            worker_id = new_id("worker")
            try:
                worker = self._engine.start_worker(worker_id)
            except OSError:  # such as for want of memory; later there may be some
                logger.exception("worker can't be started")
                pause = _longer(pause)
                continue
            while not worker.has_ended() and not self._stopping.wait(LOOK_SECONDS):
                silent = worker.seconds_silent()
                if silent > self._settings.hang_seconds:
                    logger.error("worker gives no sign of life worker=%s seconds=%.0f", worker_id, silent)
                    worker.kill(after_seconds=0)
            if self._stopping.is_set():
                worker.stop()
            worker.kill(after_seconds=self._settings.stop_seconds)
            self._clean_up_after(worker_id, worker)
            lived = time.monotonic() - started
            if worker.exit_code() == 0 or lived > HEALTHY_AFTER_SECONDS:
                pause = 0.0
            else:
                pause = _longer(pause)

    def _clean_up_after(self, worker_id: str, worker: WorkerHandle) -> None:
        """Gives the run of a worker that died to the next one, without waiting for the lease to end.

        What it left half done is removed, and what workers of a service that died have left.
        """
        died = worker.exit_code() != 0 and not self._stopping.is_set()
        if died:
            logger.warning("worker died worker=%s exit_code=%s", worker_id, worker.exit_code())
        try:
            with self._database.writing() as session:
                if died:
                    count(session, "worker_restarts")
                if self._stopping.is_set():
                    run_ids = release_of_worker(session, worker_id)
                else:
                    run_ids = requeue_of_worker(session, worker_id, self._settings.max_attempts)
                for run_id in run_ids:
                    logger.warning("run taken from dead worker run=%s worker=%s", run_id, worker_id)
                session.execute(delete(WorkerRow).where(WorkerRow.id == worker_id))
        except SQLAlchemyError:
            logger.exception("database failed; the lease of the worker's run has to end by itself")
        if not self._stopping.is_set():
            try:
                clean_up(self._database, self._settings.data_dir)
            except (SQLAlchemyError, OSError):
                logger.exception("what the worker left can't be removed now; the next start will")


def _longer(pause: float) -> float:
    return min(LONGEST_PAUSE_SECONDS, max(0.5, 2 * pause))
