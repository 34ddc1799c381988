"""The file that a dataset is made of, which may be read while it's being received."""

import io
import os
import threading
from pathlib import Path

WHOLE = b"whole\n"
"""What the process is told that reads a file which another writes, when nothing more will come."""

_WAIT_SECONDS = 0.005
"""How often somebody looks who waits for more."""


class Body:
    """A file of which some may be still to come.

    Args:
        path: where it lies.
        whole: is set when nothing more will come. None for a file that is whole.
    """

    def __init__(self, path: Path, whole: threading.Event | None = None) -> None:
        self.path = path
        self._whole = whole or threading.Event()
        if whole is None:
            self._whole.set()

    def whole(self) -> Path:
        """Where the file lies, once it's whole."""
        self._whole.wait()
        return self.path

    def open(self, start: int = 0) -> io.RawIOBase:
        """The bytes from a place to the last; who reads those that haven't come yet, waits for them."""
        return _GrowingFile(self.path, self._whole, start)


class _GrowingFile(io.RawIOBase):
    def __init__(self, path: Path, whole: threading.Event, start: int) -> None:
        self._descriptor = os.open(path, os.O_RDONLY)
        self._whole = whole
        self._place = start

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        """As of a file that is whole: fewer than `size` bytes are its last."""
        if size < 0:
            raise io.UnsupportedOperation("Expected how many bytes to read.")
        while not self._whole.is_set() and os.fstat(self._descriptor).st_size < self._place + size:
            self._whole.wait(_WAIT_SECONDS)
        block = os.pread(self._descriptor, size, self._place)
        self._place += len(block)
        return block

    def close(self) -> None:
        if not self.closed:
            os.close(self._descriptor)
        super().close()
