"""Processes that die, by SIGKILL as in a crash, or in order: every run ends as if nothing had happened."""

import io
import os
import random
import signal
import sqlite3
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.support.documents import tiny_document
from tests.support.events import Follower, told_epochs, told_series, told_statuses
from tests.support.service import ENDED, Service

EPOCHS = 40_000
"""A second or two of training."""

RECORDED = list(range(20, EPOCHS + 1, 20))

PATIENCE = 900.0
"""Seconds that a run may take after a disturbance: what is tested is the result."""


def document() -> dict[str, Any]:
    return tiny_document(
        seed=5,
        optimizer={"type": "Adam", "learning_rate": 1e-5},
        fit={"epochs": EPOCHS, "record_every": 20, "shuffle": True, "batch_size": 2},
    )


@pytest.fixture(scope="module")
def own(start_service: Callable[..., Service]) -> Service:
    """A service that may be killed: it's started again, on the same data."""
    return start_service(checkpoint_seconds="0.2", lease_seconds="3", max_attempts="100")


@pytest.fixture(scope="module")
def undisturbed(own: Service) -> dict[str, Any]:
    """What comes of a run that nothing disturbs, and how many seconds it takes."""
    run = own.run(document())
    assert run["status"] == "succeeded", run["error"]
    return results(own, run["id"]) | {"seconds": seconds_of(run)}


def seconds_of(run: dict[str, Any]) -> float:
    """From the claim to the end."""
    started, finished = (datetime.fromisoformat(run[name]) for name in ("started_at", "finished_at"))
    return (finished - started).total_seconds()


def results(service: Service, run_id: str) -> dict[str, Any]:
    """Everything of a run that must not depend on what happened on the way."""
    predicted = service.client.post(
        "/predict", json={"run_id": run_id, "instances": [[0.1, 0.2], [0.7, 0.4]]}
    )
    weights = service.client.get(f"/runs/{run_id}/artifacts/continuation.npz").content
    with np.load(io.BytesIO(weights)) as archive:
        arrays = {name: archive[name].tobytes() for name in archive.files}
    return {
        "metrics": service.get(f"/runs/{run_id}/metrics") | {"run_id": None},
        "statistics": service.get(f"/runs/{run_id}/statistics") | {"run_id": None},
        "predictions": predicted.json()["predictions"],
        "weights": arrays,
    }


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


def wait_until_gone(pids: list[int]) -> None:
    deadline = time.monotonic() + PATIENCE
    while any(alive(pid) for pid in pids):
        assert time.monotonic() < deadline, "a worker outlived its service"
        time.sleep(0.05)


def disturb(service: Service, how: str) -> None:
    pids = service.worker_pids()
    match how:
        case "worker":
            service.kill_workers()
        case "service":
            service.kill()
            wait_until_gone(pids)
            service.start(ready=False)
        case "both":
            service.kill_workers()
            service.kill()
            service.start(ready=False)
        case "in order":
            assert service.stop() == 0
            wait_until_gone(pids)
            service.start(ready=False)


def check_files(service: Service) -> None:
    """Every run that succeeded has its files, and nothing else has any."""
    with sqlite3.connect(service.data_dir / "kerb.db") as database:
        rows = dict(database.execute("SELECT id, status FROM runs").fetchall())
    database.close()
    succeeded = {run_id for run_id, status in rows.items() if status == "succeeded"}
    assert {path.name for path in (service.data_dir / "artifacts").iterdir()} == succeeded
    going = {run_id for run_id, status in rows.items() if status not in ENDED}
    assert {path.name for path in (service.data_dir / "checkpoints").glob("*")} <= going


@pytest.mark.parametrize("how", ["worker", "service", "both", "in order"])
def test_a_run_that_is_disturbed_at_any_moment_ends_as_an_undisturbed_one(
    own: Service, undisturbed: dict[str, Any], rounds: int, how: str
) -> None:
    if rounds == 1 and how != "both":
        pytest.skip("only in `make test-faults`")
    expected = dict(undisturbed)
    seconds = expected.pop("seconds")
    assert expected["metrics"]["epochs"] == RECORDED
    chance = random.Random()
    disturbed = 0
    while disturbed < rounds:
        run_id = own.submit(document())["id"]
        follower = Follower(own.url, run_id)
        own.wait_until(run_id, lambda run: run["status"] != "queued", PATIENCE)
        moment = chance.uniform(0, seconds)
        time.sleep(moment)
        missed = own.get(f"/runs/{run_id}")["status"] != "running"
        if not missed:
            disturb(own, how)
            disturbed += 1

        run = own.wait(run_id, PATIENCE)
        assert run["status"] == "succeeded", run["error"]
        if missed:  # the machine has less to do than when the undisturbed run was trained
            seconds = seconds_of(run)
        assert run["progress"]["epoch"] == EPOCHS
        assert results(own, run_id) == expected
        events = follower.finish(PATIENCE)
        assert told_epochs(events) == RECORDED
        assert told_series(events, "loss") == expected["metrics"]["series"]["loss"]
        assert told_statuses(events)[-1] == "succeeded"
        print(f"{how}: {disturbed} of {rounds}, after {moment:.2f} s")
    own.wait_for("/readyz")
    check_files(own)


