"""Who starts workers, and with which resources: the one seam that a cluster's engine would take the place of.

Today: processes of this machine. A worker is started fresh, never forked from a process that has
TensorFlow loaded, gets the settings by its environment, sends signs of life through its standard input, a
socket, and ends when this process has closed that.
"""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from typing import Protocol

from app.settings import Settings


class WorkerHandle(Protocol):
    """A worker that was started."""

    def has_ended(self) -> bool:
        """Whether it's gone."""

    def seconds_silent(self) -> float:
        """How long ago it gave the last sign of life; at first, how long ago it was started."""

    def exit_code(self) -> int | None:
        """What it ended with; None while it works; below 0 the signal that killed it."""

    def stop(self) -> None:
        """Asks it to put its run aside and end."""

    def kill(self, after_seconds: float) -> None:
        """Waits until it has ended, and ends it by force if that takes longer than `after_seconds`."""


class Engine(Protocol):
    """Starts workers."""

    def start_worker(self, worker_id: str) -> WorkerHandle:
        """Starts one that is known under that id."""


class LocalEngine:
    """Starts workers as processes of this machine.

    Args:
        settings: handed to every worker.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def start_worker(self, worker_id: str) -> "LocalWorker":
        """Starts a worker process; its log goes where this process's goes."""
        # TensorFlow's native code logs on its own, about CPU features and absent GPUs.
        quiet = {"TF_CPP_MIN_LOG_LEVEL": os.environ.get("TF_CPP_MIN_LOG_LEVEL", "3")}
        ours, theirs = socket.socketpair()
        with theirs:
            process = subprocess.Popen(
                [sys.executable, "-m", "app.worker", worker_id],
                stdin=theirs.fileno(),
                stdout=sys.stderr,
                env={**os.environ, **quiet, **self._settings.environment()},
                # A terminal's Ctrl-C is for the service, which then stops its workers in order.
                start_new_session=True,
            )
        return LocalWorker(process, ours)


class LocalWorker:
    """A worker process of this machine.

    Args:
        process: the process.
        pulse: where its signs of life come from.
    """

    def __init__(self, process: subprocess.Popen[bytes], pulse: socket.socket) -> None:
        self._process = process
        self._pulse = pulse
        self._heard = time.monotonic()

    def has_ended(self) -> bool:
        """Whether the process is gone."""
        return self._process.poll() is not None

    def seconds_silent(self) -> float:
        """How long nothing has come through the socket."""
        with contextlib.suppress(BlockingIOError):
            if self._pulse.recv(4096, socket.MSG_DONTWAIT):
                self._heard = time.monotonic()
        return time.monotonic() - self._heard

    def exit_code(self) -> int | None:
        """The process's exit code."""
        return self._process.poll()

    def stop(self) -> None:
        """Sends SIGTERM."""
        if not self.has_ended():
            self._process.send_signal(signal.SIGTERM)

    def kill(self, after_seconds: float) -> None:
        """Waits, then sends SIGKILL."""
        try:
            self._process.wait(after_seconds)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._pulse.close()
