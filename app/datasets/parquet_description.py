"""Describes a Parquet file: all of it is read, some columns by each thread, and nothing is written."""

import math
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pyarrow

from app.datasets.batches import plain_bytes, plain_schema
from app.datasets.column_summary import ColumnSummary, add_batch, describe_table, row_values, summaries
from app.datasets.parquet_reader import open_files, read_batches
from app.datasets.size import DatasetSize

_MOST_TURNS = 64
"""Into how many parts the columns are divided at most; to read one has its price, too."""

_BATCH_ROWS = 131_072
"""For each of which threads may have to wait for Python's lock; see decision 0012."""

_BATCH_VALUES = 1_048_576
"""A batch has fewer rows if they are of many columns, or of arrays."""


def describe_parquet(path: Path, most: DatasetSize) -> dict[str, Any]:
    """What the file holds.

    Raises:
        BrokenFile: it's no Parquet, can't be read to its end, or holds what no run could use.
        TooLarge: it holds more than `most`.
    """
    files = open_files(path, pyarrow.cpu_count())
    schema, metadata = plain_schema(files[0].schema_arrow), files[0].metadata
    columns = summaries(schema)
    rows = sum(metadata.row_group(group).num_rows for group in range(metadata.num_row_groups))
    values = rows * row_values(columns)
    DatasetSize(rows, values, 0).check(most)

    together = math.ceil(len(columns) / _MOST_TURNS) or 1
    unread = iter([columns[first : first + together] for first in range(0, len(columns), together)])
    size, counting = 0, threading.Lock()

    def read(file: Any) -> None:
        nonlocal size
        for some in unread:
            for count in _read(file, some):
                with counting:
                    size += count
                DatasetSize(rows, values, size).check(most)

    with ThreadPoolExecutor(len(files)) as pool:
        list(pool.map(read, files))
    return describe_table(rows, columns)


def _read(file: Any, columns: list[ColumnSummary]) -> Iterator[int]:
    """Reads columns that follow one another; the bytes of each batch that has been."""
    row = 0
    batch_rows = max(1, min(_BATCH_ROWS, _BATCH_VALUES // max(1, row_values(columns))))
    for batch in read_batches(file, [column.name for column in columns], batch_rows):
        add_batch(columns, batch, row)
        row += batch.num_rows
        yield sum(map(plain_bytes, batch.columns))
