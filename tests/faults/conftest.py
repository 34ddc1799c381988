"""Fixtures of the fault suite, whose length is set by `KERB_FAULT_ROUNDS`: see docs/durability.md."""

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from app.database import Database

CLOCK = Path(__file__).with_name("clock.c")


@pytest.fixture(scope="session")
def rounds() -> int:
    """How often a fault is repeated, each time at another moment."""
    return int(os.environ.get("KERB_FAULT_ROUNDS", "1"))


@pytest.fixture(scope="session")
def _long_form(rounds: int) -> None:
    """For tests that take long, or whose fault smaller tests have, too."""
    if rounds == 1:
        pytest.skip("only in `make test-faults`")


@pytest.fixture
def small_disk(tmp_path: Path, migrated_file: Path) -> Iterator[Path]:
    """A data folder with an empty database, on a disk of its own of 4 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(folder)]
    if subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("file systems can't be mounted here")
    try:
        shutil.copy(migrated_file, folder / "kerb.db")
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.fixture
def small_database(small_disk: Path) -> Iterator[Database]:
    """The database on the small disk."""
    database = Database(f"sqlite:///{small_disk / 'kerb.db'}")
    yield database
    database.close()


@pytest.fixture
def set_clock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[int], Any]]:
    """Sets the clock of processes that are started from now on, so many seconds from the true time."""
    if shutil.which("cc") is None:
        pytest.skip("no compiler")
    library, offset = tmp_path / "clock.so", tmp_path / "offset"
    subprocess.run(["cc", "-O2", "-shared", "-fPIC", "-o", library, CLOCK, "-ldl"], check=True)
    offset.write_text("0")
    monkeypatch.setenv("LD_PRELOAD", str(library))
    monkeypatch.setenv("CLOCK_OFFSET", str(offset))
    return lambda seconds: offset.write_text(str(seconds))
