"""Instances in record batches: Parquet files, Arrow streams and files."""

from collections.abc import Iterator, Sequence
from typing import IO, TYPE_CHECKING, Any

import numpy as np

from app.artifacts import FeatureSignature
from app.predictions.columns import fit_columns
from app.predictions.features import encode_rows, features_of
from app.predictions.media import Form
from app.predictions.sessions import Array, ModelInput
from app.predictions.tables.messages import check_messages
from app.predictions.tables.pages import unpacked_bytes
from app.predictions.tables.rows import Batch, check_names, find_misfit, most_rows, refuse
from app.spec.pointers import join

if TYPE_CHECKING:
    import pyarrow

MOST_BATCH_BYTES = 512 * 1024 * 1024
"""Largest row group of a Parquet file, or record batch, unpacked; the columns of one are read together."""

_MAGIC = b"ARROW1\0\0"
"""What an Arrow file has before the stream in it."""


def read_arrow(form: Form, file: IO[bytes], inputs: Sequence[ModelInput]) -> Iterator[Batch]:
    """The rows of a Parquet file, or of an Arrow stream or file."""
    import pyarrow

    first = 0
    try:
        for large in _record_batches(form, pyarrow.PythonFile(_Bounded(file), "r"), inputs):
            check_names(large.schema.names, inputs)
            for start in range(0, large.num_rows, most_rows(inputs)):
                batch = large.slice(start, most_rows(inputs))
                yield fit_batch(batch, inputs, first)
                first += batch.num_rows
    except (pyarrow.ArrowException, OSError, EOFError, MemoryError, OverflowError) as error:
        what = "a Parquet file" if form == "parquet" else "an Arrow stream or file"
        refuse("", what, f"something that can't be read as one: {error}"[:300])


def _record_batches(form: Form, source: Any, inputs: Sequence[ModelInput]) -> Iterator["pyarrow.RecordBatch"]:
    from pyarrow import ipc, parquet

    if form == "parquet":
        names = _check_parquet(parquet.ParquetFile(source, pre_buffer=False), source, inputs)
        whole = parquet.ParquetFile(source, pre_buffer=False, read_dictionary=names)
        rows = 0
        for batch in whole.iter_batches(batch_size=most_rows(inputs), use_threads=False):
            rows += batch.num_rows
            yield batch
        if rows != whole.metadata.num_rows:
            refuse("", f"a Parquet file of {whole.metadata.num_rows} rows, as it says", f"{rows}")
        return
    start = len(_MAGIC) if source.read(len(_MAGIC)) == _MAGIC else 0
    source.seek(start)
    found = check_messages(source, MOST_BATCH_BYTES)
    if start:
        source.seek(0)
        listed = ipc.open_file(source).num_record_batches
        if listed != found:
            refuse("", f"the {listed} record batches that the file lists", f"{found}")
    source.seek(start)
    for batch in ipc.open_stream(source):
        batch.validate(full=True)  # or lengths that lie lead into others' memory
        yield batch


def _check_parquet(file: Any, source: Any, inputs: Sequence[ModelInput]) -> list[str]:
    """Refuses a Parquet file whose rows unpack to more than they are worth; the columns that hold texts.

    A text or a list that is repeated takes no room in the file, but would each time it's read.
    """
    check_names(file.schema_arrow.names, inputs)
    features = features_of(inputs)
    columns = [file.schema.column(number) for number in range(len(file.schema))]
    texts = [column.path for column in columns if column.physical_type == "BYTE_ARRAY" or column.length > 16]
    for name in texts:
        if name not in features or features[name].categories is None:
            refuse(join("/columns", name), "a column of numbers", "one of texts")
    for number in range(file.num_row_groups):
        group = file.metadata.row_group(number)
        columns = [group.column(place) for place in range(group.num_columns)]
        values = sum(column.num_values for column in columns)
        size = max(
            sum(unpacked_bytes(source, column) for column in columns),
            values * np.dtype(np.float64).itemsize,
        )
        if size > MOST_BATCH_BYTES:
            refuse("", f"row groups of at most {MOST_BATCH_BYTES} bytes", f"one of {size}")
    return texts


class _Bounded:
    """A file that is never asked for more than it has, as whoever is asked makes room for it first.

    Nor for more at once than a batch may take, as whoever asks keeps it in memory.
    """

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._size = file.seek(0, 2)
        self.closed = False
        file.seek(0)

    def read(self, size: int = -1) -> bytes:
        remaining = max(0, self._size - self._file.tell())
        size = remaining if size < 0 else min(size, remaining)
        if size > MOST_BATCH_BYTES:
            refuse("", f"batches of at most {MOST_BATCH_BYTES} bytes", f"one of {size}")
        return self._file.read(size)

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


def fit_batch(batch: "pyarrow.RecordBatch", inputs: Sequence[ModelInput], first: int) -> Batch:
    """What the model takes of a record batch.

    Args:
        batch: as it was read.
        inputs: what the model takes.
        first: the row of the file that the batch begins with.
    """
    features = features_of(inputs)
    columns = {
        name: _column(column, join("/columns", name), first, features.get(name))
        for name, column in zip(batch.schema.names, batch.columns, strict=True)
    }
    fitted = fit_columns(columns, inputs)
    if fitted is None:
        find_misfit(columns, inputs, first)
    return fitted


def _shared(column: Any) -> list[Any]:
    """The values of a dictionary's array, each an object that all rows of it share."""
    values = column.dictionary.to_pylist()
    return [None if index is None else values[index] for index in column.indices.to_pylist()]


def _column(column: Any, pointer: str, first: int, feature: FeatureSignature | None) -> Array:
    """A column as float64, (n,) or, of lists that are equally long, (n, length)."""
    from pyarrow import types

    rows, length = len(column), None
    if feature is not None and feature.categories is not None:
        single = ModelInput(feature.name, (), np.dtype(np.float64), (feature,))
        values = column.to_pylist() if not types.is_dictionary(column.type) else _shared(column)
        return np.array(encode_rows(values, single, lambda row: f"{pointer}/{first + row}"), float)
    if column.null_count and not (feature is not None and feature.fills_missing):
        row = first + int(np.flatnonzero(column.is_null().to_numpy(zero_copy_only=False))[0])
        refuse(f"{pointer}/{row}", "a number", "null")
    while (
        types.is_list(column.type)
        or types.is_large_list(column.type)
        or types.is_fixed_size_list(column.type)
    ):
        if length is not None:
            refuse(pointer, "a column of numbers, or of lists of numbers", f"{column.type}")
        column = column.flatten()
        length = len(column) // max(1, rows)
        if length * rows != len(column) or column.null_count:
            refuse(pointer, "lists of numbers that are equally long", "others")
    if not (types.is_integer(column.type) or types.is_floating(column.type)):
        refuse(pointer, "a column of numbers", f"{column.type}")
    numbers: Array = column.to_numpy(zero_copy_only=False).astype(np.float64)
    return numbers if length is None else numbers.reshape(rows, length)
