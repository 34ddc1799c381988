"""Turns an uploaded file into one that can be memory-mapped, and describes it: a process of its own.

    python -m app.datasets.conversion FORM SOURCE FOLDER MOST_ROWS MOST_VALUES MOST_BYTES MOST_MEMORY_BYTES

A process, so that the API stays small whatever a file holds, and lives on if a file breaks the reader.
It prints one line of JSON: `{"rows", "columns", "preview"}`, or `{"error"}`, what is wrong with the file,
`{"too_large"}`, which limit it's beyond, or `{"errno"}`, what is wrong with the disk.
Tables become `data.arrow`, an Arrow IPC file without compression; NPZ becomes `0.npy`, `1.npy`, … in the
order of `columns`.
"""

import math
import resource
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pyarrow
import pyarrow.compute as pc

from app.datasets.arrays import convert_arrays
from app.datasets.description import (
    MOST_CATEGORIES,
    MOST_CATEGORY_CHARACTERS,
    PREVIEW_ROWS,
    TABLE_FILE,
    described,
    preview_value,
)
from app.datasets.readers import open_table
from app.datasets.size import DatasetSize
from app.errors import STORAGE_FAILURES, BrokenFile, NeedsWiderType, TooLarge


def convert(form: str, source: Path, folder: Path, most: DatasetSize) -> dict[str, Any]:
    """Converts a file into `folder`, and describes it.

    Raises:
        BrokenFile: it isn't of that form, or holds what no run could use.
        TooLarge: it holds more than `most`, as small as it may be itself.
    """
    if form == "npz":
        return convert_arrays(source, folder, most)
    if form != "csv":
        return _write_table(*open_table(form, source), folder / TABLE_FILE, most)
    types: dict[str, Any] = {}
    while True:  # types are guessed from the first block, and a later one may need a wider type
        try:
            return _write_table(*open_table(form, source, types), folder / TABLE_FILE, most)
        except NeedsWiderType as error:
            types[error.column] = error.type


def _write_table(schema: Any, batches: Iterator[Any], path: Path, most: DatasetSize) -> dict[str, Any]:
    if len(set(schema.names)) != len(schema.names):
        twice = next(name for name in schema.names if schema.names.count(name) > 1)
        raise BrokenFile(f"Expected columns of different names; received {twice!r} twice.")
    columns = [_Column(field) for field in schema]
    row_values = sum(math.prod(column.shape) for column in columns)
    preview: list[dict[str, Any]] = []
    rows = size = 0
    with pyarrow.ipc.new_file(path, schema) as writer:
        for batch in batches:
            size += batch.nbytes
            read = rows + batch.num_rows
            DatasetSize(read, read * row_values, size).check(most)
            writer.write_batch(batch)
            for column, values in zip(columns, batch.columns, strict=True):
                column.add(values, rows)
            rows = read
            preview += batch.slice(0, PREVIEW_ROWS - len(preview)).to_pylist()
    if rows == 0:
        raise BrokenFile("Expected at least one row; received none.")
    return {
        "rows": rows,
        "columns": [column.describe() for column in columns],
        "preview": [{name: preview_value(value) for name, value in row.items()} for row in preview],
    }


