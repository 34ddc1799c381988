"""Which ended runs are deleted by themselves, oldest first, as the settings of retention say."""

import logging
import threading
from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError

from app.database import Database, utc_now
from app.errors import Conflict, NotFound
from app.models.tables import ModelRunRow
from app.runs.files import RunFiles, entries
from app.runs.service import delete_run
from app.runs.tables import ENDED, RunRow
from app.settings import Settings
from app.sweeps.tables import SweepRow, SweepRunRow

logger = logging.getLogger(__name__)

LOOK_SECONDS = 60.0
"""Time between two looks for runs to delete."""


class Retention(threading.Thread):
    """Deletes what is to go, from time to time, until it's told to stop.

    Args:
        settings: of the service; those of retention among them.
        database: where the runs are.
        stopping: set when it is to end.
    """

    def __init__(self, settings: Settings, database: Database, stopping: threading.Event) -> None:
        super().__init__(name="retention", daemon=True)
        self._settings = settings
        self._database = database
        self._stopping = stopping

    def run(self) -> None:
        """Looks every minute, the first time at once."""
        while not self._stopping.is_set():
            try:
                delete_surplus(self._settings, self._database)
            except (SQLAlchemyError, OSError):
                logger.exception("retention failed")
            self._stopping.wait(LOOK_SECONDS)


def delete_surplus(settings: Settings, database: Database) -> list[str]:
    """Deletes the oldest ended runs that are more, larger or older than the settings of retention allow.

    Those that a model names, that another run started from, or that a running sweep needs stay, and don't
    count.

    Returns:
        The deleted runs.
    """
    if not (settings.retention_days or settings.retention_runs or settings.retention_bytes):
        return []
    files = RunFiles(settings.data_dir)
    deleted = []
    for run_id in _find_surplus(settings, database, files):
        try:
            with database.writing() as session:
                delete_run(session, run_id)
        except (Conflict, NotFound):  # named by a model just now, or deleted
            continue
        files.remove(run_id)
        deleted.append(run_id)
        logger.info("run deleted by retention run=%s", run_id)
    return deleted


def _find_surplus(settings: Settings, database: Database, files: RunFiles) -> list[str]:
    with database.reading() as session:
        ended = session.execute(
            select(RunRow.id, RunRow.finished_at).where(RunRow.status.in_(ENDED)).order_by(RunRow.id)
        ).all()
        kept = set(session.scalars(select(ModelRunRow.run_id)))
        kept.update(session.scalars(select(RunRow.document["start_from"].as_string())))
        of_sweeps = select(SweepRunRow.run_id).join(SweepRow, SweepRow.id == SweepRunRow.sweep_id)
        kept.update(session.scalars(of_sweeps.where(SweepRow.status == "running")))
    free = [run for run in ended if run.id not in kept]
    runs = len(free)
    sizes = {run.id: _size(files.artifacts(run.id)) if settings.retention_bytes else 0 for run in free}
    size = sum(sizes.values())
    long_ago = utc_now() - timedelta(days=settings.retention_days)
    surplus = []
    for run in free:
        too_old = settings.retention_days and run.finished_at is not None and run.finished_at < long_ago
        too_many = settings.retention_runs and runs > settings.retention_runs
        too_large = settings.retention_bytes and size > settings.retention_bytes and sizes[run.id]
        if too_old or too_many or too_large:
            surplus.append(run.id)
            runs -= 1
            size -= sizes[run.id]
    return surplus


def _size(folder: Path) -> int:
    return sum(_sizes_of(entries(folder)))


def _sizes_of(paths: Iterable[Path]) -> Iterable[int]:
    for path in paths:
        try:
            yield path.stat().st_size
        except FileNotFoundError:  # being removed
            continue
