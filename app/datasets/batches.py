"""Tables as they're read: a schema, and batches of rows."""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow
import pyarrow.compute as pc

BATCH_ROWS = 65_536

_OFFSET_BYTES = 4
"""Of a text; where it begins."""

Table = tuple[Any, Iterator[Any]]
"""An Arrow schema and record batches of it, of which columns may be places in a dictionary whose values have
the schema's type."""


def plain_schema(schema: Any) -> Any:
    """A schema with the types of the values in place of dictionaries."""
    return pyarrow.schema([field.with_type(_plain_type(field.type)) for field in schema])


def plain_columns(batch: Any) -> list[Any]:
    """The columns of a batch, with the values in place of dictionaries."""
    return [
        column.dictionary_decode() if pyarrow.types.is_dictionary(column.type) else column
        for column in batch.columns
    ]


def plain_bytes(column: Any) -> int:
    """What a column takes with the values in place of a dictionary."""
    if not pyarrow.types.is_dictionary(column.type):
        return int(column.nbytes)
    if column.type.value_type != pyarrow.string():
        return int(column.dictionary_decode().nbytes)
    lengths = pc.binary_length(column.dictionary).take(column.indices)
    bits = math.ceil(len(column) / 8)  # that say which are missing
    return _OFFSET_BYTES * len(column) + bits + (pc.sum(lengths).as_py() or 0)


def used_values(column: Any) -> Any | None:
    """The values that the places in a column lead to.

    Returns:
        Each once, if it's once in the dictionary; None if the dictionary is longer than the column or has a
        null in it, as to put the values in place is no more work then.
    """
    values, places = column.dictionary, column.indices.drop_null()
    if len(values) > len(column) or values.null_count:
        return None
    counts = np.bincount(places.to_numpy(), minlength=len(values))
    return values.filter(pyarrow.array(counts > 0))


class Dictionaries:
    """Looks through the dictionaries of batches, which a broken file may lead beyond.

    Each is looked through once, as it may be much longer than a batch.
    """

    def __init__(self) -> None:
        self._known: dict[int, Any] = {}

    def check(self, batch: Any) -> None:
        """Looks at the columns that are places in a dictionary.

        Raises:
            ArrowException: a dictionary is broken, or a place isn't in it.
        """
        for number, column in enumerate(batch.columns):
            if not pyarrow.types.is_dictionary(column.type):
                continue
            known = self._known.get(number)
            if known is None or _addresses(known) != _addresses(column.dictionary):
                column.dictionary.validate(full=True)
                self._known[number] = column.dictionary
            ends = pc.min_max(column.indices).as_py()
            if ends["min"] is not None and not 0 <= ends["min"] <= ends["max"] < len(column.dictionary):
                raise pyarrow.ArrowIndexError(
                    f"{ends['min']} to {ends['max']} in a dictionary of {len(column.dictionary)}"
                )


def _addresses(values: Any) -> list[Any]:
    return [values.offset, len(values), *(buffer and buffer.address for buffer in values.buffers())]


def _plain_type(kind: Any) -> Any:
    return kind.value_type if pyarrow.types.is_dictionary(kind) else kind
