"""The pulse of a worker: signs of life to who started it, and an eye on the worker's own process.

A thread of its own, which needs no database: one that is locked must not make a worker look dead. If the
process holds too much memory, the run fails with that reason; the system would end it without one. If the
process stands still, it ends, and another worker takes the run.
"""

import contextlib
import logging
import os
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple, Protocol

from app.errors import MemoryExceeded, RunError
from app.memory import resident_bytes

logger = logging.getLogger(__name__)

PULSE_SECONDS = 0.25

STILL = 0.02
"""Share of a processor below which a process that should be working stands still. Little, as on a machine
with much else to do a worker gets little."""

_TICKS = os.sysconf("SC_CLK_TCK")


class Work(NamedTuple):
    """What the worker is at.

    Attributes:
        what: for the log, such as the run.
        progress: a number that changes whenever it gets ahead.
    """

    what: str
    progress: int


class Watched(Protocol):
    """The worker, as the pulse sees it."""

    def work(self) -> Work | None:
        """What it's at; None while it waits for a run."""

    def give_up(self, error: RunError) -> None:
        """Fails the run that it's at, if it's at one."""


class Pulse(threading.Thread):
    """Beats until the process ends.

    Args:
        watched: the worker.
        parent: where signs of life go; None if nobody listens.
        most_bytes: of memory that the process may hold.
        hang_seconds: how long the worker may stand still.
        leave: ends the process.
    """

    def __init__(
        self,
        watched: Watched,
        parent: socket.socket | None,
        most_bytes: int,
        hang_seconds: float,
        leave: Callable[[int], object],
    ) -> None:
        super().__init__(name="pulse", daemon=True)
        self._watched = watched
        self._parent = parent
        self._most_bytes = most_bytes
        self._hang_seconds = hang_seconds
        self._leave = leave
        self._since = self._now()

    def run(self) -> None:
        """Beats, four times a second."""
        while True:
            self.beat()
            time.sleep(PULSE_SECONDS)

    def beat(self) -> None:
        """Gives a sign of life, and looks whether all is well."""
        self._sign()
        self._check_memory()
        self._check_progress()

    def _sign(self) -> None:
        if self._parent is not None:
            with contextlib.suppress(
                OSError
            ):  # it doesn't listen, or is gone, which another thread finds out
                self._parent.send(b".", socket.MSG_DONTWAIT)

    def _check_memory(self) -> None:
        held = resident_bytes()
        if held <= self._most_bytes:
            return
        message = (
            f"The run needs more memory than a worker may hold: {held:,} bytes of {self._most_bytes:,}. Take "
            "a smaller batch_size or model, or set KERB_WORKER_MEMORY_BYTES higher."
        )
        logger.error("worker holds too much memory, it ends bytes=%d limit=%d", held, self._most_bytes)
        # It mustn't grow on while the database makes this thread wait.
        last = threading.Timer(PULSE_SECONDS * 20, self._leave, (1,))
        last.daemon = True
        last.start()
        self._watched.give_up(MemoryExceeded(message))
        self._leave(1)

    def _check_progress(self) -> None:
        since, now = self._since, self._now()
        seconds = now.seconds - since.seconds
        if seconds < self._hang_seconds:
            return
        moved = now.work is None or now.work != since.work
        if not moved and now.processor_seconds - since.processor_seconds < STILL * seconds:
            logger.error("worker stands still, it ends at=%s seconds=%.0f", now.work, seconds)
            self._leave(1)
        self._since = now

    def _now(self) -> "_Moment":
        return _Moment(time.monotonic(), _processor_seconds(), self._watched.work())


def _processor_seconds() -> float:
    """What the process has used, but for its Python threads besides the main one, which only look around."""
    besides = (thread for thread in threading.enumerate() if thread is not threading.main_thread())
    return time.process_time() - sum(_processor_seconds_of(thread) for thread in besides)


def _processor_seconds_of(thread: threading.Thread) -> float:
    try:
        line = Path(f"/proc/self/task/{thread.native_id}/stat").read_text()
    except OSError:  # it has just ended
        return 0.0
    user, system = line.rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / _TICKS


class _Moment(NamedTuple):
    seconds: float
    processor_seconds: float
    work: Work | None
