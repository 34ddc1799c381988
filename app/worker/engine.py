"""Who starts workers, and with which resources: the one seam that a cluster's engine would take the place of.

Today: processes of this machine. A worker is started fresh, never forked from a process that has
TensorFlow loaded, gets the settings by its environment, and ends when the pipe to this process closes.
"""

import os
import signal
import subprocess
import sys
from typing import Protocol

from app.settings import Settings


class WorkerHandle(Protocol):
    """A worker that was started."""

    def has_ended(self) -> bool:
        """Whether it's gone."""

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
        process = subprocess.Popen(
            [sys.executable, "-m", "app.worker", worker_id],
            stdin=subprocess.PIPE,
            stdout=sys.stderr,
            env={**os.environ, **quiet, **self._settings.environment()},
            # A terminal's Ctrl-C is for the service, which then stops its workers in order.
            start_new_session=True,
        )
        return LocalWorker(process)


class LocalWorker:
    """A worker process of this machine.

    Args:
        process: the process.
    """

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process

    def has_ended(self) -> bool:
        """Whether the process is gone."""
        return self._process.poll() is not None

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
        if self._process.stdin is not None:
            self._process.stdin.close()
