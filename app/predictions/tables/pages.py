"""How much room the pages of a Parquet file take once they are unpacked, before any is.

What a file says at its end of its columns needn't be true. Each page begins with a header, and pyarrow makes
as much room as that says, and unpacks no more. It's a struct in Thrift's compact protocol, `PageHeader` of
the format's `parquet.thrift`: the size of what follows, unpacked and as it lies there, and the number of
values.
"""

from typing import TYPE_CHECKING, Any, NamedTuple

from app.predictions.tables.rows import refuse

if TYPE_CHECKING:
    from pyarrow import parquet

MOST_HEADER_BYTES = 64 * 1024
"""Largest header of a page; honest ones have less than 100 bytes, and a shortest and longest text besides."""

_UNPACKED, _PACKED = 2, 3  # fields of a PageHeader
_DATA, _DICTIONARY, _DATA_2 = 5, 7, 8  # the same: structs, whose first field is the number of values
_VALUES = 1

_TRUE, _FALSE, _BYTE, _DOUBLE, _BINARY, _STRUCT = 1, 2, 3, 7, 8, 12  # kinds of fields
_INTEGERS = (4, 5, 6)


def unpacked_bytes(source: Any, column: "parquet.ColumnChunkMetaData") -> int:
    """What all pages of a column of a row group take once they are unpacked.

    Args:
        source: of pyarrow; is sought in.
        column: what the file's end says of it.

    Raises:
        InvalidDocument: a header is none, or the pages hold more values than the file's end says.
    """
    place = column.data_page_offset
    if column.dictionary_page_offset:
        place = min(place, column.dictionary_page_offset)
    end = place + column.total_compressed_size
    unpacked = values = 0
    while place < end and values < column.num_values:
        page = _read_header(source, place)
        place += page.header_bytes + page.packed
        unpacked += page.unpacked
        if page.is_dictionary:
            if page.values > page.unpacked:  # room is made for each
                refuse("", "a Parquet file whose dictionaries hold what they say", "one that can't")
            continue
        values += page.values
        if not page.values:  # without end, perhaps
            refuse("", "a Parquet file whose pages hold values", "one with an empty page")
    if values > column.num_values:
        refuse("", f"a Parquet file whose pages hold {column.num_values} values, as it says", f"{values}")
    return unpacked


class _Page(NamedTuple):
    """What the header of a page says."""

    header_bytes: int
    packed: int
    unpacked: int
    values: int
    is_dictionary: bool


def _read_header(source: Any, place: int) -> _Page:
    source.seek(place)
    reader = _Compact(source.read(MOST_HEADER_BYTES))
    try:
        fields = reader.struct()
        packed, unpacked = fields[_PACKED], fields[_UNPACKED]
        (kind,) = {_DATA, _DICTIONARY, _DATA_2} & fields.keys()
        values = fields[kind][_VALUES]
    except (IndexError, KeyError, TypeError, ValueError, RecursionError):
        refuse("", "a Parquet file", "one with a page whose header can't be read")
    if min(packed, unpacked, values) < 0:
        refuse("", "a Parquet file", "one with a page of a negative size")
    return _Page(reader.place, packed, unpacked, values, kind == _DICTIONARY)


class _Compact:
    """Reads structs of integers, texts and structs.

    Args:
        data: begins with one.

    Attributes:
        place: how far it has read.
    """

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.place = 0

    def struct(self) -> dict[int, Any]:
        """The fields by number; those that aren't integers or structs are None."""
        fields: dict[int, Any] = {}
        number = 0
        while head := self._byte():
            number = number + (head >> 4) if head >> 4 else self._integer()
            fields[number] = self._value(head & 15)
        return fields

    def _value(self, kind: int) -> Any:
        if kind in _INTEGERS:
            return self._integer()
        if kind == _STRUCT:
            return self.struct()
        if kind == _BINARY:
            length = self._unsigned()
            self.place += length
        elif kind == _DOUBLE:
            self.place += 8
        elif kind == _BYTE:
            self.place += 1
        elif kind not in (_TRUE, _FALSE):
            raise ValueError(kind)  # headers of pages hold no others
        return None

    def _integer(self) -> int:
        coded = self._unsigned()
        return (coded >> 1) ^ -(coded & 1)

    def _unsigned(self) -> int:
        value = 0
        for shift in range(0, 70, 7):
            byte = self._byte()
            value |= (byte & 127) << shift
            if byte < 128:
                return value
        raise ValueError(value)

    def _byte(self) -> int:
        byte = self._data[self.place]
        self.place += 1
        return byte
