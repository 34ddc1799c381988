"""`POST /predict` against a route that only parses, and against other servers of the same ONNX file.

All servers run at once, each with one process that answers, and are asked in turns, round after round, by the
same client; a ratio is the median of the rounds' ratios, so that what else the machine does meets all alike.
Every answer is checked. MLServer runs without its pool of processes and without metrics, BentoML without
metrics and access log, its function in the event loop: both are faster so.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any
from urllib.error import URLError
from urllib.request import Request, urlopen

import numpy as np
import onnx
import onnxruntime
import orjson
from onnx import helper, numpy_helper

from app.artifacts import Signature, TensorSignature, write_signature
from app.database import Database, utc_now
from app.migrations import migrate
from app.runs.tables import RunRow
from benchmarks.peers import HERE, python_of
from benchmarks.table import Row, show

ROOT = HERE.parent.parent
RUN_ID = "run_" + "0" * 26
WIDTHS = (20, 64, 64, 1)
STARTS = 3
LONGEST_START_SECONDS = 120

Array = np.ndarray[Any, np.dtype[Any]]

Speeds = dict[tuple[str, int], list[float]]
"""Requests/s of each round, by server and batch."""


@dataclass(frozen=True)
class Server:
    """A server under measurement.

    Attributes:
        name: in the table.
        port: where it listens.
        path: of its route for predictions.
        ready_path: of a route that answers 200 once it's ready.
        body: from instances, (batch, 20), to the body of a request.
        headers: from instances to the headers of a request, besides the usual.
    """

    name: str
    port: int
    path: str
    ready_path: str
    body: Callable[[Array], bytes]
    headers: Callable[[Array], dict[str, str]] = lambda _: {"Content-Type": "application/json"}


@dataclass(frozen=True)
class Plan:
    """How requests of one size are sent.

    Attributes:
        batch: instances of a request.
        bodies: different ones.
        connections: requests under way at once.
        rounds: how often each server is asked.
        seconds: for how long each time.
    """

    batch: int
    bodies: int = 8
    connections: int = 8
    rounds: int = 20
    seconds: float = 0.4


PLANS = (Plan(1), Plan(256), Plan(50_000, bodies=2, connections=2, rounds=3, seconds=2.0))

COMPARED = (
    ("Kerb", "parse only", "against only parses", 1, 0.6),
    ("Kerb", "MLServer", "against MLServer", 1, 3.0),
    ("Kerb", "MLServer", "against MLServer", 256, 2.0),
    ("Kerb, binary", "MLServer", "in binary, against MLServer", 1, 3.0),
    ("Kerb, binary", "MLServer", "in binary, against MLServer", 256, 2.0),
    ("Kerb", "MLServer", "a million numbers, against MLServer", 50_000, 5.0),
    ("Kerb, binary", "MLServer", "in binary, against MLServer", 50_000, 5.0),
    ("Kerb", "BentoML", "against BentoML", 1, 8.0),
)
"""Ours, theirs, in words, the batch and the goal."""


def rows() -> list[Row]:
    """Measures everything; takes about two minutes."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        model_path = save_runs(folder, [RUN_ID])
        alive, predicting, resident = start_and_memory(folder)
        speeds = measure_speeds(folder, model_path)
    # /healthz is answered before the application is imported, so it alone wouldn't say when Kerb can serve.
    started = f"median of {STARTS}; to the first prediction {predicting:.2f} s"
    return [
        *(_row(speeds, *comparison) for comparison in COMPARED),
        Row("API process, start to /healthz", alive, 2, at_most=True, unit="s", note=started),
        Row("API process, resident with one model", resident, 200, at_most=True, unit="MB"),
    ]


def _row(speeds: Speeds, ours: str, theirs: str, description: str, batch: int, goal: float) -> Row:
    what = f"predict, batch of {batch:,}, {description}"
    if (theirs, batch) not in speeds:
        return Row(what, None, goal, note="make bench-peers installs it")
    one, other = speeds[ours, batch], speeds[theirs, batch]
    ratio = median(mine / yours for mine, yours in zip(one, other, strict=True))
    note = f"{median(one):,.4g} against {median(other):,.4g} requests/s"
    return Row(what, ratio, goal, note=note)


def save_runs(folder: Path, run_ids: Sequence[str]) -> Path:
    """Runs that have succeeded, each with the same model; the path of the first one's ONNX file."""
    database = Database(f"sqlite:///{folder / 'kerb.db'}")
    migrate(database)
    paths = [save_model(folder / "artifacts" / run_id) for run_id in run_ids]
    with database.writing() as session:
        for run_id in run_ids:
            now = utc_now()
            run = RunRow(id=run_id, tags={}, status="succeeded", created_at=now, finished_at=now, epochs=1)
            run.verdicts, run.document, run.body_hash = [], {}, ""
            session.add(run)
    database.close()
    return paths[0]


