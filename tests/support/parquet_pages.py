"""Parquet files whose pages say of themselves what isn't so."""

import io
from typing import Any

import pyarrow
from pyarrow import parquet

Fields = list[tuple[int, int, Any]]
"""Number, kind and value of each field of a struct in Thrift's compact protocol."""

INTEGERS, BINARY, STRUCT = (4, 5, 6), 8, 12
DATA, DICTIONARY, DATA_2 = 5, 7, 8


def lying(table: pyarrow.Table, column: int = 0, *, dictionary: bool = False, **lies: int) -> bytes:
    """A Parquet file of a table, of which the first page of a column lies.

    Args:
        table: of one row group.
        column: which.
        dictionary: whether the page is the column's dictionary.
        lies: `unpacked`, `packed` and `values`, as the page's header is to tell them.
    """
    content, place = written(table, column, dictionary)
    fields, end = read_struct(content, place)
    # Without its checksum there is room for larger numbers; the first number fills what is left.
    told: Fields = []
    for number, kind, value in fields:
        if number == 4 or (dictionary and number == DATA):
            continue
        if number in (DATA, DICTIONARY, DATA_2):
            inside = [(n, k, v) for n, k, v in value if n != 5 or number == DATA_2]
            value = [
                (n, k, coded(lies["values"]) if n == 1 and "values" in lies else v) for n, k, v in inside
            ]
        names = {2: "unpacked", 3: "packed"}
        if names.get(number) in lies:
            value = coded(lies[names[number]])
        told.append((number, kind, value))
    room = end - place
    header = as_struct(told)
    header = as_struct(told, first_width=1 + room - len(header))
    assert len(header) == room, "there is no room for these lies"
    return content[:place] + header + content[end:]


def with_bomb(table: pyarrow.Table, megabytes: int) -> bytes:
    """A Parquet file whose end is honest about a table, and whose first page unpacks to much more."""
    content, place = written(table, 0, dictionary=False)
    fields, end = read_struct(content, place)
    (size,) = (value // 2 for number, _, value in fields if number == 3)
    packed = pyarrow.compress(bytes(2**20), "zstd", asbytes=True) * megabytes
    room = end + size - place
    values: Fields = [(1, 5, 2 * table.num_rows), (2, 5, 0), (3, 5, 6), (4, 5, 6)]
    header = as_struct(
        [(1, 5, 0), (2, 5, 2 * megabytes * 2**20), (3, 5, 2 * len(packed)), (DATA, STRUCT, values)]
    )
    page = header + packed
    assert len(page) <= room, "the table is too small"
    return content[:place] + page + bytes(room - len(page)) + content[place + room :]


def written(table: pyarrow.Table, column: int, dictionary: bool) -> tuple[bytes, int]:
    """A Parquet file, and where the header of a column's first page begins."""
    sink = io.BytesIO()
    parquet.write_table(
        table,
        sink,
        compression="zstd",
        use_dictionary=dictionary,
        write_statistics=False,
        write_page_checksum=True,
        store_schema=False,
    )
    found = parquet.ParquetFile(sink).metadata.row_group(0).column(column)
    return sink.getvalue(), found.dictionary_page_offset if dictionary else found.data_page_offset


def read_struct(data: bytes, place: int) -> tuple[Fields, int]:
    """The fields of a struct, integers as they are coded, and where it ends."""
    fields: Fields = []
    number = 0
    while head := data[place]:
        number, kind, value = number + (head >> 4), head & 15, None
        place += 1
        if kind in INTEGERS:
            value, place = read_number(data, place)
        elif kind == STRUCT:
            value, place = read_struct(data, place)
        elif kind == BINARY:
            length, place = read_number(data, place)
            value, place = data[place : place + length], place + length
        fields.append((number, kind, value))
    return fields, place + 1


def read_number(data: bytes, place: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        value |= (data[place] & 127) << shift
        shift, place = shift + 7, place + 1
        if data[place - 1] < 128:
            return value, place


def as_struct(fields: Fields, first_width: int = 1) -> bytes:
    made = bytearray()
    last = 0
    for number, kind, value in fields:
        made.append((number - last) << 4 | kind)
        if kind in INTEGERS:
            made += as_number(value, 1 if last else first_width)
        elif kind == STRUCT:
            made += as_struct(value)
        elif kind == BINARY:
            made += as_number(len(value)) + value
        last = number
    return bytes(made) + b"\0"


def coded(number: int) -> int:
    """As signed numbers are, those near nothing small."""
    return 2 * number if number >= 0 else -2 * number - 1


def as_number(value: int, width: int = 1) -> bytes:
    """A number in as many bytes as it takes, or more."""
    made = bytearray()
    while value > 127 or len(made) + 1 < width:
        made.append(value & 127 | 128)
        value >>= 7
    return bytes([*made, value])
