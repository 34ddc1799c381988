"""A dataset's body while it's received: written to the disk, and converted as it comes."""

import threading
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple, Self

from blake3 import blake3

from app.datasets.converter import Converter
from app.datasets.description import PARQUET_FILE
from app.datasets.size import DatasetSize
from app.datasets.upload import Upload
from app.direct_body import Part
from app.errors import TooLarge

EARLY_BYTES = 1024 * 1024
"""A shorter body is converted when it's whole."""

_PART_BYTES = 1024 * 1024
"""Of the file, hashed at once."""

_EARLY = threading.BoundedSemaphore(2)
"""For how many bodies a converter is there already while they come, as slow as they may come."""


class ReceptionLimits(NamedTuple):
    """What a body may come to."""

    json_bytes: int
    """Largest body in JSON."""
    size: DatasetSize
    """Largest dataset."""
    memory: int
    """Bytes that the process may take which converts it."""


class Reception:
    """What has come of a body. Its methods wait for the disk; whoever calls them isn't to be the event loop.

    Args:
        upload: finds the file in the body.
        folder: where the file is written, and the dataset is made of it. What else is in it at the end of the
            block is the dataset.
        limits: what it may come to.
    """

    def __init__(self, upload: Upload, folder: Path, limits: ReceptionLimits) -> None:
        self.folder = folder
        self.upload = upload
        self.bytes = 0
        self._limits = limits
        self._path = folder / "body"
        self._file = self._path.open("wb")
        self._converter: Converter | None = None
        self._is_early = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        with suppress(OSError):  # what couldn't be written needn't be
            self._file.close()
        try:
            if self._converter is not None:
                self._converter.close()
        finally:
            if self._is_early:
                _EARLY.release()

    def take(self, part: Part) -> None:
        """Writes some more.

        Raises:
            InvalidDocument: it's a form that can't be read.
            TooLarge: it's more JSON than may be.
        """
        for piece in self.upload.take(part):
            self.bytes += self._file.write(piece)
        self._file.flush()
        if self.upload.form == "json" and self.bytes > self._limits.json_bytes:  # in a form it's told late
            raise TooLarge(f"Expected JSON of at most {self._limits.json_bytes} bytes; received more.")
        is_long = self.bytes >= EARLY_BYTES
        if is_long and self._converter is None and _EARLY.acquire(blocking=False):
            self._is_early = True
            self._start()

    def end(self) -> str:
        """Says that nothing more comes, and hashes the file while the converter is at it, too.

        To hash each part as it came would hold up the sender.

        Returns:
            What tells files apart, since those of one digest are one dataset: `blake3:` and BLAKE3 of the
            file's bytes in hexadecimal, as `b3sum` has it.

        Raises:
            InvalidDocument: the file hasn't ended.
        """
        self.upload.end()
        self._file.close()
        if self._converter is not None:
            self._converter.whole()
        hashed, part = blake3(), memoryview(bytearray(_PART_BYTES))
        with self._path.open("rb", buffering=0) as file:
            while count := file.readinto(part):
                hashed.update(part[:count])
        return f"blake3:{hashed.hexdigest()}"

    def found(self) -> dict[str, Any]:
        """What the dataset holds, whose files are in the folder then, and no others; after `end`.

        Raises:
            InvalidDocument: the file is broken.
            TooLarge: the dataset is larger than it may be.
            OSError: the disk is full or broken.
        """
        converter = self._converter
        if converter is None:
            converter = self._start()
            converter.whole()
        found = converter.found()
        if self.upload.form == "parquet":
            self._path.rename(self.folder / PARQUET_FILE)
        else:
            self._path.unlink()
        return found

    def _start(self) -> Converter:
        self._converter = Converter(
            self.upload.form, self._path, self.folder, self._limits.size, self._limits.memory
        )
        return self._converter
