"""What a crash has left behind, removed as the service starts or a worker is replaced, and said in the log.

Other processes may be at work on the same data meanwhile. What they are at they have locked, or its row says
so; nothing else is looked at.
"""

import logging
from collections.abc import Collection, Sequence
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError

from app.database import Database
from app.datasets.service import DatasetFiles
from app.datasets.tables import DatasetRow
from app.errors import ArtifactsLost
from app.runs.artifacts import check_artifact, read_checksums
from app.runs.files import RunFiles, remove_if_abandoned
from app.runs.tables import ENDED, RunRow

logger = logging.getLogger(__name__)

_ROWS = 500
"""As many rows are asked for at once."""


def repair(database: Database, data_dir: Path) -> None:
    """Removes files that belong to nothing: half uploads and artifacts, and what deleted runs had.

    If the database knows none of the runs and datasets whose files are there, they are left: the setting of
    the database or of the data folder is wrong then.
    """
    runs, datasets = RunFiles(data_dir), DatasetFiles(data_dir)
    _remove_unfinished(runs, datasets)
    # Files first: a run that is made after that has no files among these.
    with_artifacts, with_checkpoints = runs.runs_with_artifacts(), runs.runs_with_checkpoints()
    with_samples = datasets.datasets()
    statuses = _statuses_of(database, {*with_artifacts, *with_checkpoints})
    known = _datasets_of(database, with_samples)
    if (with_artifacts or with_checkpoints or with_samples) and not (statuses or known):
        logger.error("the database knows none of the files, is it the right one? data_dir=%s", data_dir)
        return
    for run_id in with_artifacts:
        if statuses.get(run_id) in (None, "failed", "cancelled"):
            runs.remove(run_id)
            logger.warning("files of a run without a model removed run=%s", run_id)
    for run_id in with_checkpoints:
        if statuses.get(run_id) in (None, *ENDED):
            runs.remove_checkpoints(run_id)
            logger.warning("checkpoints of a run that has ended removed run=%s", run_id)
    for dataset_id in with_samples:
        if dataset_id not in known and remove_if_abandoned(datasets.folder(dataset_id)):
            logger.warning("files of an unknown dataset removed dataset=%s", dataset_id)


def clean_up(database: Database, data_dir: Path) -> None:
    """Removes what workers that died may have left: half artifacts, and checkpoints of runs that have ended.

    It looks at these alone, so it takes little however many runs there are.
    """
    runs = RunFiles(data_dir)
    _remove_unfinished(runs, DatasetFiles(data_dir))
    for run_id, status in _statuses_of(database, runs.runs_with_checkpoints()).items():
        if status in ENDED:
            runs.remove_checkpoints(run_id)
            logger.warning("checkpoints of a run that has ended removed run=%s", run_id)


def _remove_unfinished(runs: RunFiles, datasets: DatasetFiles) -> None:
    for folder in (*runs.unfinished_folders(), *datasets.unfinished_folders()):
        if remove_if_abandoned(folder):
            logger.warning("unfinished files of a process that died removed path=%s", folder)


def report_losses(database: Database, data_dir: Path) -> None:
    """Compares the files of all runs that succeeded with their SHA-256, and logs which are lost.

    A run whose files are lost stays `succeeded`, which it has; its history and figures are in the database.
    What needs the files is refused with `artifacts_lost`.
    """
    files = RunFiles(data_dir)
    last = ""
    try:
        while run_ids := _succeeded_after(database, last):
            for run_id in run_ids:
                _report_loss(files.artifacts(run_id))
            last = run_ids[-1]
    except SQLAlchemyError:
        logger.exception("database failed while the files of runs were compared")


def _report_loss(folder: Path) -> None:
    try:
        for name in read_checksums(folder):
            check_artifact(folder, name)
    except ArtifactsLost as error:
        logger.error("files of a run are lost run=%s message=%s", folder.name, error.message)
    except OSError as error:
        logger.error("files of a run can't be read run=%s error=%s", folder.name, error)


def _succeeded_after(database: Database, last: str) -> Sequence[str]:
    query = select(RunRow.id).where(RunRow.status == "succeeded", RunRow.id > last)
    with database.reading() as session:
        return session.scalars(query.order_by(RunRow.id).limit(_ROWS)).all()


def _statuses_of(database: Database, run_ids: Collection[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    with database.reading() as session:
        for some in _in_parts(run_ids):
            rows = session.execute(select(RunRow.id, RunRow.status).where(RunRow.id.in_(some)))
            found.update((row.id, row.status) for row in rows)
    return found


def _datasets_of(database: Database, dataset_ids: Collection[str]) -> set[str]:
    found: set[str] = set()
    with database.reading() as session:
        for some in _in_parts(dataset_ids):
            found.update(session.scalars(select(DatasetRow.id).where(DatasetRow.id.in_(some))))
    return found


def _in_parts(ids: Collection[str]) -> list[list[str]]:
    listed = sorted(ids)
    return [listed[first : first + _ROWS] for first in range(0, len(listed), _ROWS)]
