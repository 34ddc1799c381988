"""Where the files of runs lie below the data folder, and how they get there whole."""

import os
import shutil
from pathlib import Path

CONTINUATION = "continuation.npz"
"""Weights and multipliers of a finished run, for another to start from."""

ARTIFACTS = {
    "model.keras": "application/octet-stream",
    "model.onnx": "application/octet-stream",
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

    def unfinished_artifacts(self, run_id: str, attempt: int) -> Path:
        """Folder where an attempt gathers its artifacts; on the same file system, so renaming is atomic."""
        return self._artifacts / f".{run_id}.{attempt}"

    def checkpoints(self, run_id: str) -> Path:
        """Folder of a run's checkpoints."""
        return self._checkpoints / run_id

    def remove(self, run_id: str) -> None:
        """Removes everything of a run; what isn't there is no error."""
        shutil.rmtree(self.artifacts(run_id), ignore_errors=True)
        shutil.rmtree(self.checkpoints(run_id), ignore_errors=True)
        for leftover in self._artifacts.glob(f".{run_id}.*"):
            shutil.rmtree(leftover, ignore_errors=True)


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


def publish_folder(source: Path, target: Path) -> None:
    """Makes `target` the folder that `source` is: whole, or not at all."""
    for path in source.iterdir():
        sync_file(path)
    sync_folder(source)
    shutil.rmtree(target, ignore_errors=True)
    source.rename(target)
    sync_folder(target.parent)
