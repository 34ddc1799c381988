"""Instances in a file: CSV, Parquet, Arrow, NPY, or a line of JSON for each; read some rows at a time.

Columns are told apart by name, as in `app.predictions.columns`. Numbers are as strict as in JSON: none may
be missing or not finite. pyarrow is imported when it's first needed, as that takes a quarter of a second.
"""

import csv
import math
from collections.abc import Collection, Iterator, Sequence
from tokenize import TokenError
from typing import IO, TYPE_CHECKING, Any, NoReturn

import numpy as np

from app.artifacts import FeatureSignature
from app.errors import InvalidDocument, MalformedDocument
from app.predictions.columns import assign_columns, fit_columns
from app.predictions.features import encode_rows, features_of, has_categories
from app.predictions.instances import read_instances
from app.predictions.media import Form
from app.predictions.numbers import fit_numbers
from app.predictions.sessions import Array, ModelInput
from app.spec.pointers import join, received
from app.spec.strict_json import read_json

if TYPE_CHECKING:
    import pyarrow

BLOCK_BYTES = 256 * 1024
"""About how much of a file of lines is parsed at once; Python runs nothing else meanwhile."""

LONGEST_LINE_BYTES = 16 * 1024 * 1024

MOST_ROW_GROUP_BYTES = 512 * 1024 * 1024
"""Largest row group of a Parquet file, unpacked; a group's columns are read together."""

Batch = dict[str, Array]
"""Arrays by input name, each (n, …) of its input's dtype, n ≥ 1."""


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
        _refuse("", "at least one row", "none")


def _batches(form: Form, file: IO[bytes], inputs: Sequence[ModelInput]) -> Iterator[Batch]:
    match form:
        case "ndjson":
            return _read_lines(file, inputs)
        case "csv":
            return _read_csv(file, inputs)
        case "npy":
            return _read_npy(file, inputs)
        case _:
            return _read_arrow(form, file, inputs)


