"""Reads CSV some rows at a time, with pyarrow on all cores; what is broken is told by line."""

import csv
import re
from collections import deque
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pyarrow
from pyarrow import csv as arrow_csv

from app.datasets.batches import Table
from app.datasets.body import Body
from app.datasets.csv_pieces import PIECE_BYTES, Pieces
from app.errors import BrokenFile, NeedsWiderType

# A value that the type on the left can't hold asks for the one on the right.
_WIDER = {"null": pyarrow.int64(), "int64": pyarrow.float64()}


def open_csv(body: Body, types: Mapping[str, Any]) -> Table:
    """Schema and batches of a file, of which some come before it's whole.

    Types are guessed from the first block. Pieces of whole records are read at the same time; from where a
    file's quotes are unusual, one thread reads what is left.

    Args:
        body: the file.
        types: of columns that aren't to be guessed.

    Raises:
        BrokenFile: it's no CSV; also while batches are read.
        NeedsWiderType: a guess was wrong; also while batches are read.
    """
    pieces = Pieces(body.open())
    try:
        first = pieces.next()
        if first is None:
            reader = _reader(body, 0, None, types)
            schema, batches = reader.schema, iter(reader)
        else:
            table = _read(first, None, types)
            schema, batches = table.schema, _batches(body, pieces, table)
    except pyarrow.ArrowException as error:
        raise _meaning(body, error, None) from error
    for field in schema:
        if pyarrow.types.is_binary(field.type):
            raise _meaning(body, UnicodeError("invalid UTF-8"), None)
    return schema, _told(body, schema, batches)


def _told(body: Body, schema: Any, batches: Iterator[Any]) -> Iterator[Any]:
    """The batches that hold something; what breaks them is told in words."""
    try:
        yield from (batch for batch in batches if batch.num_rows)
    except pyarrow.ArrowException as error:
        raise _meaning(body, error, schema) from error


def _batches(body: Body, pieces: Pieces, first: Any) -> Iterator[Any]:
    yield from first.to_batches()
    schema = first.schema
    types = dict(zip(schema.names, schema.types, strict=True))
    threads = pyarrow.cpu_count()
    coming: deque[Future[Any]] = deque()
    with ThreadPoolExecutor(threads) as readers:
        while (piece := pieces.next()) is not None:
            coming.append(readers.submit(_read, piece, schema.names, types))
            if len(coming) > threads:
                yield from coming.popleft().result().to_batches()
        while coming:
            yield from coming.popleft().result().to_batches()
    if pieces.left:
        yield from _reader(body, pieces.place, schema.names, types)


def _read(piece: memoryview, names: list[str] | None, types: Mapping[str, Any]) -> Any:
    """Whole records as a table; without names they're in the first."""
    return arrow_csv.read_csv(
        pyarrow.BufferReader(piece),
        read_options=arrow_csv.ReadOptions(
            use_threads=False,
            block_size=PIECE_BYTES,  # in one: so a line's end in quotes ends nothing
            column_names=names,
        ),
        convert_options=_conversion(types),
    )


def _reader(body: Body, start: int, names: list[str] | None, types: Mapping[str, Any]) -> Any:
    """Batches of what lies behind a place in the file; without names they're in its first record."""
    return arrow_csv.open_csv(
        body.open(start),
        read_options=arrow_csv.ReadOptions(block_size=PIECE_BYTES, column_names=names),
        parse_options=arrow_csv.ParseOptions(newlines_in_values=True),
        convert_options=_conversion(types),
    )


def _conversion(types: Mapping[str, Any]) -> Any:
    return arrow_csv.ConvertOptions(
        column_types=types, strings_can_be_null=True, quoted_strings_can_be_null=False
    )


def _meaning(body: Body, error: Exception, schema: Any) -> Exception:
    """What an error of the reader means: a wrong line, or a type that was guessed too narrow."""
    message = re.sub(r"Row #\d+: ", "", str(error))  # from the start of a piece
    found = re.search(r"In CSV column #(\d+): CSV conversion error", message)
    if found and schema is not None:
        field = schema.field(int(found[1]))
        if not pyarrow.types.is_string(field.type):
            return NeedsWiderType(field.name, _WIDER.get(str(field.type), pyarrow.string()))
    known = _wrong_line(body.whole())
    return BrokenFile(known or f"Expected CSV; received a file that can't be read: {message}"[:500])


def _wrong_line(path: Path) -> str | None:
    """The first line that isn't UTF-8, or hasn't as many values as the first."""
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            try:
                line.decode()
            except UnicodeDecodeError:
                return f"Expected UTF-8; received other bytes in line {number}."
    with path.open(newline="", encoding="utf-8") as text:
        rows = csv.reader(text, strict=True)
        width = 0
        last = 0
        try:
            for cells in rows:
                width = width or len(cells)
                if cells and len(cells) != width:
                    return f"Expected {width} values in line {last + 1}; received {len(cells)}."
                last = rows.line_num
        except csv.Error as error:
            return f"Expected CSV in line {last + 1}; received what can't be read: {error}."
    return None
