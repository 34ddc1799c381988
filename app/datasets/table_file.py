"""The file of a table that runs read: Arrow IPC without compression, memory-mapped.

A Parquet file is kept as it came until the first run needs it, so that nobody waits for another file to be
written who only uploads one.
"""

import errno
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow

from app.datasets.batches import plain_columns
from app.datasets.description import PARQUET_FILE, TABLE_FILE
from app.datasets.parquet_reader import open_parquet
from app.errors import BrokenFile
from app.runs.files import sync_file, sync_folder


def open_table_file(folder: Path) -> Any:
    """The `pyarrow.Table` of a dataset.

    Raises:
        OSError: its files are gone, or broken since they came, or the disk is full.
    """
    path, source = folder / TABLE_FILE, folder / PARQUET_FILE
    if source.exists():
        with _locked(folder):
            try:
                if not path.exists():
                    _write(source, path)
            except BrokenFile as error:  # it was read to its end when it came
                raise OSError(errno.EIO, error.message) from error
            source.unlink(missing_ok=True)
    return pyarrow.ipc.open_file(pyarrow.memory_map(str(path))).read_all()


def _write(source: Path, path: Path) -> None:
    unfinished = path.with_suffix(".unfinished")
    schema, batches = open_parquet(source)
    with pyarrow.ipc.new_file(unfinished, schema) as writer:
        for batch in batches:
            writer.write_batch(pyarrow.record_batch(plain_columns(batch), schema=schema))
    sync_file(unfinished)
    unfinished.rename(path)
    sync_folder(path.parent)


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Others that come here wait until this one is done, or dead."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