def most_rows(inputs: Sequence[ModelInput]) -> int:
    """How many rows are scored at once: as many as have about a quarter of a million numbers."""
    sample = sum(math.prod(length or 1 for length in model_input.shape) for model_input in inputs)
    return max(1, min(8192, 2**18 // max(1, sample)))


def _blocks(file: IO[bytes]) -> Iterator[bytes]:
    """A file of lines, some whole lines at a time."""
    while block := file.read(BLOCK_BYTES):
        if not block.endswith(b"\n"):
            rest = file.readline(LONGEST_LINE_BYTES)
            if len(rest) == LONGEST_LINE_BYTES:
                _refuse("", f"lines of at most {LONGEST_LINE_BYTES} bytes", "a longer one")
            block += rest
        yield block


def _read_lines(file: IO[bytes], inputs: Sequence[ModelInput]) -> Iterator[Batch]:
    first = 0  # row of the block
    for block in _blocks(file):
        lines = [line for line in block.splitlines() if line.strip()]
        for start in range(0, len(lines), most_rows(inputs)):
            some = lines[start : start + most_rows(inputs)]
            yield _read_some_lines(some, first + start, inputs)
        first += len(lines)


def _read_some_lines(lines: list[bytes], first: int, inputs: Sequence[ModelInput]) -> Batch:
    text = b"[" + b",".join(lines) + b"]"
    try:
        rows = read_json(text)
    except MalformedDocument:
        rows = []
    if len(rows) != len(lines):  # one isn't JSON by itself, or more than one value
        rows = [_read_line(line, first + number) for number, line in enumerate(lines)]
    try:
        maybe_booleans = b"u" in text or b"f" in text
        return read_instances(rows, inputs, maybe_booleans=maybe_booleans, pointer="")
    except InvalidDocument as error:
        problem = error.problems[0]
        _, row, *rest = problem.pointer.split("/") if problem.pointer else ("", "0")
        raise InvalidDocument.at("/".join(["", str(first + int(row)), *rest]), problem.message) from error


def _read_line(line: bytes, row: int) -> Any:
    try:
        return read_json(line)
    except MalformedDocument as error:
        problem = error.problems[0]
        raise InvalidDocument.at(f"/{row}{problem.pointer}", problem.message) from error


def _read_csv(file: IO[bytes], inputs: Sequence[ModelInput]) -> Iterator[Batch]:
    import pyarrow
    from pyarrow import csv as arrow_csv

    header = file.readline(LONGEST_LINE_BYTES)
    try:
        names = next(csv.reader([header.decode("utf-8-sig")]), [])
    except (UnicodeDecodeError, csv.Error) as error:
        raise InvalidDocument.at(
            "", "Expected a first line of column names; received something else."
        ) from error
    _check_names(names, inputs)
    reading = arrow_csv.ReadOptions(column_names=names, use_threads=False, block_size=2 * LONGEST_LINE_BYTES)
    features = features_of(inputs)
    types = {name: _csv_type(features.get(name)) for name in names}
    converting = arrow_csv.ConvertOptions(column_types=types, null_values=[""], strings_can_be_null=True)
    numbers = [name for name, kind in types.items() if kind == pyarrow.float64()]
    first = 0
    for block in _blocks(file):
        if not block.strip():
            continue
        try:
            table = arrow_csv.read_csv(
                pyarrow.BufferReader(block), read_options=reading, convert_options=converting
            )
        except pyarrow.ArrowException as error:
            _find_wrong_cell(block, names, numbers, first)
            _refuse("", "a table of numbers", f"one that can't be read: {error}"[:300])
        for batch in table.to_batches(max_chunksize=most_rows(inputs)):
            yield _fit_batch(batch, inputs, first)
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
            _refuse(f"/{row}", f"{len(names)} numbers", str(len(cells)))
        for name, cell in zip(names, cells, strict=True):
            try:
                float(cell or "nan") if name in numbers else None
            except ValueError:
                _refuse(join("/columns", name, row), "a number", received(cell))


def _read_arrow(form: Form, file: IO[bytes], inputs: Sequence[ModelInput]) -> Iterator[Batch]:
    import pyarrow

    first = 0
    try:
        for large in _record_batches(form, pyarrow.PythonFile(_Bounded(file), "r"), inputs):
            _check_names(large.schema.names, inputs)
            for start in range(0, large.num_rows, most_rows(inputs)):
                batch = large.slice(start, most_rows(inputs))
                yield _fit_batch(batch, inputs, first)
                first += batch.num_rows
    except (pyarrow.ArrowException, OSError, EOFError, MemoryError, OverflowError) as error:
        what = "a Parquet file" if form == "parquet" else "an Arrow stream or file"
        _refuse("", what, f"something that can't be read as one: {error}"[:300])


def _record_batches(form: Form, source: Any, inputs: Sequence[ModelInput]) -> Iterator["pyarrow.RecordBatch"]:
    from pyarrow import ipc, parquet

    if form == "parquet":
        whole = parquet.ParquetFile(source, pre_buffer=False)
        for number in range(whole.num_row_groups):
            size = whole.metadata.row_group(number).total_byte_size
            if size > MOST_ROW_GROUP_BYTES:
                _refuse("", f"row groups of at most {MOST_ROW_GROUP_BYTES} bytes", f"one of {size}")
        yield from whole.iter_batches(batch_size=most_rows(inputs), use_threads=False)
        return
    magic = source.read(6)
    source.seek(0)
    if magic != b"ARROW1":
        yield from ipc.open_stream(source)
        return
    stored = ipc.open_file(source)
    for number in range(stored.num_record_batches):
        yield stored.get_batch(number)


class _Bounded:
    """A file that is never asked for more than it has, as whoever is asked makes room for it first."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._size = file.seek(0, 2)
        self.closed = False
        file.seek(0)

    def read(self, size: int = -1) -> bytes:
        remaining = max(0, self._size - self._file.tell())
        return self._file.read(remaining if size < 0 else min(size, remaining))

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def close(self) -> None:
        self.closed = True


def _check_names(names: Sequence[str], inputs: Sequence[ModelInput]) -> None:
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        _refuse("/columns", "columns of different names", f"{received(twice)} more than once")
    assign_columns(names, inputs, "/columns")


def _fit_batch(batch: "pyarrow.RecordBatch", inputs: Sequence[ModelInput], first: int) -> Batch:
    features = features_of(inputs)
    columns = {
        name: _column(column, join("/columns", name), first, features.get(name))
        for name, column in zip(batch.schema.names, batch.columns, strict=True)
    }
    fitted = fit_columns(columns, inputs)
    if fitted is None:
        _find_misfit(columns, inputs, first)
    return fitted


def _column(column: Any, pointer: str, first: int, feature: FeatureSignature | None) -> Array:
    """A column as float64, (n,) or, of lists that are equally long, (n, length)."""
    from pyarrow import types

    rows, length = len(column), None
    if feature is not None and feature.categories is not None:
        single = ModelInput(feature.name, (), np.dtype(np.float64), (feature,))
        return np.array(
            encode_rows(column.to_pylist(), single, lambda row: f"{pointer}/{first + row}"), float
        )
    if column.null_count and not (feature is not None and feature.fills_missing):
        row = first + int(np.flatnonzero(column.is_null().to_numpy(zero_copy_only=False))[0])
        _refuse(f"{pointer}/{row}", "a number", "null")
    while (
        types.is_list(column.type)
        or types.is_large_list(column.type)
        or types.is_fixed_size_list(column.type)
    ):
        if length is not None:
            _refuse(pointer, "a column of numbers, or of lists of numbers", f"{column.type}")
        column = column.flatten()
        length = len(column) // max(1, rows)
        if length * rows != len(column) or column.null_count:
            _refuse(pointer, "lists of numbers that are equally long", "others")
    if not (types.is_integer(column.type) or types.is_floating(column.type)):
        _refuse(pointer, "a column of numbers", f"{column.type}")
    numbers: Array = column.to_numpy(zero_copy_only=False).astype(np.float64)
    return numbers if length is None else numbers.reshape(rows, length)


def _find_misfit(columns: dict[str, Array], inputs: Sequence[ModelInput], first: int) -> NoReturn:
    """Raises at the first number that an input can't hold."""
    assigned = assign_columns(list(columns), inputs, "/columns")
    for model_input in inputs:
        for name in assigned[model_input.name]:
            scalar = [model_input._replace(name=name, shape=columns[name].shape[1:])]
            for row, value in enumerate(columns[name]):
                if fit_numbers(value[np.newaxis], scalar) is None:
                    number = value if value.ndim == 0 else value[~np.isfinite(value)][:1]
                    shown = f"{number}".strip("[]") or "others"
                    wanted = "finite numbers" if model_input.dtype.kind == "f" else "whole numbers"
                    _refuse(
                        join("/columns", name, first + row), f"{wanted} that {model_input.dtype} holds", shown
                    )
    _refuse("/columns", "columns of the shapes that the model takes", "others")


def _read_npy(file: IO[bytes], inputs: Sequence[ModelInput]) -> Iterator[Batch]:
    if len(inputs) > 1:
        names = ", ".join(f'"{model_input.name}"' for model_input in inputs)
        _refuse("", f"a form with columns for the inputs {names}", "a single array")
    if has_categories(inputs):
        _refuse("", "a form with columns, as some hold categories", "a single array")
    (model_input,) = inputs
    shape, dtype = _read_npy_header(file)
    wanted = [length if length is not None else "any" for length in model_input.shape]
    fits = len(shape) == 1 + len(wanted) and all(
        length in (None, given) for length, given in zip(model_input.shape, shape[1:], strict=True)
    )
    if not fits:
        _refuse("", f"an array of shape {['n', *wanted]}", f"{list(shape)}")
    size = math.prod(shape[1:])
    here = file.tell()
    if file.seek(0, 2) - here != shape[0] * size * dtype.itemsize:
        _refuse("", f"{shape[0] * size * dtype.itemsize} bytes of numbers", f"{file.tell() - here}")
    file.seek(here)
    for start in range(0, shape[0], most_rows(inputs)):
        rows = min(most_rows(inputs), shape[0] - start)
        packed = np.frombuffer(file.read(rows * size * dtype.itemsize), dtype).reshape(rows, *shape[1:])
        fitted = fit_numbers(packed.astype(np.float64), inputs)
        if fitted is None:
            _find_misfit({model_input.name: packed.astype(np.float64)}, inputs, start)
        yield fitted


def _read_npy_header(file: IO[bytes]) -> tuple[tuple[int, ...], np.dtype[Any]]:
    readers = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
    try:
        version = np.lib.format.read_magic(file)
        shape, by_column, dtype = readers[version](file)
    except (ValueError, KeyError, SyntaxError, TypeError, TokenError, RecursionError, MemoryError) as error:
        raise InvalidDocument.at(
            "", f"Expected an NPY file; received something else: {error}"[:300]
        ) from error
    if dtype.kind not in "fiu" or by_column:
        what = "numbers column by column" if by_column else f"{dtype}"
        _refuse("", "an array of integers or floating-point numbers, row by row", what)
    return shape, dtype


def _refuse(pointer: str, expected: str, given: str) -> NoReturn:
    raise InvalidDocument.at(pointer, f"Expected {expected}; received {given}.")
