"""Where the files of runs lie below the data folder, and how they get there whole."""

import fcntl
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

CONTINUATION = "continuation.npz"
"""Weights and multipliers of a finished run, for another to start from."""

ARTIFACTS = {
    "model.keras": "application/octet-stream",
    "model.onnx": "application/octet-stream",
    "activations.onnx": "application/octet-stream",
    CONTINUATION: "application/octet-stream",
    "signature.json": "application/json",
    "run.json": "application/json",
    "history.csv": "text/csv; charset=utf-8",
    "statistics.json": "application/json",
}
"""The files that a finished run may have, and their media types."""

CHECKSUMS = "SHA256SUMS"
"""Beside the artifacts: the SHA-256 of each."""


class RunFiles:
    """The files of all runs.

    Args:
        data_dir: the service's data folder.
    """

    def __init__(self, data_dir: Path) -> None:
        self._artifacts = data_dir / "artifacts"
        self._checkpoints = data_dir / "checkpoints"

    def artifacts(self, run_id: str) -> Path:
        """Folder of a finished run's artifacts; appears all at once."""
        return self._artifacts / run_id

    def unfinished_artifacts(self, run_id: str) -> Path:
        """A folder for an attempt to gather artifacts in; on the same file system, so it can be renamed."""
        return self._artifacts / f".{run_id}.{secrets.token_hex(4)}"

    def checkpoints(self, run_id: str) -> Path:
        """Folder of a run's checkpoints."""
        return self._checkpoints / run_id

    def runs_with_artifacts(self) -> list[str]:
        """The runs, by id, that have a folder of artifacts."""
        return [path.name for path in entries(self._artifacts) if not path.name.startswith(".")]

    def runs_with_checkpoints(self) -> list[str]:
        """The runs, by id, that have a folder of checkpoints."""
        return [path.name for path in entries(self._checkpoints)]

    def unfinished_folders(self) -> list[Path]:
        """The folders in which attempts gather artifacts, or gathered them when they died."""
        return [path for path in entries(self._artifacts) if path.name.startswith(".")]

    def remove(self, run_id: str) -> None:
        """Removes everything of a run; what isn't there is no error.

        A folder in which an attempt gathers artifacts is left to that, or to `app.repair` if it has died.
        """
        shutil.rmtree(self.artifacts(run_id), ignore_errors=True)
        self.remove_checkpoints(run_id)

    def remove_checkpoints(self, run_id: str) -> None:
        """Removes the checkpoints of a run."""
        shutil.rmtree(self.checkpoints(run_id), ignore_errors=True)


def entries(folder: Path) -> list[Path]:
    """What is in a folder; nothing if there is no such folder."""
    try:
        return list(folder.iterdir())
    except FileNotFoundError:
        return []


def make_folder(folder: Path) -> None:
    """Makes a folder, and those that it lies in, so that it's still there after a crash of the machine."""
    if not folder.is_dir():
        make_folder(folder.parent)
        folder.mkdir(exist_ok=True)
        sync_folder(folder.parent)


@contextmanager
def gathering(folder: Path) -> Iterator[Path]:
    """Makes a folder to gather files in; what is still there at the end of the block is removed.

    Meanwhile a lock on it, which ends with the process at the latest, tells others that somebody is at it;
    it stays on the folder when that is renamed.
    """
    make_folder(folder.parent)
    descriptor = _make_locked(folder)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(descriptor)


def _make_locked(folder: Path) -> int:
    """The descriptor that holds the lock."""
    while True:
        folder.mkdir()
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        if folder.is_dir():
            return descriptor
        os.close(descriptor)  # it was found before the lock was there, taken for abandoned, and removed


def remove_if_abandoned(folder: Path) -> bool:
    """Removes a folder that was made by `gathering`, unless somebody is at it; whether it did."""
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(folder, ignore_errors=True)
    except BlockingIOError:
        return False
    finally:
        os.close(descriptor)
    return True


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Holds a folder's lock, which others that want it wait for; it ends with the process at the latest."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


@contextmanager
def publishing_file(path: Path) -> Iterator[Path]:
    """A file to be written, which is `path` after the block, and on the disk: whole, or not at all."""
    unfinished = path.with_suffix(".unfinished")
    try:
        yield unfinished
        sync_file(unfinished)
    except BaseException:  # such as for want of space, which it mustn't keep from others
        unfinished.unlink(missing_ok=True)
        raise
    unfinished.rename(path)
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Brings the names in a folder to the disk: after a crash a renamed file keeps its new name."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_file(path: Path) -> None:
    """Brings a file's content to the disk."""
    with path.open("rb") as file:
        os.fsync(file.fileno())


def sync_files(folder: Path) -> None:
    """Brings the files in a folder to the disk, and their names."""
    for path in folder.iterdir():
        sync_file(path)
    sync_folder(folder)


def publish_folder(source: Path, target: Path) -> None:
    """Makes `target` the folder that `source` is, whose files are on the disk: whole, or not at all."""
    shutil.rmtree(target, ignore_errors=True)
    source.rename(target)
    sync_folder(target.parent)
