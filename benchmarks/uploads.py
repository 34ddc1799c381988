"""Uploads of 500 MB over HTTP against pyarrow reading the same file, and the API's memory meanwhile.

Each is measured some times in turn, with the file in the system's cache and all of pyarrow's threads; the
medians count. Client and service share the machine's cores. pyarrow reads the file in a process that has read
it before and kept the memory, and in new ones, which have to be given theirs first, as what is uploaded has.
"""

import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from http.client import HTTPConnection
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import httpx
import numpy as np
import pyarrow
from pyarrow import csv, parquet

from app.datasets.converter import Converter
from app.datasets.size import DatasetSize
from benchmarks.predict import (
    Server,
    free_port,
    kerb_body,
    kerb_command,
    kerb_environment,
    resident_megabytes,
    running,
)
from benchmarks.table import Row

ROUNDS = 7
PAUSE_SECONDS = 1.0
"""Between two of them, so that a process which one has started isn't in the time of the next."""

GOAL = 0.5
MOST_MEGABYTES = 200.0
BLOCK_BYTES = 1024 * 1024

ANY_SIZE = DatasetSize(10**10, 10**12, 10**12)
MEMORY_BYTES = 4 * 1024**3


Undo = Callable[[], None]
"""Removes what was made; its time doesn't count."""


class File(NamedTuple):
    """A file that is uploaded.

    Attributes:
        form: as in the table.
        media_type: as in the request.
        samples: rows that make about 500 MB.
        columns: of random numbers, besides one of integers and one of texts.
        write: makes the file of a table.
        read: pyarrow's fastest way to read it.
    """

    form: str
    media_type: str
    samples: int
    columns: int
    write: Callable[[Any, Path], None]
    read: Callable[[Path], Any]


FILES = (
    File("csv", "text/csv", 3_000_000, 8, csv.write_csv, csv.read_csv),
    File("parquet", "application/vnd.apache.parquet", 6_500_000, 10, parquet.write_table, parquet.read_table),
)


def rows() -> list[Row]:
    """Measures them; takes a minute or two, and 3 GB of the temporary folder."""
    measured: list[Row] = []
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        server = Server("Kerb", free_port(), "/datasets", "/healthz", kerb_body)
        command = kerb_command(server.port, folder / "data")
        with running(server, command, kerb_environment()) as process, Peak(process.pid) as peak:
            for file in FILES:
                path = folder / f"file.{file.form}"
                file.write(table(file.samples, file.columns), path)
                measured += _compare(file, path, server.port, folder)
                path.unlink()
    return [*measured, Row("API's memory at most", peak.megabytes, MOST_MEGABYTES, at_most=True, unit="MB")]


def table(samples: int, columns: int) -> Any:
    """Random numbers, integers and texts."""
    chance = np.random.default_rng(0)
    numbers = {f"c{column}": chance.normal(size=samples) for column in range(columns)}
    cities = chance.choice(["Rome", "Oslo", "Bern"], samples)
    return pyarrow.table({**numbers, "k": chance.integers(0, 50, samples), "city": cities})


def _compare(file: File, path: Path, port: int, folder: Path) -> list[Row]:
    ways: dict[str, Callable[[], Undo]] = {
        "pyarrow": lambda: read(file, path),
        "uploaded": lambda: upload(path, file.media_type, port),
        "converted": lambda: convert(path, file.form, folder),
    }
    seconds: dict[str, list[float]] = {way: [] for way in (*ways, "pyarrow anew")}
    for _ in range(ROUNDS):
        for way, work in ways.items():
            started = time.perf_counter()
            undo = work()
            seconds[way].append(time.perf_counter() - started)
            undo()
            time.sleep(PAUSE_SECONDS)
        seconds["pyarrow anew"].append(seconds_anew(file, path))
        time.sleep(PAUSE_SECONDS)
    took = {way: median(times) for way, times in seconds.items()}
    size = f"{path.stat().st_size / 1e6:.0f} MB of {file.form}"
    return [
        Row(
            f"{size} {way}, speed against {reader}'s",
            took[reader] / took[way],
            GOAL,
            note=f"{reader} {took[reader]:.2f} s, {took[way]:.2f} s",
        )
        for way, reader in (
            ("uploaded", "pyarrow"),
            ("uploaded", "pyarrow anew"),
            ("converted", "pyarrow"),
        )
    ]


def read(file: File, path: Path) -> Undo:
    """Reads a file with pyarrow."""
    file.read(path)
    return lambda: None


def seconds_anew(file: File, path: Path) -> float:
    """What pyarrow takes to read a file in a process that hasn't read any; without its start."""
    module, name = file.read.__module__, file.read.__name__
    script = (
        f"import time; from {module} import {name}; started = time.perf_counter(); "
        f"kept = {name}({str(path)!r}); print(time.perf_counter() - started)"
    )
    return float(subprocess.run([sys.executable, "-c", script], check=True, stdout=subprocess.PIPE).stdout)


def upload(path: Path, media_type: str, port: int) -> Undo:
    """Posts a file."""
    connection = HTTPConnection("127.0.0.1", port, blocksize=BLOCK_BYTES)
    with path.open("rb") as file:
        headers = {"Content-Type": media_type, "Content-Length": str(path.stat().st_size)}
        connection.request("POST", "/datasets", file, headers)
        answer = connection.getresponse()
        assert answer.status == 201, answer.read()
        url = f"http://127.0.0.1:{port}{answer.headers['Location']}"
    connection.close()
    return lambda: _delete(url)


def _delete(url: str) -> None:
    httpx.delete(url, timeout=60).raise_for_status()


def convert(path: Path, form: str, folder: Path) -> Undo:
    """What the service does with a file that is there as a whole, with a process that waits for it."""
    target = Path(tempfile.mkdtemp(dir=folder))
    converter = Converter(form, path, target, ANY_SIZE, MEMORY_BYTES)
    try:
        converter.whole()
        converter.found()
    finally:
        converter.close()
    return lambda: shutil.rmtree(target)


class Peak:
    """The most memory that a process has, from when the block is entered.

    Args:
        pid: of the process.
    """

    def __init__(self, pid: int) -> None:
        self.megabytes = 0.0
        self._pid = pid
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch)

    def __enter__(self) -> "Peak":
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._ended.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._ended.wait(0.02):
            self.megabytes = max(self.megabytes, resident_megabytes(self._pid))
