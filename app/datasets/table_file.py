"""The file of a table that runs read: Arrow IPC without compression, memory-mapped.

A Parquet file is kept as it came until the first run needs it, so that nobody waits for another file to be
written who only uploads one.
"""

import errno
from pathlib import Path
from typing import Any

import pyarrow

from app.datasets.batches import plain_columns
from app.datasets.description import PARQUET_FILE, TABLE_FILE
from app.datasets.parquet_reader import open_parquet
from app.errors import BrokenFile
from app.runs.files import locked, publishing_file


def open_table_file(folder: Path) -> Any:
    """The `pyarrow.Table` of a dataset.

    Raises:
        OSError: its files are gone, or broken since they came, or the disk is full.
    """
    path, source = folder / TABLE_FILE, folder / PARQUET_FILE
    if source.exists():
        with locked(folder):
            if not path.exists():
                _write(source, path)
            source.unlink(missing_ok=True)
    return pyarrow.ipc.open_file(pyarrow.memory_map(str(path))).read_all()


def _write(source: Path, path: Path) -> None:
    try:
        schema, batches = open_parquet(source)
        with publishing_file(path) as unfinished, pyarrow.ipc.new_file(unfinished, schema) as writer:
            for batch in batches:
                writer.write_batch(pyarrow.record_batch(plain_columns(batch), schema=schema))
    except BrokenFile as error:  # it was read to its end when it came
        raise OSError(errno.EIO, error.message) from error
