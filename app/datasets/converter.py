"""Has a process turn a body into a dataset, and asks it what it found."""

import os
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

import orjson

from app.datasets.body import WHOLE
from app.datasets.size import DatasetSize
from app.errors import InvalidDocument, TooLarge


class Converter:
    """A process of `app.datasets.conversion`, which begins at once.

    Args:
        form: of the body.
        body: the file, of which some may be still to come.
        folder: where the dataset is gathered.
        most: how large it may be.
        most_memory: bytes that the process may take.
    """

    def __init__(self, form: str, body: Path, folder: Path, most: DatasetSize, most_memory: int) -> None:
        self._form = form
        self._process = _SPARE.take()
        task = {
            "form": form,
            "body": str(body),
            "folder": str(folder),
            "most": list(most),
            "most_memory": most_memory,
        }
        self._tell(orjson.dumps(task, option=orjson.OPT_APPEND_NEWLINE))

    def whole(self) -> None:
        """Says that nothing more of the body will come."""
        self._tell(WHOLE)

    def found(self) -> dict[str, Any]:
        """What the dataset holds, which lies in the folder then; to be asked after `whole`.

        Raises:
            InvalidDocument: the body is no such file, or breaks its reader.
            TooLarge: it's larger than it may be.
            OSError: the disk is full or broken.
        """
        line = _pipe(self._process.stdout).readline()
        if not line.endswith(b"\n"):
            message = f"Expected a file in {self._form}; received one that broke its reader."
            raise InvalidDocument.at("", message)
        found: dict[str, Any] = orjson.loads(line)
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
        _SPARE.prepare()

    def _tell(self, line: bytes) -> None:
        pipe = _pipe(self._process.stdin)
        with suppress(BrokenPipeError):
            pipe.write(line)
            pipe.flush()


class _Spare:
    """A process that has imported what it needs, and waits; the next body is spared a third of a second."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None

    def take(self) -> subprocess.Popen[bytes]:
        """The process; a new one if there is none."""
        with self._lock:
            process, self._process = self._process, None
        return process if process is not None and process.poll() is None else _start()

    def prepare(self) -> None:
        """Starts one for the next body, if that is possible now."""
        with self._lock, suppress(OSError):
            if self._process is None:
                self._process = _start()


_SPARE = _Spare()


def _start() -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "app.datasets.conversion"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=os.environ | {"OPENBLAS_NUM_THREADS": "1"},  # others would only burn time, as NumPy is imported
        start_new_session=True,  # a terminal's Ctrl-C is for the service, at whose end the input ends, too
    )


def _pipe(pipe: IO[bytes] | None) -> IO[bytes]:
    assert pipe is not None
    return pipe
