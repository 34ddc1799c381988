"""Real documents and bodies, changed at random: none brings the service to a mistake of its own or a halt.

`KERB_TEST_FUZZ_CASES` says how many; `make test-schema` takes 20,000.
"""

import gzip
import io
import json
import os
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import numpy as np
import pyarrow
import pytest
from pyarrow import parquet

from app.database import Database
from app.problems import Problem
from tests.support.mutations import damaged, mutated
from tests.support.onnx_models import add_scaling_run
from tests.support.service import Service

CASES = int(os.environ.get("KERB_TEST_FUZZ_CASES", "300"))
UPLOAD_EVERY = 50
"""Each upload of a dataset takes a process of its own, so they are few."""

MOST_GROWTH = 64 * 1024 * 1024
RUN = "run_0000000000000000000000000a"
EXAMPLES = Path(__file__).parents[1] / "examples"
SMALL = [path for path in sorted(EXAMPLES.glob("*.json")) if path.stat().st_size < 20_000]

LOSS = {"loss": "mean_squared_error", "y_true": [[1.0, 0.0]], "y_pred": [[0.5, 0.5]], "penalties": []}
PREDICT = {"run_id": RUN, "instances": [[1, 2], [3, 4]], "threshold": 0.5, "return": "classes"}
COLUMNS = {"model": "spam", "columns": {"x_0": [1, 2], "x_1": [3, 4]}, "statistics": {}}
INFER = {
    "id": "a",
    "inputs": [{"name": "x", "shape": [1, 2], "datatype": "FP32", "data": [1, 2]}],
    "outputs": [{"name": "dense", "parameters": {"binary_data": True}}],
}
BINARY = {
    "inputs": [
        {"name": "x", "shape": [1, 2], "datatype": "FP32", "parameters": {"binary_data_size": 8}},
    ]
}
SWEEP_AXES = [
    {"pointer": "/seed", "values": [1, 2]},
    {"pointer": "/fit/epochs", "range": [1, 9], "points": 3},
]
TABLE = pyarrow.table({"x_0": [1.0, 2.0, 3.0], "x_1": [4.0, 5.0, 6.0], "kind": ["a", "b", None]})
NUMBERS = TABLE.select(["x_0", "x_1"])


class Target(NamedTuple):
    """A route and a good body for it: JSON's value, or the bytes of another form with their headers."""

    method: str
    path: str
    body: Any
    headers: dict[str, str]


def written(write: Callable[[io.BytesIO], Any]) -> bytes:
    sink = io.BytesIO()
    write(sink)
    return sink.getvalue()


def arrow(table: pyarrow.Table) -> bytes:
    sink = io.BytesIO()
    with pyarrow.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue()


def document_targets() -> list[Target]:
    documents = [json.loads(path.read_bytes()) for path in SMALL]
    assert len(documents) >= 3
    dataset = {"inline": {"x": [[1, 2]], "y": [[1, 2]]}}
    bodies: list[tuple[str, str, Any]] = [
        *(("POST", "/runs", document) for document in documents),
        *(("POST", "/runs/validate", document) for document in documents),
        ("POST", "/sweeps", {"base": documents[0], "axes": SWEEP_AXES, "repeats": 2}),
        ("POST", "/losses/evaluate", LOSS),
        ("PUT", "/models/ham", {"run_ids": [RUN, RUN], "combine": "vote"}),
        ("POST", "/models/spam/rollback", {"version": 1}),
        ("POST", f"/runs/{RUN}/evaluate", {"dataset": dataset}),
        ("POST", "/predict", PREDICT),
        ("POST", "/predict", COLUMNS),
        ("POST", "/v2/models/spam/infer", INFER),
        ("POST", "/v1/models/spam:predict", {"instances": [[1, 2]], "signature_name": "serving_default"}),
    ]
    return [Target(*body, {"Content-Type": "application/json"}) for body in bodies]


def binary_targets() -> list[Target]:
    head = json.dumps(BINARY).encode()
    inferred = head + np.float32([1, 2]).tobytes()
    length = {"Inference-Header-Content-Length": str(len(head))}
    tables = {
        "text/csv": b"x_0,x_1\n1,2\n3,4\n",
        "application/x-ndjson": b'{"x_0": 1, "x_1": 2}\n[3, 4]\n',
        "application/x-npy": written(lambda sink: np.save(sink, np.ones((3, 2)))),
        "application/vnd.apache.arrow.stream": arrow(NUMBERS),
        "application/vnd.apache.parquet": written(lambda sink: parquet.write_table(NUMBERS, sink)),
    }
    return [
        Target("POST", "/v2/models/spam/infer", inferred, length),
        Target(
            "POST", "/v2/models/spam/infer", gzip.compress(inferred), length | {"Content-Encoding": "gzip"}
        ),
        *(
            Target("POST", f"/predict?run_id={RUN}", body, {"Content-Type": name})
            for name, body in tables.items()
        ),
    ]


