"""Describes a Parquet file: all of it is read, some columns by each thread, and nothing is written."""

import math
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pyarrow

from app.datasets.batches import plain_columns, plain_schema
from app.datasets.column_summary import ColumnSummary, describe_table, summaries
from app.datasets.description import PREVIEW_ROWS
from app.datasets.parquet_reader import open_file, read_batches
from app.datasets.size import DatasetSize

_MOST_TURNS = 64
"""Into how many parts the columns are divided at most; to read one has its price, too."""


def describe_parquet(path: Path, most: DatasetSize) -> dict[str, Any]:
    """What the file holds.

    Raises:
        BrokenFile: it's no Parquet, can't be read to its end, or holds what no run could use.
        TooLarge: it holds more than `most`.
    """
    file = open_file(path)
    columns = [_Column(summary) for summary in summaries(plain_schema(file.schema_arrow))]
    rows = sum(file.metadata.row_group(group).num_rows for group in range(file.num_row_groups))
    values = rows * sum(math.prod(column.summary.shape) for column in columns)
    DatasetSize(rows, values, 0).check(most)

    together = math.ceil(len(columns) / _MOST_TURNS) or 1
    unread = iter([columns[first : first + together] for first in range(0, len(columns), together)])
    size, counting = 0, threading.Lock()

    def read() -> None:
        nonlocal size
        own = open_file(path)
        for some in unread:
            for count in _read(own, some):
                with counting:
                    size += count
                DatasetSize(rows, values, size).check(most)

    with ThreadPoolExecutor(pyarrow.cpu_count()) as pool:
        for reading in [pool.submit(read) for _ in range(pyarrow.cpu_count())]:
            reading.result()
    first_rows = zip(*(column.preview for column in columns), strict=True)
    names = [column.summary.name for column in columns]
    preview = [dict(zip(names, row, strict=True)) for row in first_rows]
    return describe_table(rows, [column.summary for column in columns], preview)


class _Column:
    """A column while it's read.

    Attributes:
        summary: of what has been read.
        preview: its first values.
    """

    def __init__(self, summary: ColumnSummary) -> None:
        self.summary = summary
        self.preview: list[Any] = []

    def add(self, values: Any, first_row: int, codes: Any) -> None:
        self.summary.add(values, first_row, codes)
        self.preview += values.slice(0, PREVIEW_ROWS - len(self.preview)).to_pylist()


def _read(file: Any, columns: list[_Column]) -> Iterator[int]:
    """Reads columns that follow one another; the bytes of each batch that has been."""
    row = 0
    for batch in read_batches(file, [column.summary.name for column in columns]):
        plain = plain_columns(batch)
        for column, values, codes in zip(columns, plain, batch.columns, strict=True):
            column.add(values, row, codes)
        row += batch.num_rows
        yield sum(values.nbytes for values in plain)
