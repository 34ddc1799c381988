"""Tables as they're read: a schema, and batches of rows."""

from collections.abc import Iterator
from typing import Any

import pyarrow
import pyarrow.compute as pc

BATCH_ROWS = 65_536

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