class _Column:
    """What is gathered of a column while its batches pass."""

    def __init__(self, field: Any) -> None:
        kind, self.shape = field.type, []
        while pyarrow.types.is_fixed_size_list(kind):
            self.shape.append(kind.list_size)
            kind = kind.value_type
        self.name, self.type = field.name, kind
        self.numeric = pyarrow.types.is_integer(kind) or pyarrow.types.is_floating(kind)
        self.floating = pyarrow.types.is_floating(kind)
        allowed = self.numeric or any(
            test(kind)
            for test in (
                pyarrow.types.is_boolean,
                pyarrow.types.is_string,
                pyarrow.types.is_large_string,
                pyarrow.types.is_null,
                pyarrow.types.is_temporal,
            )
        )
        if not allowed:
            raise BrokenFile(
                "Expected columns of numbers, booleans, texts, times or fixed-size lists of numbers; "
                f"received {field.type} in column {field.name!r}."
            )
        self.missing = 0
        self.first_missing: int | None = None
        encodable = pyarrow.types.is_boolean(kind) or pyarrow.types.is_integer(kind) or self._is_text(kind)
        self.categories: set[Any] | None = set() if encodable and not self.shape else None
        self.low: float | int | None = None
        self.high: float | int | None = None

    @staticmethod
    def _is_text(kind: Any) -> bool:
        return bool(pyarrow.types.is_string(kind) or pyarrow.types.is_large_string(kind))

    def add(self, values: Any, first_row: int) -> None:
        elements = values
        for _ in self.shape:
            elements = elements.flatten()
        lacking = elements.is_null(nan_is_null=True) if self.floating else elements.is_null()
        self._add_missing(self._rows_lacking(values, lacking), first_row)
        elements = elements.filter(pc.invert(lacking)) if lacking.true_count else elements
        if self.numeric:
            ends = pc.min_max(elements).as_py()
            if ends["min"] is not None:
                self.low = ends["min"] if self.low is None else min(self.low, ends["min"])
                self.high = ends["max"] if self.high is None else max(self.high, ends["max"])
        if self.categories is not None:
            self._add_categories(pc.unique(elements))

    def _rows_lacking(self, values: Any, lacking: Any) -> Any:
        """Whether each row lacks its value, or elements of it."""
        if not self.shape or not (lacking.true_count or values.null_count):
            return lacking if not self.shape else values.is_null()
        rows = values.is_null().to_numpy(zero_copy_only=False)
        present = len(rows) - values.null_count  # those alone have elements
        if len(lacking) != present * math.prod(self.shape):
            raise BrokenFile(
                f"Expected whole arrays in column {self.name!r}; received some that lack a list."
            )
        rows[~rows] = lacking.to_numpy(zero_copy_only=False).reshape(present, -1).any(axis=1)
        return pyarrow.array(rows)

    def _add_missing(self, missing: Any, first_row: int) -> None:
        count = missing.true_count
        if count and self.first_missing is None:
            self.first_missing = first_row + pc.index(missing, True).as_py()
        self.missing += count

    def _add_categories(self, values: Any) -> None:
        assert self.categories is not None
        if len(values) > MOST_CATEGORIES:
            self.categories = None
            return
        self.categories |= set(values.to_pylist())
        characters = sum(len(value) for value in self.categories if isinstance(value, str))
        if len(self.categories) > MOST_CATEGORIES or characters > MOST_CATEGORY_CHARACTERS:
            self.categories = None

    def describe(self) -> dict[str, Any]:
        return described(
            self.name,
            str(self.type),
            self.shape,
            missing=self.missing,
            first_missing=self.first_missing,
            low=self.low,
            high=self.high,
            categories=None if self.categories is None else sorted(self.categories),
        )


def main() -> int:
    """Converts what the command line names."""
    form, source, folder, *limits = sys.argv[1:]
    *most, most_memory = map(int, limits)
    resource.setrlimit(resource.RLIMIT_DATA, (most_memory, most_memory))
    try:
        found = convert(form, Path(source), Path(folder), DatasetSize(*most))
    except BrokenFile as error:
        found = {"error": error.message}
    except TooLarge as error:
        found = {"too_large": error.message}
    except (pyarrow.ArrowException, OSError, EOFError, MemoryError, OverflowError, ValueError) as error:
        number = getattr(error, "errno", None)
        found = {"error": f"Expected a file in {form}; received one that can't be read: {error}"[:500]}
        if number in STORAGE_FAILURES:
            found = {"errno": number}
    sys.stdout.buffer.write(orjson.dumps(found))
    return 0


if __name__ == "__main__":
    sys.exit(main())
