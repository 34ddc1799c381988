"""Reads tables some rows at a time, with pyarrow; what is broken is told by line or batch."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow

from app.datasets.batches import BATCH_ROWS, Dictionaries, Table, plain_schema
from app.datasets.body import Body
from app.datasets.csv_reader import open_csv
from app.errors import BrokenFile, MalformedDocument
from app.spec.strict_json import read_json


def open_table(form: str, body: Body, types: Mapping[str, Any] | None = None) -> Table:
    """Schema and batches of a file; of CSV some come before the file is whole.

    Args:
        form: `csv`, `arrow` or `json`.
        body: the file.
        types: those of CSV columns that aren't to be guessed.

    Raises:
        BrokenFile: it isn't of that form; also while batches are read.
        NeedsWiderType: a guess was wrong; open it again with that type.
    """
    match form:
        case "csv":
            return open_csv(body, types or {})
        case "arrow":
            return _open_arrow(body.whole())
        case _:
            table = _read_json(body.whole())
            return table.schema, iter(table.to_batches(max_chunksize=BATCH_ROWS))


def _open_arrow(path: Path) -> Table:
    source = pyarrow.memory_map(str(path))
    try:
        if source.read(6) == b"ARROW1":
            file = pyarrow.ipc.open_file(source)
            return plain_schema(file.schema), _arrow_batches(
                map(file.get_batch, range(file.num_record_batches))
            )
        source.seek(0)
        stream = pyarrow.ipc.open_stream(source)
    except (pyarrow.ArrowException, OSError) as error:
        raise BrokenFile(f"Expected Arrow IPC; received a file that can't be read: {error}") from error
    return plain_schema(stream.schema), _arrow_batches(stream)


def _arrow_batches(batches: Iterator[Any]) -> Iterator[Any]:
    number = 0
    dictionaries = Dictionaries()
    try:
        for batch in batches:
            batch.validate()
            for column in batch.columns:  # offsets that lead out of the file would end the process
                if not pyarrow.types.is_dictionary(column.type):
                    column.validate(full=True)
            dictionaries.check(batch)
            yield batch
            number += 1
    except (pyarrow.ArrowException, OSError) as error:
        raise BrokenFile(f"Expected Arrow IPC; no batch can be read after {number}: {error}"[:500]) from error


def _read_json(path: Path) -> Any:
    """A list of objects, one a row; or an object of lists, one a column."""
    try:
        value = read_json(path.read_bytes())
    except MalformedDocument as error:
        raise BrokenFile(error.message) from error
    if isinstance(value, list):
        for row, item in enumerate(value):
            if not isinstance(item, dict):
                raise BrokenFile(f"Expected an object for each row; received another value in row {row}.")
        names = dict.fromkeys(name for item in value for name in item)
        value = {name: [item.get(name) for item in value] for name in names}
    if not isinstance(value, dict) or not all(isinstance(column, list) for column in value.values()):
        raise BrokenFile("Expected a list of objects, or an object of lists; received something else.")
    if len({len(column) for column in value.values()}) > 1:
        lengths = ", ".join(f"{name!r} {len(column)}" for name, column in value.items())
        raise BrokenFile(f"Expected columns of one length; received {lengths}."[:500])
    return pyarrow.table({name: _json_column(name, column) for name, column in value.items()})


def _json_column(name: str, values: list[Any]) -> Any:
    kinds: set[type] = set()
    for row, value in enumerate(values):
        if value is None:
            continue
        kinds.add(type(value))
        if len(kinds) > 1 and kinds != {int, float}:
            raise BrokenFile(
                f"Expected values of one type in column {name!r}; row {row} (from 0) has another."
            )
    try:
        return pyarrow.array(values, pyarrow.float64() if float in kinds else None)
    except (pyarrow.ArrowException, OverflowError) as error:
        raise BrokenFile(
            f"Expected values of one type in column {name!r}; received others: {error}"
        ) from error
