"""What can be done with datasets: store, find, delete. Knows no HTTP."""

import secrets
import shutil
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app.database import Database, utc_now
from app.datasets.reading import describe, read_run_data
from app.datasets.reception import Reception
from app.datasets.tables import DatasetRow
from app.errors import Conflict, InvalidDocument, NotFound
from app.ids import new_id
from app.runs.files import entries, publish_folder, sync_files
from app.runs.tables import ENDED, RunRow
from app.spec.dataset import AnyDataset, RunData
from app.spec.described_dataset import DatasetDescription
from app.spec.space import IN_MEMORY, ON_DEMAND, Space
from app.spec.stored_dataset import StoredDataset


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

    def upload(self) -> Path:
        """A folder in which a body is received and made into a dataset; on the same file system, so that it
        can be renamed.
        """
        return self._folder / f".upload.{secrets.token_hex(4)}"

    def datasets(self) -> list[str]:
        """The datasets, by id, that have a folder of samples."""
        return [path.name for path in entries(self._folder) if not path.name.startswith(".")]

    def unfinished_folders(self) -> list[Path]:
        """The folders in which datasets are gathered, or were when the process died."""
        return [path for path in entries(self._folder) if path.name.startswith(".")]


def find_same(session: Session, digest: str, form: str) -> DatasetRow | None:
    """The dataset that was made of the same bytes."""
    same = select(DatasetRow).where(DatasetRow.digest == digest, DatasetRow.form == form)
    return session.scalars(same).first()


def store(
    database: Database, files: DatasetFiles, name: str | None, reception: Reception
) -> tuple[DatasetRow, bool]:
    """Stores what was received as a dataset; the one of the same bytes, if there is one, and False.

    Args:
        database: the database.
        files: where it's to lie.
        name: of a new dataset.
        reception: has taken all that came, into a folder that somebody is gathering.

    Raises:
        InvalidDocument: the file is broken.
        TooLarge: it's larger than it may be.
    """
    digest, form = reception.end(), reception.upload.form
    with database.reading() as session:
        same = find_same(session, digest, form)
        if same is not None:
            return same, False
    found = reception.found()
    sync_files(reception.folder)
    row = DatasetRow(
        id=new_id("ds"),
        name=name,
        form=form,
        digest=digest,
        bytes=reception.bytes,
        created_at=utc_now(),
        **found,
    )
    # The lock on the folder goes with it, so nobody takes it for a leftover before its row is there.
    publish_folder(reception.folder, files.folder(row.id))
    return _insert(database, files, row)


def _insert(database: Database, files: DatasetFiles, row: DatasetRow) -> tuple[DatasetRow, bool]:
    try:
        with database.writing() as session:
            session.add(row)
    except BaseException as error:
        shutil.rmtree(files.folder(row.id), ignore_errors=True)
        if isinstance(error, IntegrityError):  # the same bytes came twice at once
            with database.reading() as session:
                same = find_same(session, row.digest, row.form)
            if same is not None:
                return same, False
        raise
    return row, True


def get_dataset(session: Session, dataset_id: str) -> DatasetRow:
    """The dataset of that id.

    Raises:
        NotFound: there is none.
    """
    dataset = session.get(DatasetRow, dataset_id)
    if dataset is None:
        raise NotFound(f"There is no dataset {dataset_id!r}.")
    return dataset


def describe_dataset(session: Session, dataset: AnyDataset) -> DatasetDescription | None:
    """What a document is checked against that names a stored dataset; None of one with its own samples.

    Raises:
        InvalidDocument: there is no such dataset.
    """
    if not isinstance(dataset, StoredDataset):
        return None
    try:
        return describe(get_dataset(session, dataset.id))
    except NotFound as error:
        raise InvalidDocument.at("/dataset/id", error.message) from error


def load_stored(
    session: Session, files: DatasetFiles, dataset: StoredDataset, most_bytes: int | None = None
) -> RunData:
    """The samples that a document takes of a stored dataset.

    Args:
        session: a transaction.
        files: where datasets lie.
        dataset: which columns of which one.
        most_bytes: the largest array that is to be in memory; others are memory-mapped. None for all.

    Raises:
        InvalidDocument: the dataset is gone, or hasn't such columns.
    """
    folder = files.folder(dataset.id)
    space = IN_MEMORY if most_bytes is None else Space(folder, most_bytes)
    return _load(session, dataset, folder, space)


def open_stored(session: Session, files: DatasetFiles, dataset: StoredDataset) -> RunData:
    """Likewise, with inputs that are read some rows at a time, when they're asked for.

    Raises:
        InvalidDocument: as `load_stored` does.
    """
    return _load(session, dataset, files.folder(dataset.id), ON_DEMAND)


def _load(session: Session, dataset: StoredDataset, folder: Path, space: Space) -> RunData:
    described = describe_dataset(session, dataset)
    assert described is not None
    return read_run_data(dataset, described, folder, space)


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
        Conflict: a run that hasn't ended needs it.
    """
    dataset = get_dataset(session, dataset_id)
    needing = select(RunRow.id).where(
        RunRow.status.not_in(ENDED), RunRow.document["dataset"]["id"].as_string() == dataset_id
    )
    run_id = session.scalars(needing).first()
    if run_id is not None:
        raise Conflict(f"Expected a dataset that no unfinished run needs; run {run_id} needs {dataset_id}.")
    session.delete(dataset)
