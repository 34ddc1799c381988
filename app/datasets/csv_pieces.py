"""Cuts CSV into pieces of whole records, which can be read at the same time."""

from typing import Protocol

import numpy as np

PIECE_BYTES = 4 * 1024 * 1024

_QUOTE = ord('"')
_BESIDES = np.zeros(256, np.bool_)
_BESIDES[list(b',\r\n"')] = True
"""What stands before a quote that opens a value, or behind one that closes it."""


class Readable(Protocol):
    """A file of bytes."""

    def read(self, size: int, /) -> bytes:
        """As many bytes; fewer are the last."""


class Pieces:
    """The pieces of a file from its start, as far as they can be told.

    Args:
        file: at its start.

    Attributes:
        place: where in the file what is left begins.
        left: whether something is left when there is no next piece: its quotes are unusual.
    """

    def __init__(self, file: Readable) -> None:
        self.place = 0
        self.left = False
        self._file = file
        self._kept = b""

    def next(self) -> memoryview | None:
        """The next piece, which begins and ends with a record; None where nothing more can be told."""
        block = self._kept + self._file.read(PIECE_BYTES - len(self._kept))
        end = whole_records(block, is_last=len(block) < PIECE_BYTES)
        self._kept = block[end:]
        self.place += end
        self.left = end == 0 and len(block) > 0
        return memoryview(block)[:end] if end else None


def whole_records(block: bytes, is_last: bool) -> int:
    """How many bytes from the start of a block are whole records; 0 where that can't be told.

    A line's end may lie in quotes, and a quote may be part of a value that isn't quoted. So it's told only
    where every other quote, from the first, has a separator before it, and the rest have one behind them:
    then those open values, and these close them. Two quotes that stand for one, in a quoted value, pass for
    one that closes it and one that opens another.

    Args:
        block: begins with a record.
        is_last: whether the file ends with it.
    """
    end = len(block) if is_last else block.rfind(b"\n") + 1
    if block.find(b'"', 0, end) < 0:
        return end
    octets = np.frombuffer(block, np.uint8)
    quotes = np.flatnonzero(octets[:end] == _QUOTE)
    while len(quotes) % 2 and not is_last:  # the last line's end lies in quotes
        end = block.rfind(b"\n", 0, quotes[-1]) + 1
        quotes = quotes[: np.searchsorted(quotes, end)]
    if len(quotes) % 2:
        return 0
    before, behind = quotes[::2] - 1, quotes[1::2] + 1
    before, behind = before[before >= 0], behind[behind < len(block)]
    return end if _BESIDES[octets[before]].all() and _BESIDES[octets[behind]].all() else 0
