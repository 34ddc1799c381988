"""Reads Parquet some rows at a time; what is broken is told by row group."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow
from pyarrow import parquet

from app.datasets.batches import BATCH_ROWS, Dictionaries, Table, plain_schema
from app.errors import BrokenFile

_LENGTH_BYTES = 4
"""What Parquet takes for the length of a text, if it doesn't store the text's place in a dictionary."""


def open_parquet(path: Path) -> Table:
    """Schema and batches of a file. Texts that it stores as places in a dictionary come as such.

    Raises:
        BrokenFile: it's no Parquet; also while batches are read, with the row group.
    """
    (file,) = open_files(path, 1)
    return plain_schema(file.schema_arrow), read_batches(file)


def open_files(path: Path, count: int) -> list[Any]:
    """The file as many times, each a `pyarrow.parquet.ParquetFile` for one thread at a time.

    Raises:
        BrokenFile: it's no Parquet.
    """
    try:
        metadata = parquet.read_metadata(path, memory_map=True)
        coded = _coded_columns(metadata, metadata.schema.to_arrow_schema())
        return [
            parquet.ParquetFile(
                path,
                metadata=metadata,
                memory_map=True,
                read_dictionary=coded,
                page_checksum_verification=True,
            )
            for _ in range(count)
        ]
    except (pyarrow.ArrowException, OSError) as error:
        raise BrokenFile(f"Expected a Parquet file; received one whose end can't be read: {error}") from error


def read_batches(file: Any, columns: list[str] | None = None, batch_rows: int = BATCH_ROWS) -> Iterator[Any]:
    """The batches of a file.

    Args:
        file: from `open_files`.
        columns: those that are read, by this thread alone; None for all, by several.
        batch_rows: at most in one.

    Raises:
        BrokenFile: a row group can't be read.
    """
    dictionaries = Dictionaries()
    for group in range(file.num_row_groups):
        rows, told = 0, file.metadata.row_group(group).num_rows
        try:
            for batch in file.iter_batches(batch_rows, [group], columns, use_threads=columns is None):
                rows += batch.num_rows
                dictionaries.check(batch)
                yield batch
        except (pyarrow.ArrowException, OSError) as error:
            raise BrokenFile(
                f"Expected a Parquet file; row group {group} (from 0) can't be read: {error}"[:500]
            ) from error
        if rows != told:
            raise BrokenFile(
                f"Expected {told} rows in row group {group} (from 0), as it says; received {rows}."
            )


def _coded_columns(metadata: Any, schema: Any) -> list[str]:
    """The columns of texts of which nearly all are stored as places in a dictionary."""
    texts = {field.name for field in schema if field.type == pyarrow.string()}
    paths = {metadata.schema.column(place).path: place for place in range(metadata.num_columns)}
    groups = [metadata.row_group(number) for number in range(metadata.num_row_groups)]
    return [
        path
        for path, place in paths.items()
        if path in texts and all(_is_coded(group.column(place)) for group in groups)
    ]


def _is_coded(chunk: Any) -> bool:
    """Whether a chunk takes less than the lengths of its texts would take."""
    lengths = _LENGTH_BYTES * chunk.num_values
    return bool(chunk.has_dictionary_page and chunk.total_uncompressed_size < lengths)
