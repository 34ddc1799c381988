"""How much room the messages of an Arrow stream take once they are unpacked, before any is.

A message holds a record batch or a dictionary: metadata, a FlatBuffers table of the format's `Message.fbs`,
and a body, which the buffers of its columns share. Where it's compressed, each buffer is by itself, and
begins with its size when unpacked, an int64, or -1 where it's stored as it is.
"""

import struct
from typing import TYPE_CHECKING, Any

from app.predictions.tables.rows import refuse

if TYPE_CHECKING:
    from pyarrow import ipc

VALUE_BYTES = 8
"""As much a value of a batch takes at least once it's a float64, whatever it took before."""

OBJECT_BYTES = 64
"""As much a value of a dictionary about takes once it's an object of Python."""

_HEADER, _CUSTOM_METADATA = 2, 4  # fields of a Message
_DATA = 1  # of a DictionaryBatch
_LENGTH, _NODES, _BUFFERS, _COMPRESSION = 0, 1, 2, 3  # of a RecordBatch


def check_messages(source: Any, most_bytes: int) -> int:
    """Reads a stream to its end without unpacking it.

    Args:
        source: of pyarrow, at the start of the stream.
        most_bytes: as much a record batch may take together with all dictionaries, which are kept.

    Returns:
        The number of record batches.

    Raises:
        InvalidDocument: one takes more.
        pyarrow.ArrowException: it isn't such a stream.
    """
    from pyarrow import ipc

    batches = dictionaries = 0
    for message in ipc.MessageReader.open_stream(source):
        match message.type:
            case "dictionary":
                size = dictionaries = dictionaries + _unpacked_bytes(message, OBJECT_BYTES)
            case "record batch":
                batches += 1
                size = dictionaries + _unpacked_bytes(message, VALUE_BYTES)
            case _:
                continue
        if size > most_bytes:
            refuse("", f"record batches of at most {most_bytes} bytes, unpacked", f"one of {size}")
    return batches


def _unpacked_bytes(message: "ipc.Message", value_bytes: int) -> int:
    """About what a batch or a dictionary takes; pyarrow has seen to it that the metadata is whole."""
    from pyarrow import ipc

    metadata = memoryview(message.metadata)
    body = memoryview(message.body) if message.body.size else b""
    header = _Table(metadata, _indirect(metadata, 0))
    batch = header.table(_HEADER)
    if message.type == "dictionary":
        batch = batch.table(_DATA)
    # The first form of compression was told in the message's own notes.
    old = message.metadata_version == ipc.MetadataVersion.V4 and header.has(_CUSTOM_METADATA)
    compressed = batch.has(_COMPRESSION) or old
    size = 0
    for offset, length in batch.pairs(_BUFFERS):
        told = int.from_bytes(body[offset : offset + 8], "little", signed=True) if compressed else 0
        size += max(told, length)
    values = sum(length for length, _ in batch.pairs(_NODES))
    return max(size, value_bytes * max(values, batch.integer(_LENGTH)))


class _Table:
    """A table of FlatBuffers.

    Args:
        data: what it lies in.
        start: where it begins.
    """

    def __init__(self, data: memoryview, start: int) -> None:
        self._data = data
        self._start = start
        self._fields = start - struct.unpack_from("<i", data, start)[0]

    def has(self, field: int) -> bool:
        """Whether the field, by its number, is given."""
        return self._place(field) is not None

    def integer(self, field: int) -> int:
        """An int64; 0 by default."""
        place = self._place(field)
        return 0 if place is None else int(struct.unpack_from("<q", self._data, place)[0])

    def table(self, field: int) -> "_Table":
        """A table that must be given."""
        place = self._place(field)
        if place is None:
            refuse("", "messages that hold something", "an empty one")
        return _Table(self._data, _indirect(self._data, place))

    def pairs(self, field: int) -> list[tuple[int, int]]:
        """A vector of two int64 each."""
        place = self._place(field)
        if place is None:
            return []
        start = _indirect(self._data, place)
        (count,) = struct.unpack_from("<I", self._data, start)
        return list(struct.iter_unpack("<qq", self._data[start + 4 : start + 4 + 16 * count]))

    def _place(self, field: int) -> int | None:
        (size,) = struct.unpack_from("<H", self._data, self._fields)
        entry = 4 + 2 * field
        offset = struct.unpack_from("<H", self._data, self._fields + entry)[0] if entry < size else 0
        return self._start + offset if offset else None


def _indirect(data: memoryview, place: int) -> int:
    """Where something begins whose distance is told at a place."""
    return place + int(struct.unpack_from("<I", data, place)[0])
