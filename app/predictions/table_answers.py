"""Predictions written into a file, some rows at a time, in the form that the client reads."""

import shutil
import tempfile
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import IO, Any, Protocol, cast

import numpy as np
import orjson

from app.errors import Conflict
from app.predictions.columns import column_names
from app.predictions.media import Form
from app.predictions.sessions import Array

IN_MEMORY_BYTES = 1024 * 1024
"""What is larger lies on the disk until it's sent."""


def open_spool(folder: Path) -> IO[bytes]:
    """A file without a name that stays in memory while it's small, and is gone once it's closed."""
    file: Any = tempfile.SpooledTemporaryFile(IN_MEMORY_BYTES, dir=str(folder))  # noqa: SIM115, for the caller
    return cast(IO[bytes], file)


class Writer(Protocol):
    """Writes the answer of one form."""

    def write(self, outputs: Mapping[str, Array]) -> None:
        """Adds some rows: predictions by output name, each (n, …)."""

    def finish(self, ends: dict[str, Any]) -> IO[bytes]:
        """The file of the whole answer, at its end.

        Args:
            ends: what an answer in JSON holds besides the predictions: who predicted, and the statistics.
        """

    def close(self) -> None:
        """Lets go of what was written, in place of `finish`."""


def open_writer(form: Form, folder: Path) -> Writer:
    """The writer of a form.

    Args:
        form: of the answer.
        folder: for what is too large for the memory.
    """
    match form:
        case "json":
            return JsonWriter(folder)
        case "ndjson":
            return LineWriter(folder)
        case "npy":
            return NpyWriter(folder)
        case _:
            return TableWriter(form, folder)


class JsonWriter:
    """The document that a request in JSON is answered with."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lists: dict[str, IO[bytes]] = {}

    def write(self, outputs: Mapping[str, Array]) -> None:
        """Adds some rows."""
        for name, array in outputs.items():
            if name in self._lists:
                self._lists[name].write(b",")
            else:
                self._lists[name] = open_spool(self._folder)
            self._lists[name].write(_json(array)[1:-1])

    def finish(self, ends: dict[str, Any]) -> IO[bytes]:
        """The document."""
        whole = open_spool(self._folder)
        with ExitStack() as stack:
            lists = {name: stack.enter_context(file) for name, file in self._lists.items()}
            whole.write(_json(ends)[:-1] + b',"predictions":' + (b"{" if len(lists) > 1 else b""))
            for number, (name, file) in enumerate(lists.items()):
                whole.write(
                    (b"," if number else b"") + (_json(name) + b":" if len(lists) > 1 else b"") + b"["
                )
                file.seek(0)
                shutil.copyfileobj(file, whole)
                whole.write(b"]")
        whole.write(b"}}" if len(self._lists) > 1 else b"}")
        return whole

    def close(self) -> None:
        """Closes the files."""
        for file in self._lists.values():
            file.close()


class LineWriter:
    """A line of JSON for each row, `{"prediction": …}`, and a last one for all else."""

    def __init__(self, folder: Path) -> None:
        self._file = open_spool(folder)

    def write(self, outputs: Mapping[str, Array]) -> None:
        """Adds some rows."""
        rows: Any = next(iter(outputs.values()))
        if len(outputs) > 1:
            rows = (dict(zip(outputs, row, strict=True)) for row in zip(*outputs.values(), strict=True))
        self._file.writelines(_json({"prediction": row}) + b"\n" for row in rows)

    def finish(self, ends: dict[str, Any]) -> IO[bytes]:
        """The lines."""
        self._file.write(_json(ends) + b"\n")
        return self._file

    def close(self) -> None:
        """Closes the file."""
        self._file.close()


class NpyWriter:
    """One array, (n, …), in NumPy's format; for models of one output."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._numbers = open_spool(folder)
        self._rows = 0
        self._last: Array | None = None

    def write(self, outputs: Mapping[str, Array]) -> None:
        """Adds some rows.

        Raises:
            Conflict: the model has several outputs.
        """
        if len(outputs) > 1:
            raise Conflict(
                f"Expected a model of one output for an answer in NPY; this one has {', '.join(outputs)}."
            )
        (self._last,) = outputs.values()
        self._rows += len(self._last)
        self._numbers.write(np.ascontiguousarray(self._last).data)

    def finish(self, ends: dict[str, Any]) -> IO[bytes]:
        """The array's file."""
        assert self._last is not None
        whole = open_spool(self._folder)
        header = {
            "descr": np.lib.format.dtype_to_descr(self._last.dtype),
            "fortran_order": False,
            "shape": (self._rows, *self._last.shape[1:]),
        }
        np.lib.format.write_array_header_1_0(whole, header)
        with self._numbers as numbers:
            numbers.seek(0)
            shutil.copyfileobj(numbers, whole)
        return whole

    def close(self) -> None:
        """Closes the file."""
        self._numbers.close()


class TableWriter:
    """A column for each element of a prediction, in CSV, Parquet or an Arrow stream."""

    def __init__(self, form: Form, folder: Path) -> None:
        self._form = form
        self._file = open_spool(folder)
        self._writer: Any = None

    def write(self, outputs: Mapping[str, Array]) -> None:
        """Adds some rows."""
        import pyarrow

        columns: dict[str, Array] = {}
        for name, array in outputs.items():
            names = column_names(name, array.shape[1:])
            columns |= dict(zip(names, array.reshape(len(array), len(names)).T, strict=True))
        batch = pyarrow.RecordBatch.from_pydict(
            {name: pyarrow.array(column) for name, column in columns.items()}
        )
        if self._writer is None:
            self._writer = self._open(batch.schema)
        self._writer.write_batch(batch)

    def _open(self, schema: Any) -> Any:
        if self._form == "csv":
            from pyarrow import csv

            return csv.CSVWriter(self._file, schema, write_options=csv.WriteOptions(quoting_style="none"))
        if self._form == "parquet":
            from pyarrow import parquet

            return parquet.ParquetWriter(self._file, schema)
        from pyarrow import ipc

        return ipc.new_stream(self._file, schema)

    def finish(self, ends: dict[str, Any]) -> IO[bytes]:
        """The table's file."""
        if self._writer is not None:
            self._writer.close()
        return self._file

    def close(self) -> None:
        """Closes the file; the writer first, as it writes an end."""
        if self._writer is not None:
            self._writer.close()
        self._file.close()


def _json(value: Any) -> bytes:
    return orjson.dumps(value, option=orjson.OPT_SERIALIZE_NUMPY)
