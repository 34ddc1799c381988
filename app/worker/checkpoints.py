"""Checkpoints of runs in training, as files that are whole or don't count.

A file is written under another name, brought to the disk, then renamed. Its header holds a checksum, so
that a file that was damaged later is found out, and an older one taken.
"""

import hashlib
import logging
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from app.runs.files import make_folder, publishing_file

MAGIC = b"KERBCHK1"
KEPT = 2
"""Files kept of a run: the newest, and one in case that turns out damaged."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Checkpoint:
    """A training state.

    Attributes:
        epoch: the last epoch in it.
        payload: what training made of the state.
    """

    epoch: int
    payload: bytes


class Checkpoints:
    """The checkpoints of one run.

    Args:
        folder: where they lie; made when the first is saved.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def save(self, epoch: int, payload: bytes) -> None:
        """Keeps a state; once this returns, it survives a crash of the machine."""
        make_folder(self._folder)
        path = self._folder / f"{epoch:010d}.checkpoint"
        with publishing_file(path) as unfinished, unfinished.open("wb") as file:
            file.write(MAGIC + hashlib.sha256(payload).digest())
            file.write(payload)
        for older in self._newest_first()[KEPT:]:
            older.unlink()

    def newest(self, last_epoch: int) -> Checkpoint | None:
        """The newest good state that isn't of a later epoch than `last_epoch`; None if there is none."""
        for path in self._newest_first():
            epoch = int(path.stem)
            if epoch > last_epoch:
                continue
            payload = _read(path)
            if payload is not None:
                return Checkpoint(epoch, payload)
            logger.warning("checkpoint is damaged, taking an older one path=%s", path)
        return None

    def remove(self) -> None:
        """Removes them all."""
        shutil.rmtree(self._folder, ignore_errors=True)

    def _newest_first(self) -> list[Path]:
        if not self._folder.is_dir():
            return []
        return sorted(
            (path for path in self._folder.iterdir() if re.fullmatch(r"\d{10}\.checkpoint", path.name)),
            reverse=True,
        )


def _read(path: Path) -> bytes | None:
    try:
        content = path.read_bytes()
    except OSError:
        return None
    header = len(MAGIC) + hashlib.sha256().digest_size
    payload = content[header:]
    if content[:header] != MAGIC + hashlib.sha256(payload).digest():
        return None
    return payload
