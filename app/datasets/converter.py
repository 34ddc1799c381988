"""Starts the process that turns a body into a dataset, and asks it what it found."""

import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

import orjson

from app.datasets.body import WHOLE
from app.datasets.size import DatasetSize
from app.errors import InvalidDocument, TooLarge


class Converter:
    """The process of `app.datasets.conversion`, which starts at once.

    Args:
        form: of the body.
        body: the file, of which some may be still to come.
        folder: where the dataset is gathered.
        most: how large it may be.
        most_memory: bytes that the process may take.
    """

    def __init__(self, form: str, body: Path, folder: Path, most: DatasetSize, most_memory: int) -> None:
        self._form = form
        command = [sys.executable, "-m", "app.datasets.conversion", form, str(body), str(folder)]
        command += map(str, (*most, most_memory))
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def finish(self) -> str:
        """Says that the body is whole; the digest of its bytes.

        Raises:
            InvalidDocument: the process has broken down.
        """
        with suppress(BrokenPipeError), _pipe(self._process.stdin) as pipe:
            pipe.write(WHOLE)
        digest: str = self._heard()["digest"]
        return digest

    def found(self) -> dict[str, Any]:
        """What the dataset holds, which lies in the folder then; after `finish`.

        Raises:
            InvalidDocument: the body is no such file.
            TooLarge: it's larger than it may be.
            OSError: the disk is full or broken.
        """
        found = self._heard()
        if "errno" in found:
            raise OSError(found["errno"], os.strerror(found["errno"]))
        if "too_large" in found:
            raise TooLarge(found["too_large"])
        if "error" in found:
            raise InvalidDocument.at("", found["error"])
        return found

    def close(self) -> None:
        """Ends the process if it's still there."""
        self._process.kill()
        with suppress(BrokenPipeError), self._process:
            pass  # closes the pipes, and waits

    def _heard(self) -> dict[str, Any]:
        line = _pipe(self._process.stdout).readline()
        if not line.endswith(b"\n"):
            message = f"Expected a file in {self._form}; received one that broke its reader."
            raise InvalidDocument.at("", message)
        heard: dict[str, Any] = orjson.loads(line)
        return heard


def _pipe(pipe: IO[bytes] | None) -> IO[bytes]:
    assert pipe is not None
    return pipe