SWEEPS: dict[str, dict[str, Any]] = {
    "halving": {
        "axes": [{"pointer": "/optimizer/learning_rate", "values": [1e-4, 1e-3]}],
        "repeats": 2,
        "halving": {"epochs": 3000, "factor": 2},
    },
    "guided": {
        "axes": [{"pointer": "/optimizer/learning_rate", "range": [1e-6, 1e-2], "scale": "log"}],
        "search": {"type": "guided", "trials": 6, "seed": 3, "batch": 2},
    },
}
"""Sweeps of several rounds, of which each needs the results of the one before."""


def start_sweep(service: Service, kind: str) -> str:
    base = tiny_document(6000, export=False, optimizer={"type": "SGD", "learning_rate": 0.1})
    objectives = [{"metric": "loss", "goal": "minimize"}]
    answer = service.client.post("/sweeps", json=SWEEPS[kind] | {"base": base, "objectives": objectives})
    assert answer.status_code == 201, answer.text
    sweep_id: str = answer.json()["id"]
    return sweep_id


def sweep_ended(service: Service, sweep_id: str) -> dict[str, Any]:
    """What came of a sweep, but for what tells one from another."""
    deadline = time.monotonic() + PATIENCE
    while (sweep := service.get(f"/sweeps/{sweep_id}"))["status"] == "running":
        assert time.monotonic() < deadline, sweep["progress"]
        time.sleep(0.05)
    runs = service.get("/runs", tag=f"sweep:{sweep_id}", limit=500)["items"]
    assert len(runs) == sweep["progress"]["total"]
    assert {run["status"] for run in runs} == {"succeeded"}
    for row in (sweep["best"], *sweep["table"]):
        row["run_ids"] = len(row["run_ids"])
    return {name: sweep[name] for name in ("status", "progress", "best", "front", "table")}


@pytest.mark.parametrize("how", ["worker", "service", "both"])
@pytest.mark.parametrize("kind", SWEEPS)
def test_a_sweep_that_is_disturbed_at_any_moment_ends_with_the_same_table(
    own: Service, rounds: int, kind: str, how: str
) -> None:
    if rounds == 1 and (kind, how) != ("halving", "worker"):
        pytest.skip("only in `make test-faults`")
    started = time.monotonic()
    undisturbed = sweep_ended(own, start_sweep(own, kind))
    seconds = time.monotonic() - started
    assert undisturbed["status"] == "succeeded"
    chance = random.Random()
    disturbed = 0
    while disturbed < (rounds + 4) // 5:
        sweep_id = start_sweep(own, kind)
        moment = chance.uniform(0, seconds)
        time.sleep(moment)
        if own.get(f"/sweeps/{sweep_id}")["status"] == "running":
            disturb(own, how)
            disturbed += 1

        assert sweep_ended(own, sweep_id) == undisturbed
        print(f"sweep, {kind}, {how}: {disturbed}, after {moment:.2f} s")
    own.wait_for("/readyz")
    check_files(own)


@pytest.mark.usefixtures("_long_form")
def test_a_worker_that_ends_or_dies_is_replaced(start_service: Callable[..., Service]) -> None:
    service = start_service(runs_per_worker="1", max_attempts="1", checkpoint_seconds="0.2")
    pids = service.worker_pids()
    assert service.run(tiny_document())["status"] == "succeeded"

    # The next worker is killed, by this run for all that the service knows.
    run_id = service.submit(tiny_document(10**7))["id"]
    service.wait_until(run_id, lambda run: run["status"] == "running")
    (pid,) = service.worker_pids()
    os.kill(pid, signal.SIGKILL)

    run = service.wait(run_id)
    assert run["status"] == "failed"
    assert run["error"]["code"] == "worker_lost"
    assert service.run(tiny_document())["status"] == "succeeded"
    assert pid not in pids
