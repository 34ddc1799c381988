"""Instances in a file: CSV, Parquet, Arrow, NPY, or a line of JSON for each; read some rows at a time.

Columns are told apart by name, as in `app.predictions.columns`. Numbers are as strict as in JSON: none may
be missing or not finite. pyarrow is imported when it's first needed, as that takes a quarter of a second.
"""

from collections.abc import Iterator, Sequence
from typing import IO

from app.predictions.media import Form
from app.predictions.sessions import ModelInput
from app.predictions.tables.arrow import read_arrow
from app.predictions.tables.csv import read_csv
from app.predictions.tables.lines import read_lines
from app.predictions.tables.npy import read_npy
from app.predictions.tables.rows import Batch, refuse


def read_batches(form: Form, file: IO[bytes], inputs: Sequence[ModelInput]) -> Iterator[Batch]:
    """The rows of a file, in order, some at a time.

    Args:
        form: of the file; any but `json`.
        file: can be sought in.
        inputs: what the model takes.

    Raises:
        InvalidDocument: the file isn't of that form, or holds what the model doesn't take. The pointer leads
            to a row, or to a row of a column; rows are counted from 0.
    """
    any_row = False
    for batch in _batches(form, file, inputs):
        any_row = True
        yield batch
    if not any_row:
        below = " below the line of column names" if form == "csv" else ""
        refuse("", f"at least one row{below}", "none")


def _batches(form: Form, file: IO[bytes], inputs: Sequence[ModelInput]) -> Iterator[Batch]:
    match form:
        case "ndjson":
            return read_lines(file, inputs)
        case "csv":
            return read_csv(file, inputs)
        case "npy":
            return read_npy(file, inputs)
        case _:
            return read_arrow(form, file, inputs)