def upload_targets() -> list[Target]:
    files = {
        "text/csv": b"x,y\n1,2\n3,a\n",
        "application/json": b'[{"x": 1, "y": "a"}, {"x": 2.5}]',
        "application/x-npz": written(lambda sink: np.savez_compressed(sink, x=np.eye(3), y=np.arange(3))),
        "application/vnd.apache.arrow.stream": arrow(TABLE),
        "application/vnd.apache.parquet": written(lambda sink: parquet.write_table(TABLE, sink)),
    }
    return [Target("POST", "/datasets", body, {"Content-Type": name}) for name, body in files.items()]


class Process:
    """What a process holds."""

    def __init__(self, pid: int) -> None:
        self._folder = Path(f"/proc/{pid}")

    def resident_bytes(self) -> int:
        return int((self._folder / "statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    def files(self) -> int:
        return len(list((self._folder / "fd").iterdir()))

    def threads(self) -> int:
        return len(list((self._folder / "task").iterdir()))


@pytest.fixture(scope="module")
def service(start_service: Callable[..., Service]) -> Service:
    service = start_service(
        ready=False,
        workers="0",
        call_seconds="0.01",
        max_wait_seconds="0.01",
        max_queued_runs="50",
        log_level="ERROR",
    )
    service.wait_for("/models")
    database = Database(f"sqlite:///{service.data_dir / 'kerb.db'}")
    add_scaling_run(database, service.data_dir, RUN, 2.0)
    database.close()
    assert service.client.put("/models/spam", json={"run_id": RUN}).status_code == 201
    return service


def request_of(client: httpx.Client, target: Target, chance: random.Random) -> httpx.Request:
    """A request of the target, changed at random."""
    headers = dict(target.headers)
    if not isinstance(target.body, bytes):
        body = mutated(target.body, chance)
    else:
        body = damaged(target.body, chance)
        for name in ("Inference-Header-Content-Length", "Content-Encoding"):
            if name in headers and chance.random() < 0.2:
                headers[name] = chance.choice(
                    ("0", "1", "-1", "9" * 14, "9" * 30, "x", "gzip", "deflate", "br")
                )
    return client.build_request(target.method, target.path, headers=headers, content=body)


def check(request: httpx.Request, answer: httpx.Response) -> None:
    told = f"{request.method} {request.url} {request.headers} {request.content[:3000]!r}: {answer.text[:500]}"
    no_worker = answer.status_code == 503 and request.url.path == "/losses/evaluate"
    assert answer.status_code < 500 or no_worker, told
    if answer.status_code >= 400:
        problem = Problem.model_validate_json(answer.content)
        assert answer.headers["content-type"] == "application/problem+json", told
        assert problem.detail, told
    elif answer.headers["content-type"] == "application/json":
        constants: list[str] = []
        json.loads(answer.content, parse_constant=constants.append)
        assert not constants, told


def test_changed_documents_and_bodies(service: Service) -> None:
    chance = random.Random(CASES)
    known, uploads = document_targets() + binary_targets(), upload_targets()
    process = Process(service.process.pid)
    statuses: dict[int, int] = {}
    before = (0, 0, 0)
    for number in range(CASES):
        if number == CASES // 4:  # everything has been in use by then
            before = (process.resident_bytes(), process.files(), process.threads())
        if number % UPLOAD_EVERY == 0:
            target = uploads[number // UPLOAD_EVERY % len(uploads)]
        else:
            target = known[number % len(known)]
        request = request_of(service.client, target, chance)
        answer = service.client.send(request)
        check(request, answer)
        statuses[answer.status_code] = statuses.get(answer.status_code, 0) + 1
    good = service.client.post("/predict", json={"run_id": RUN, "instances": [[1, 2]]})
    assert good.json()["predictions"] == [[2, 4]]
    assert service.get("/healthz")
    growth = process.resident_bytes() - before[0]
    print(f"\n{CASES} cases: {dict(sorted(statuses.items()))}; grew by {growth / 1e6:.1f} MB")
    assert statuses[422] > CASES / 3  # otherwise the changes are too mild to say anything
    assert growth < MOST_GROWTH
    assert process.files() <= before[1] + 20
    assert process.threads() <= before[2] + 50  # the pool of threads grows to its size