def save_model(folder: Path) -> Path:
    """Writes the MLP 20 → 64 → 64 → 1, relu and sigmoid, as an export does, and its signature."""
    random = np.random.default_rng(0)
    nodes, weights, flow = [], [], "input"
    for number, (inputs, units) in enumerate(pairwise(WIDTHS)):
        kernel = random.normal(size=(inputs, units)) / np.sqrt(inputs)
        weights += [
            numpy_helper.from_array(kernel.astype(np.float32), f"kernel_{number}"),
            numpy_helper.from_array(random.normal(size=units).astype(np.float32), f"bias_{number}"),
        ]
        last = number == len(WIDTHS) - 2
        activated = "output" if last else f"activation_{number}"
        nodes += [
            helper.make_node("MatMul", [flow, f"kernel_{number}"], [f"product_{number}"]),
            helper.make_node("Add", [f"product_{number}", f"bias_{number}"], [f"sum_{number}"]),
            helper.make_node("Sigmoid" if last else "Relu", [f"sum_{number}"], [activated]),
        ]
        flow = activated
    ends = [
        helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [None, width])
        for name, width in (("input", WIDTHS[0]), ("output", WIDTHS[-1]))
    ]
    graph = helper.make_graph(nodes, "mlp", ends[:1], ends[1:], weights)
    folder.mkdir(parents=True)
    path = folder / "model.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9), path)
    taken, given = (
        TensorSignature(name=name, shape=(None, width), dtype="float32")
        for name, width in (("input", WIDTHS[0]), ("output", WIDTHS[-1]))
    )
    parameters = sum(numpy_helper.to_array(weight).size for weight in weights)
    write_signature(Signature(inputs=(taken,), outputs=(given,), parameters=parameters), folder)
    return path


def start_and_memory(folder: Path) -> tuple[float, float, float]:
    """Seconds from starting the process to an answer of `/healthz` and of `/predict`; MB after that."""
    to_health, to_prediction, resident = [], [], []
    body = kerb_body(np.zeros((256, WIDTHS[0]), np.float32))
    for _ in range(STARTS):
        server = Server("Kerb", free_port(), "/predict", "/healthz", kerb_body)
        start = time.perf_counter()
        with running(server, kerb_command(server.port, folder), kerb_environment()) as process:
            to_health.append(time.perf_counter() - start)
            urlopen(Request(f"http://127.0.0.1:{server.port}{server.path}", body)).read()
            to_prediction.append(time.perf_counter() - start)
            for _ in range(100):
                urlopen(Request(f"http://127.0.0.1:{server.port}{server.path}", body)).read()
            resident.append(resident_megabytes(process.pid))
    return median(to_health), median(to_prediction), max(resident)


def measure_speeds(folder: Path, model_path: Path) -> Speeds:
    """Asks all servers in turns."""
    wanted = {(name, batch) for ours, theirs, _, batch, _ in COMPARED for name in (ours, theirs)}
    speeds: Speeds = {}
    with ExitStack() as stack:
        servers = [stack.enter_context(server) for server in _servers(folder, model_path)]
        kerb = servers[0]
        path = f"/v2/models/{RUN_ID}/infer"
        binary = replace(kerb, name="Kerb, binary", path=path, body=binary_body, headers=binary_headers)
        send = stack.enter_context(client())
        for plan in PLANS:
            loads = {
                server.name: _prepare_load(server, plan, folder, model_path)
                for server in (*servers, binary)
                if (server.name, plan.batch) in wanted
            }
            for load in loads.values():
                send(load)
            for _ in range(plan.rounds):
                for name, load in loads.items():
                    speeds.setdefault((name, plan.batch), []).append(send(load))
    return speeds


def _servers(folder: Path, model_path: Path) -> Iterator[Any]:
    """Each server that is installed, to be started."""
    kerb = Server("Kerb", free_port(), "/predict", "/healthz", kerb_body)
    yield started(kerb, kerb_command(kerb.port, folder), kerb_environment())
    parse_only = Server("parse only", free_port(), "/predict", "/healthz", kerb_body)
    yield started(parse_only, [sys.executable, "-m", "benchmarks.peers.parse_only", str(parse_only.port)])
    if python := python_of("mlserver"):
        mlserver = Server("MLServer", free_port(), "/v2/models/mlp/infer", "/v2/health/ready", mlserver_body)
        write_mlserver_settings(folder / "mlserver", mlserver.port, model_path)
        command = [str(python.with_name("mlserver")), "start", str(folder / "mlserver")]
        yield started(mlserver, command, {"PYTHONPATH": str(HERE)})
    if python := python_of("bentoml"):
        bentoml = Server("BentoML", free_port(), "/predict", "/readyz", bentoml_body)
        service = "bentoml_service:Mlp"
        command = [str(python.with_name("bentoml")), "serve", service, "--working-dir", str(HERE)]
        command += ["--host", "127.0.0.1", "--port", str(bentoml.port)]
        environment = {
            "BENCH_MODEL": str(model_path),
            "BENTOML_HOME": str(folder / "bentoml"),
            "BENTOML_DO_NOT_TRACK": "True",
        }
        yield started(bentoml, command, environment)


def kerb_command(port: int, folder: Path) -> list[str]:
    """Starts the API."""
    return [sys.executable, "-m", "app.cli", "serve", "--port", str(port), "--data-dir", str(folder)]


