"""Instances in CSV: a first line of column names, then a row a line."""

import csv
from collections.abc import Collection, Iterator, Sequence
from typing import IO, Any

from app.artifacts import FeatureSignature
from app.errors import InvalidDocument
from app.predictions.features import features_of
from app.predictions.sessions import ModelInput
from app.predictions.tables.arrow import fit_batch
from app.predictions.tables.rows import LONGEST_LINE_BYTES, Batch, blocks, check_names, most_rows, refuse
from app.spec.pointers import join, received


def read_csv(file: IO[bytes], inputs: Sequence[ModelInput]) -> Iterator[Batch]:
    """The rows of a CSV file."""
    import pyarrow
    from pyarrow import csv as arrow_csv

    header = file.readline(LONGEST_LINE_BYTES)
    try:
        names = next(csv.reader([header.decode("utf-8-sig")]), [])
    except (UnicodeDecodeError, csv.Error) as error:
        raise InvalidDocument.at(
            "", "Expected a first line of column names; received something else."
        ) from error
    check_names(names, inputs)
    reading = arrow_csv.ReadOptions(column_names=names, use_threads=False, block_size=2 * LONGEST_LINE_BYTES)
    features = features_of(inputs)
    types = {name: _csv_type(features.get(name)) for name in names}
    converting = arrow_csv.ConvertOptions(column_types=types, null_values=[""], strings_can_be_null=True)
    numbers = [name for name, kind in types.items() if kind == pyarrow.float64()]
    first = 0
    for block in blocks(file):
        if not block.strip():
            continue
        try:
            table = arrow_csv.read_csv(
                pyarrow.BufferReader(block), read_options=reading, convert_options=converting
            )
        except pyarrow.ArrowException as error:
            _find_wrong_cell(block, names, numbers, first)
            refuse("", "a table of numbers", f"one that can't be read: {error}"[:300])
        for batch in table.to_batches(max_chunksize=most_rows(inputs)):
            yield fit_batch(batch, inputs, first)
            first += batch.num_rows


def _csv_type(feature: FeatureSignature | None) -> Any:
    """What a column's values are read as: categories as they are, all else as numbers."""
    import pyarrow

    kinds = {type(category) for category in (feature.categories or () if feature else ())} - {type(None)}
    if kinds == {str}:
        return pyarrow.string()
    return pyarrow.bool_() if kinds == {bool} else pyarrow.float64()


def _find_wrong_cell(block: bytes, names: list[str], numbers: Collection[str], first: int) -> None:
    """Raises at the first row of a block that hasn't as many values as there are names, or no number."""
    lines = (line for line in block.decode(errors="replace").splitlines() if line)
    for row, cells in enumerate(csv.reader(lines), first):
        if len(cells) != len(names):
            refuse(f"/{row}", f"{len(names)} numbers", str(len(cells)))
        for name, cell in zip(names, cells, strict=True):
            try:
                float(cell or "nan") if name in numbers else None
            except ValueError:
                refuse(join("/columns", name, row), "a number", received(cell))
