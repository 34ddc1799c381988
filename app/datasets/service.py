"""What can be done with datasets: store, find, delete. Knows no HTTP."""

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import orjson
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app.database import Database, utc_now
from app.datasets.tables import DatasetRow
from app.errors import InvalidDocument, NotFound
from app.ids import new_id
from app.runs.files import publish_folder


class DatasetFiles:
    """Where the files of datasets lie.

    Args:
        data_dir: the service's data folder.
    """

    def __init__(self, data_dir: Path) -> None:
        self._folder = data_dir / "datasets"

    def folder(self, dataset_id: str) -> Path:
        """Folder of a dataset's samples; appears all at once."""
        return self._folder / dataset_id

    def unfinished(self, dataset_id: str) -> Path:
        """Folder in which a dataset is gathered; on the same file system, so renaming is atomic."""
        path = self._folder / f".{dataset_id}"
        path.mkdir(parents=True)
        return path


def find_same(session: Session, sha256: str, form: str) -> DatasetRow | None:
    """The dataset that was made of the same bytes."""
    same = select(DatasetRow).where(DatasetRow.sha256 == sha256, DatasetRow.form == form)
    return session.scalars(same).first()


def store(
    database: Database, files: DatasetFiles, form: str, name: str | None, upload: Path, sha256: str
) -> tuple[DatasetRow, bool]:
    """Stores an uploaded file as a dataset; the one of the same bytes, if there is one, and False.

    Args:
        database: the database.
        files: where it's to lie.
        form: of the file.
        name: of a new dataset.
        upload: the file, which stays.
        sha256: of its bytes.

    Raises:
        InvalidDocument: the file is broken; nothing of it is left.
    """
    with database.reading() as session:
        same = find_same(session, sha256, form)
        if same is not None:
            return same, False
    dataset_id = new_id("ds")
    gathering = files.unfinished(dataset_id)
    try:
        found = _convert(form, upload, gathering)
        publish_folder(gathering, files.folder(dataset_id))
    finally:
        shutil.rmtree(gathering, ignore_errors=True)
    row = DatasetRow(
        id=dataset_id,
        name=name,
        form=form,
        sha256=sha256,
        bytes=upload.stat().st_size,
        created_at=utc_now(),
        **found,
    )
    try:
        with database.writing() as session:
            session.add(row)
    except BaseException as error:
        shutil.rmtree(files.folder(dataset_id), ignore_errors=True)
        if isinstance(error, IntegrityError):  # the same bytes came twice at once
            with database.reading() as session:
                same = find_same(session, sha256, form)
            if same is not None:
                return same, False
        raise
    return row, True


def _convert(form: str, source: Path, folder: Path) -> dict[str, Any]:
    command = [sys.executable, "-m", "app.datasets.conversion", form, str(source), str(folder)]
    ended = subprocess.run(command, stdout=subprocess.PIPE, check=False)
    if ended.returncode:
        raise InvalidDocument.at("", f"Expected a file in {form}; received one that broke its reader.")
    found: dict[str, Any] = orjson.loads(ended.stdout)
    if "error" in found:
        raise InvalidDocument.at("", found["error"])
    return found


def get_dataset(session: Session, dataset_id: str) -> DatasetRow:
    """The dataset of that id.

    Raises:
        NotFound: there is none.
    """
    dataset = session.get(DatasetRow, dataset_id)
    if dataset is None:
        raise NotFound(f"There is no dataset {dataset_id!r}.")
    return dataset


def list_datasets(
    session: Session, name: str | None, limit: int, after: str | None
) -> tuple[list[DatasetRow], bool]:
    """Datasets from the newest on, and whether there are more.

    Args:
        session: a transaction.
        name: only of exactly this name.
        limit: at most as many.
        after: id of the last dataset of the page before.
    """
    query = select(DatasetRow).order_by(DatasetRow.id.desc()).limit(limit + 1)
    if after is not None:
        query = query.where(DatasetRow.id < after)
    if name is not None:
        query = query.where(DatasetRow.name == name)
    datasets = list(session.scalars(query))
    return datasets[:limit], len(datasets) > limit


def delete_dataset(session: Session, dataset_id: str) -> None:
    """Removes a dataset's row; its files are for the caller to remove once that is committed.

    Raises:
        NotFound: there is none.
    """
    session.delete(get_dataset(session, dataset_id))
