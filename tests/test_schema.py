"""Schemathesis against a real service: every operation of the OpenAPI document, with all of its checks.

`KERB_TEST_SCHEMA_CASES` says how many random cases an operation has; `make test-schema` takes 2,000, and adds
cases at the bounds of the schemas, and sequences of requests. It asks operation by operation, and prints what
came of each.
"""

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from app.database import Database
from app.keys.service import SCOPES, create_key
from tests.support.documents import tiny_document
from tests.support.service import Service

SHORT = 5
CASES = int(os.environ.get("KERB_TEST_SCHEMA_CASES", SHORT))
LARGE = ("POST /runs", "POST /runs/validate", "POST /sweeps")
"""Operations that take documents of runs; their schema has a hundred thousand bounds, too many to ask all."""

LONG = ("POST /datasets", *LARGE)
"""Operations whose cases take long to make, or of which each starts a process."""

AT_ONCE = 2
"""Operations that are asked at the same time in the long form."""

CONFIG = Path(__file__).with_name("schema.toml")
CSV = {"Content-Type": "text/csv"}


def add_things(service: Service) -> dict[str, list[Any]]:
    """What requests are about, by the names of parameters: of every kind, some to be deleted."""
    client = service.client
    document = tiny_document()
    runs = [service.submit(document | {"seed": seed})["id"] for seed in range(4)]
    for run_id in runs:
        assert service.wait(run_id)["status"] == "succeeded"
    for name, run_id in zip("abc", runs, strict=False):
        client.put(f"/models/{name}", json={"run_id": run_id}).raise_for_status()
        client.put(f"/models/{name}", json={"run_ids": [run_id, runs[-1]]}).raise_for_status()
    sweeps = [client.post("/sweeps", json={"base": document, "axes": AXES}).json()["id"] for _ in range(2)]
    datasets = [
        client.post("/datasets", content=f"x,y\n1,{number}\n", headers=CSV).json()["id"]
        for number in range(3)
    ]
    return {
        "run_id": runs,
        "sweep_id": sweeps,
        "dataset_id": datasets,
        "name": ["a", "b", "c", "model.onnx", *runs],
        "version": [1, 2],
        "ids": [",".join(runs[:2])],
    }


AXES = [{"pointer": "/seed", "values": [1, 2, 3]}]


@pytest.fixture(scope="module")
def service(start_service: Callable[..., Service]) -> Service:
    return start_service(
        max_epochs="50",
        max_run_seconds="2",
        max_queued_runs="20",
        max_wait_seconds="0.1",
        log_level="WARNING",
    )


class Schemathesis:
    """The program, and the service that it asks.

    Args:
        service: which.
        folder: for its files.
    """

    def __init__(self, service: Service, folder: Path) -> None:
        database = Database(f"sqlite:///{service.data_dir / 'kerb.db'}")
        with database.writing() as session:
            _, self._key = create_key(session, "schema", "default", list(SCOPES))
        database.close()
        service.client.headers["Authorization"] = f"Bearer {self._key}"
        self._service = service
        self._folder = folder
        self._config = folder / "schemathesis.toml"
        self.know(add_things(service))
        service.get("/openapi.json")  # the first takes longer than others

    def know(self, things: dict[str, list[Any]]) -> None:
        """Lets requests be about these things."""
        dictionaries = (
            f"[dictionaries.{name}]\nvalues = {json.dumps(values)}\n" for name, values in things.items()
        )
        self._config.write_text(CONFIG.read_text() + "".join(dictionaries))

    def run(self, what: str, phases: str, *selection: str) -> str:
        """Asks; what it found wrong, or nothing.

        Args:
            what: for the line that is printed.
            phases: its phases.
            selection: options that choose operations.
        """
        started = time.monotonic()
        command = [
            *(sys.executable, "-m", "schemathesis.cli", "--config-file", str(self._config)),
            *("run", f"{self._service.url}/openapi.json", "--phases", phases, *selection),
            *("--max-examples", str(CASES), "--seed", str(CASES)),
        ]
        environment = os.environ | {"KERB_KEY": self._key}
        done = subprocess.run(command, cwd=self._folder, env=environment, capture_output=True, text=True)
        found = re.search(r"\d+ generated.*", done.stdout)
        cases = found[0] if found else "no cases"
        print(f"{what}: {cases}, {time.monotonic() - started:.0f} s, exit code {done.returncode}", flush=True)
        wrong = done.stdout[-20_000:] + done.stderr if done.returncode else ""
        print(wrong, end="", flush=True)  # at once, as the others may take long yet
        return wrong


def operations() -> list[str]:
    """All operations as schemathesis names them: at last those that take long, and those that delete."""
    paths = json.loads((Path(__file__).parents[1] / "openapi" / "openapi.json").read_bytes())["paths"]
    names = [f"{method.upper()} {path}" for path, methods in paths.items() for method in methods]
    return sorted(names, key=lambda name: (name.startswith("DELETE"), name in LONG))


def test_every_operation_keeps_what_the_openapi_document_says(service: Service, tmp_path: Path) -> None:
    program = Schemathesis(service, tmp_path)
    if CASES == SHORT:
        wrong = program.run("all operations", "fuzzing")
    else:
        wrong = ask_at_length(program, service)
    assert not wrong, wrong
    assert service.process.poll() is None
    assert service.get("/healthz")


def ask_at_length(program: Schemathesis, service: Service) -> str:
    def ask(name: str) -> str:
        phases = "examples,fuzzing" if name in LARGE else "examples,coverage,fuzzing"
        return program.run(name, phases, "--include-name", name)

    names = operations()
    kept = [name for name in names if not name.startswith("DELETE")]
    with ThreadPoolExecutor(AT_ONCE) as threads:
        wrong = list(threads.map(ask, kept))
    wrong += [ask(name) for name in names if name not in kept]
    program.know(add_things(service))
    wrong.append(program.run("sequences of requests", "stateful"))
    return "\n".join(wrong).strip()
