"""Tables as they're read: a schema, and batches of rows."""

from collections.abc import Iterator
from typing import Any

import pyarrow

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


def _plain_type(kind: Any) -> Any:
    return kind.value_type if pyarrow.types.is_dictionary(kind) else kind