def kerb_environment() -> dict[str, str]:
    """Without workers, as this machine's cores are for the servers that are compared."""
    return {"KERB_WORKERS": "0"}


def kerb_body(instances: Array) -> bytes:
    document = {"run_id": RUN_ID, "instances": instances}
    return orjson.dumps(document, option=orjson.OPT_SERIALIZE_NUMPY)


def binary_body(instances: Array) -> bytes:
    """The Open Inference Protocol's binary tensors, in the answer too."""
    return _binary_head(instances) + instances.tobytes()


def binary_headers(instances: Array) -> dict[str, str]:
    return {"Inference-Header-Content-Length": str(len(_binary_head(instances)))}


def _binary_head(instances: Array) -> bytes:
    size = {"binary_data_size": instances.nbytes}
    tensor = {"name": "input", "shape": instances.shape, "datatype": "FP32", "parameters": size}
    return orjson.dumps({"inputs": [tensor], "parameters": {"binary_data_output": True}})


def bentoml_body(instances: Array) -> bytes:
    return orjson.dumps({"instances": instances}, option=orjson.OPT_SERIALIZE_NUMPY)


def mlserver_body(instances: Array) -> bytes:
    tensor = {"name": "input", "shape": instances.shape, "datatype": "FP32", "data": instances.ravel()}
    return orjson.dumps({"inputs": [tensor]}, option=orjson.OPT_SERIALIZE_NUMPY)


def write_mlserver_settings(folder: Path, port: int, model_path: Path) -> None:
    """MLServer's settings: one process, no metrics, no debugging."""
    folder.mkdir()
    server = {
        "host": "127.0.0.1",
        "http_port": port,
        "grpc_port": free_port(),
        "metrics_endpoint": None,
        "parallel_workers": 0,
        "debug": False,
        "gzip_enabled": False,
    }
    model = {
        "name": "mlp",
        "implementation": "mlserver_runtime.OnnxRuntime",
        "parameters": {"uri": str(model_path)},
    }
    (folder / "settings.json").write_text(json.dumps(server))
    (folder / "model-settings.json").write_text(json.dumps(model))


def _prepare_load(server: Server, plan: Plan, folder: Path, model_path: Path) -> dict[str, Any]:
    """Writes the bodies and what they must be answered; the same instances for every server."""
    random = np.random.default_rng(plan.batch)
    instances = random.normal(size=(plan.bodies, plan.batch, WIDTHS[0])).astype(np.float32)
    session = onnxruntime.InferenceSession(model_path.read_bytes())
    expected = [session.run(None, {"input": rows})[0].ravel() for rows in instances]
    place = folder / "load" / server.name / str(plan.batch)
    place.mkdir(parents=True)
    np.save(place / "expected.npy", np.array(expected))
    for number, some in enumerate(instances):
        (place / str(number)).write_bytes(server.body(some))
    return {
        "port": server.port,
        "path": server.path,
        "headers": server.headers(instances[0]),
        "bodies": [str(place / str(number)) for number in range(plan.bodies)],
        "expected": str(place / "expected.npy"),
        "connections": plan.connections,
        "seconds": plan.seconds,
    }


@contextmanager
def client() -> Iterator[Callable[[dict[str, Any]], float]]:
    """A function that sends a load and returns the requests a second, as the client measured them."""
    with subprocess.Popen(
        [sys.executable, "-m", "benchmarks.predict_load"],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        asked, answered = process.stdin, process.stdout
        assert asked is not None
        assert answered is not None

        def send(load: dict[str, Any]) -> float:
            print(json.dumps(load), file=asked, flush=True)
            return float(answered.readline())

        yield send


@contextmanager
def started(
    server: Server, command: list[str], environment: dict[str, str] | None = None
) -> Iterator[Server]:
    """A server while it runs."""
    with running(server, command, environment):
        yield server


@contextmanager
def running(
    server: Server, command: list[str], environment: dict[str, str] | None = None
) -> Iterator["subprocess.Popen[bytes]"]:
    """The process of a server, from when it is ready."""
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            env=os.environ | (environment or {}),
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        try:
            _wait_until_ready(server, process, log)
            yield process
        finally:
            os.killpg(process.pid, signal.SIGTERM)
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


def _wait_until_ready(server: Server, process: "subprocess.Popen[bytes]", log: Any) -> None:
    give_up_at = time.perf_counter() + LONGEST_START_SECONDS
    while process.poll() is None and time.perf_counter() < give_up_at:
        try:
            urlopen(f"http://127.0.0.1:{server.port}{server.ready_path}", timeout=5).read()
        except (URLError, OSError):
            time.sleep(0.01)
        else:
            return
    log.seek(0)
    raise RuntimeError(f"{server.name} did not start:\n{log.read().decode(errors='replace')}")


def free_port() -> int:
    """A TCP port that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def resident_megabytes(pid: int) -> float:
    """Resident memory of one process."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0]) / 1024


if __name__ == "__main__":
    show("Predicting", rows())
