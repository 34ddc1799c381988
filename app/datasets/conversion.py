"""Turns an uploaded file into one that can be memory-mapped, and describes it: a process of its own.

    python -m app.datasets.conversion

A process, so that the API stays small whatever a file holds, and lives on if a file breaks the reader. What
to do is told on its standard input, in a line of JSON: `{"form", "body", "folder", "most", "most_memory"}`,
as `app.datasets.converter` has them. The file may still be being written then; a second line says when it's
whole. If the input ends before that, so does the process.

It prints a line of JSON: `{"rows", "columns", "preview"}`, or `{"error"}`, what is wrong with the file,
`{"too_large"}`, which limit it's beyond, or `{"errno"}`, what is wrong with the disk.
Tables become `data.arrow`, an Arrow IPC file without compression; NPZ becomes `0.npy`, `1.npy`, … in the
order of `columns`. Parquet is only read, see `app.datasets.table_file`.
"""

import io
import os
import resource
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson
import pyarrow

from app.datasets.arrays import convert_arrays
from app.datasets.batches import plain_columns
from app.datasets.body import WHOLE, Body
from app.datasets.column_summary import add_batch, describe_table, row_values, summaries
from app.datasets.description import TABLE_FILE
from app.datasets.parquet_description import describe_parquet
from app.datasets.readers import open_table
from app.datasets.size import DatasetSize
from app.errors import STORAGE_FAILURES, BrokenFile, NeedsWiderType, TooLarge

_SYNC_SECONDS = 0.05

_SELDOM_SECONDS = 1.0
"""While a body comes: to bring it to the disk takes of the cores that its sender and the API need."""


def convert(form: str, body: Body, folder: Path, most: DatasetSize) -> dict[str, Any]:
    """Converts a file into `folder`, unless it's Parquet, and describes it.

    Raises:
        BrokenFile: it isn't of that form, or holds what no run could use.
        TooLarge: it holds more than `most`, as small as it may be itself.
    """
    if form == "npz":
        return convert_arrays(body.whole(), folder, most)
    if form == "parquet":
        with _syncing(body.path, _SELDOM_SECONDS):
            whole = body.whole()
        with _syncing(body.path):
            return describe_parquet(whole, most)
    if form != "csv":
        return _write_table(*open_table(form, body), folder / TABLE_FILE, most)
    types: dict[str, Any] = {}
    while True:  # types are guessed from the first block, and a later one may need a wider type
        try:
            return _write_table(*open_table(form, body, types), folder / TABLE_FILE, most)
        except NeedsWiderType as error:
            types[error.column] = error.type


def _write_table(schema: Any, batches: Iterator[Any], path: Path, most: DatasetSize) -> dict[str, Any]:
    columns = summaries(schema)
    values = row_values(columns)
    rows = size = 0
    with (
        pyarrow.ipc.new_file(path, schema) as writer,
        _syncing(path),
        ThreadPoolExecutor(1) as describer,
    ):
        for batch in _read_ahead(batches):
            described = describer.submit(add_batch, columns, batch, rows)
            plain = pyarrow.record_batch(plain_columns(batch), schema=schema)
            rows += plain.num_rows
            size += plain.nbytes
            DatasetSize(rows, rows * values, size).check(most)
            writer.write_batch(plain)
            described.result()
    return describe_table(rows, columns)


def _read_ahead(batches: Iterator[Any]) -> Iterator[Any]:
    """The same batches; the next is read by another thread while somebody is at the last."""
    with ThreadPoolExecutor(1) as reader:
        coming = reader.submit(next, batches, None)
        while (batch := coming.result()) is not None:
            coming = reader.submit(next, batches, None)
            yield batch


@contextmanager
def _syncing(path: Path, pause: float = _SYNC_SECONDS) -> Iterator[None]:
    """Brings a file to the disk now and meanwhile, so that little is left to wait for in the end."""
    ended = threading.Event()

    def sync() -> None:
        with path.open("rb") as file:
            while True:
                os.fsync(file.fileno())
                if ended.wait(pause):
                    return

    with ThreadPoolExecutor(1) as syncer:
        synced = syncer.submit(sync)
        try:
            yield
        finally:
            ended.set()
        synced.result()


def _await_end(told: io.RawIOBase, whole: threading.Event) -> None:
    """Waits until the file is whole, or ends the process with the one that was to write it."""
    if told.readline() != WHOLE:
        os._exit(1)
    whole.set()


def main() -> int:
    """Converts what it's told to."""
    told = io.FileIO(sys.stdin.fileno(), closefd=False)  # a buffer would be locked by the thread that waits
    line = told.readline()
    if not line:
        return 0
    task = orjson.loads(line)
    form = task["form"]
    resource.setrlimit(resource.RLIMIT_DATA, (task["most_memory"], task["most_memory"]))
    whole = threading.Event()
    threading.Thread(target=_await_end, args=(told, whole), daemon=True).start()
    try:
        body = Body(Path(task["body"]), whole)
        found = convert(form, body, Path(task["folder"]), DatasetSize(*task["most"]))
    except BrokenFile as error:
        found = {"error": error.message}
    except TooLarge as error:
        found = {"too_large": error.message}
    except (pyarrow.ArrowException, OSError, EOFError, MemoryError, OverflowError, ValueError) as error:
        number = getattr(error, "errno", None)
        found = {"error": f"Expected a file in {form}; received one that can't be read: {error}"[:500]}
        if number in STORAGE_FAILURES:
            found = {"errno": number}
    sys.stdout.buffer.write(orjson.dumps(found, option=orjson.OPT_APPEND_NEWLINE))
    sys.stdout.buffer.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main())
