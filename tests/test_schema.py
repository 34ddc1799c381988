"""Schemathesis against a real service: every operation of the OpenAPI document, with all of its checks.

`KERB_TEST_SCHEMA_CASES` says how many random cases an operation has; `make test-schema` takes 2,000, and adds
cases at the bounds of each schema, and sequences of requests.
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from app.database import Database
from app.keys.service import SCOPES, create_key
from tests.support.documents import tiny_document
from tests.support.service import Service

SHORT = 5
CASES = int(os.environ.get("KERB_TEST_SCHEMA_CASES", SHORT))
PHASES = "fuzzing" if CASES == SHORT else "examples,coverage,fuzzing,stateful"
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


def test_every_operation_keeps_what_the_openapi_document_says(
    start_service: Callable[..., Service], tmp_path: Path
) -> None:
    service = start_service(
        max_epochs="50",
        max_run_seconds="2",
        max_queued_runs="20",
        max_wait_seconds="0.1",
        log_level="WARNING",
    )
    database = Database(f"sqlite:///{service.data_dir / 'kerb.db'}")
    with database.writing() as session:
        _, key = create_key(session, "schema", "default", list(SCOPES))
    service.client.headers["Authorization"] = f"Bearer {key}"
    things = add_things(service)
    dictionaries = "".join(
        f"[dictionaries.{name}]\nvalues = {json.dumps(values)}\n" for name, values in things.items()
    )
    config = tmp_path / "schemathesis.toml"
    config.write_text(CONFIG.read_text() + dictionaries)
    command = [
        *(sys.executable, "-m", "schemathesis.cli", "--config-file", str(config)),
        *("run", f"{service.url}/openapi.json", "--phases", PHASES),
        *("--max-examples", str(CASES), "--seed", str(CASES)),
    ]
    done = subprocess.run(
        command, cwd=tmp_path, env=os.environ | {"KERB_KEY": key}, capture_output=True, text=True
    )
    print(done.stdout[-20_000:])
    assert done.returncode == 0, done.stderr
    assert service.process.poll() is None
    assert service.get("/healthz")
