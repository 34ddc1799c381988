"""A real service for tests: `kerb serve` as a process, with a worker, on a data folder of its own."""

import os
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

START_SECONDS = 600.0
ENDED = ("succeeded", "failed", "cancelled")


class ServiceFailed(Exception):
    """The service didn't do what every test relies on; the message has its log."""


@dataclass
class Service:
    """A running service.

    Attributes:
        data_dir: its data folder.
        settings: further settings by name, without `KERB_`.
        url: `http://127.0.0.1:PORT`.
        client: of that address.
        process: the process of `kerb serve`.
    """

    data_dir: Path
    settings: dict[str, str] = field(default_factory=dict)
    url: str = ""
    client: httpx.Client = field(init=False)
    process: "subprocess.Popen[bytes]" = field(init=False)

    def start(self, ready: bool = True) -> None:
        """Starts it, on the port it had before if it had one; waits until a worker is ready, too."""
        port = httpx.URL(self.url).port if self.url else _free_port()
        self.url = f"http://127.0.0.1:{port}"
        self.client = httpx.Client(base_url=self.url, timeout=START_SECONDS)
        environment = os.environ | {f"KERB_{name.upper()}": value for name, value in self.settings.items()}
        command = [
            sys.executable,
            "-m",
            "app.cli",
            "serve",
            "--port",
            str(port),
            "--data-dir",
            str(self.data_dir),
        ]
        with self.log_path.open("ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log, env=environment)
        self.wait_for("/readyz" if ready else "/healthz")

    @property
    def log_path(self) -> Path:
        """What the service and its workers log."""
        return self.data_dir.parent / f"{self.data_dir.name}.log"

    def wait_for(self, path: str) -> None:
        """Returns once `GET path` succeeds."""
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                break
            try:
                if self.client.get(path).is_success:
                    return
            except httpx.TransportError:
                pass
            time.sleep(0.05)
        raise ServiceFailed(f"{path} isn't answered:\n{self.log_path.read_text()}")

    def stop(self) -> int:
        """Stops it in order; the exit code."""
        self.process.terminate()
        code = self.process.wait(60)
        self.client.close()
        return code

    def kill(self) -> None:
        """Ends the API's process at once, as a crash would."""
        self.process.kill()
        self.process.wait()
        self.client.close()

    def worker_pids(self) -> list[int]:
        """The processes of its workers."""
        return self._children("app.worker")

    def converter_pids(self) -> list[int]:
        """The processes that convert datasets, or wait for one."""
        return self._children("app.datasets.conversion")

    def _children(self, module: str) -> list[int]:
        children = Path(f"/proc/{self.process.pid}/task").glob("*/children")  # of each thread
        pids = [pid for path in children for pid in path.read_text().split()]
        return [int(pid) for pid in pids if module in _command_line(pid)]

    def kill_workers(self) -> None:
        """Ends the workers at once, as a crash would."""
        for pid in self.worker_pids():
            os.kill(pid, signal.SIGKILL)

    def submit(self, document: dict[str, Any], **headers: str) -> dict[str, Any]:
        """Posts a run document; the run."""
        answer = self.client.post("/runs", json=document, headers=headers)
        assert answer.status_code == 201, answer.text
        run: dict[str, Any] = answer.json()
        return run

    def get(self, path: str, **parameters: Any) -> dict[str, Any]:
        """The JSON of a successful answer."""
        answer = self.client.get(path, params=parameters)
        assert answer.status_code == 200, answer.text
        body: dict[str, Any] = answer.json()
        return body

    def wait(self, run_id: str, timeout: float = 120.0) -> dict[str, Any]:
        """The run, once it has ended."""
        return self.wait_until(run_id, lambda run: run["status"] in ENDED, timeout)

    def wait_until(self, run_id: str, condition: Any, timeout: float = 120.0) -> dict[str, Any]:
        """The run, once the condition holds of it."""
        deadline = time.monotonic() + timeout
        pause = 0.02
        while True:
            run = self.get(f"/runs/{run_id}")
            if condition(run):
                return run
            if time.monotonic() > deadline:
                raise ServiceFailed(f"still {run['status']}, {run['progress']}:\n{self.log_path.read_text()}")
            time.sleep(pause)
            pause = min(1.2 * pause, 0.1)  # who waits for long takes little from what it waits for

    def run(self, document: dict[str, Any]) -> dict[str, Any]:
        """Posts a run document and waits until the run has ended; the run."""
        return self.wait(self.submit(document)["id"])


def _command_line(pid: str) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text()
    except (FileNotFoundError, ProcessLookupError):  # it has ended since
        return ""


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
