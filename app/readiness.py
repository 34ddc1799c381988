"""`GET /readyz`: whether runs are taken, trained and kept, or why not."""

import os
import shutil
from datetime import timedelta
from pathlib import Path

from sqlalchemy import select, text
from sqlalchemy.exc import SQLAlchemyError
from starlette.responses import Response

from app.bodies import json_answer
from app.database import Database, utc_now
from app.errors import Unavailable
from app.runs.tables import WorkerRow
from app.settings import Settings
from app.state import ForAll


def get_readiness(state: ForAll) -> Response:
    """Whether runs are taken, trained and kept: database, disk and a worker are there and ready."""
    check_disk(state.settings)
    return json_answer({"status": "ready", "workers": count_ready(state.database, state.settings)})


def check_disk(settings: Settings) -> None:
    """Sees whether the data folder can be written and has some space left.

    Raises:
        Unavailable: it can't, or hasn't.
    """
    try:
        free_bytes = shutil.disk_usage(settings.data_dir).free
    except OSError as error:
        raise Unavailable(f"The data folder can't be read: {error.strerror}.") from error
    if not _can_write(settings.data_dir):
        raise Unavailable("The data folder can't be written. Is its file system mounted read-only?")
    if free_bytes < settings.min_free_bytes:
        raise Unavailable(
            f"The disk of the data folder is nearly full: {free_bytes:,} bytes are free, and at least "
            f"{settings.min_free_bytes:,} (KERB_MIN_FREE_BYTES) are expected."
        )


def _can_write(folder: Path) -> bool:
    return os.access(folder, os.W_OK)


def count_ready(database: Database, settings: Settings) -> int:
    """The number of workers that are ready, at least 1.

    Raises:
        Unavailable: there is none, or the database doesn't answer.
    """
    now, while_good = utc_now(), timedelta(seconds=settings.lease_seconds)
    try:
        with database.reading() as session:
            session.execute(text("SELECT 1"))
            # A sign of life from the future is one from before the clock was put back.
            alive = WorkerRow.heartbeat_at.between(now - while_good, now + while_good)
            workers = session.scalars(select(WorkerRow.state).where(alive)).all()
    except SQLAlchemyError as error:
        raise Unavailable("The database can't be reached.") from error
    if "ready" not in workers:
        raise Unavailable("A worker is starting." if "starting" in workers else "No worker is running.")
    return workers.count("ready")
