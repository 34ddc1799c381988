"""The samples that a run's document names, wherever they lie."""

from pathlib import Path

from app.database import Database
from app.datasets.service import DatasetFiles, open_stored
from app.errors import Conflict, InvalidDocument
from app.spec.dataset import Dataset, RunData, load_data
from app.spec.run import RunSpec


def own_data(spec: RunSpec, database: Database, data_dir: Path) -> RunData:
    """The samples of a run; inputs of a stored dataset are read when they're asked for.

    Args:
        spec: its document.
        database: as the run's project sees it.
        data_dir: the service's data folder.

    Raises:
        Conflict: its dataset is gone.
    """
    if isinstance(spec.dataset, Dataset):
        return load_data(spec.dataset)
    try:
        with database.reading() as session:
            return open_stored(session, DatasetFiles(data_dir), spec.dataset)
    except InvalidDocument as error:
        raise Conflict(f"Expected a run whose dataset is still there; {error.problems[0].message}") from error
