"""What becomes of runs when processes die: by SIGKILL, as in a crash, or in order."""

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.documents import tiny_document
from tests.support.events import Follower, told_epochs, told_series, told_statuses
from tests.support.service import Service

SEEDED = {"seed": 5, "optimizer": {"type": "Adam", "learning_rate": 1e-5}}


def document(epochs: int) -> dict[str, Any]:
    return tiny_document(epochs, **SEEDED)


@pytest.fixture(scope="module")
def own(start_service: Callable[..., Service]) -> Service:
    """A service that may be killed: it's started again, on the same data."""
    return start_service(checkpoint_seconds="0.2", lease_seconds="3")


@pytest.fixture(scope="module")
def undisturbed(own: Service) -> dict[str, Any]:
    """What comes of a run that nothing disturbs."""
    run = own.run(document(EPOCHS))
    assert run["status"] == "succeeded", run["error"]
    return results(own, run)


EPOCHS = 60_000
"""Some seconds of training."""


def results(service: Service, run: dict[str, Any]) -> dict[str, Any]:
    """Everything of a run that must not depend on what happened on the way."""
    statistics = service.get(f"/runs/{run['id']}/statistics")
    predicted = service.client.post(
        "/predict", json={"run_id": run["id"], "instances": [[0.1, 0.2], [0.7, 0.4]]}
    )
    return {
        "metrics": service.get(f"/runs/{run['id']}/metrics") | {"run_id": None},
        "statistics": statistics | {"run_id": None},
        "predictions": predicted.json()["predictions"],
    }


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


def wait_until_gone(pids: list[int]) -> None:
    deadline = time.monotonic() + 30
    while any(alive(pid) for pid in pids):
        assert time.monotonic() < deadline, "a worker outlived its service"
        time.sleep(0.05)


@pytest.mark.parametrize("disturbance", ["worker killed", "service killed", "both killed", "stopped"])
def test_a_disturbed_run_ends_as_an_undisturbed_one(
    own: Service, undisturbed: dict[str, Any], disturbance: str
) -> None:
    finished = own.run(tiny_document())
    run_id = own.submit(document(EPOCHS))["id"]
    follower = Follower(own.url, run_id)
    own.wait_until(run_id, lambda run: run["progress"]["epoch"] > EPOCHS // 4)
    pids = own.worker_pids()

    if disturbance == "worker killed":
        own.kill_workers()
    elif disturbance == "service killed":
        own.kill()
        wait_until_gone(pids)
        own.start(ready=False)
    elif disturbance == "both killed":
        own.kill_workers()
        own.kill()
        own.start(ready=False)
    else:
        assert own.stop() == 0
        wait_until_gone(pids)
        own.start(ready=False)

    run = own.wait(run_id)
    assert run["status"] == "succeeded", run["error"]
    assert run["progress"]["epoch"] == EPOCHS
    assert results(own, run) == undisturbed
    events = follower.finish()
    assert told_epochs(events) == undisturbed["metrics"]["epochs"]
    assert told_series(events, "loss") == undisturbed["metrics"]["series"]["loss"]
    assert told_statuses(events)[-1] == "succeeded"
    assert follower.connections == (1 if disturbance == "worker killed" else 2)
    assert own.get(f"/runs/{finished['id']}") == finished
    assert not list((own.data_dir / "checkpoints").glob("*"))


def test_a_worker_that_ends_or_dies_is_replaced(start_service: Callable[..., Service]) -> None:
    service = start_service(runs_per_worker="1", max_attempts="1", checkpoint_seconds="0.2")
    pids = service.worker_pids()
    assert service.run(tiny_document())["status"] == "succeeded"

    # The next worker is killed, by this run for all that the service knows.
    run_id = service.submit(document(10**8))["id"]
    service.wait_until(run_id, lambda run: run["status"] == "running")
    pids += service.worker_pids()
    service.kill_workers()

    run = service.wait(run_id)
    assert run["status"] == "failed"
    assert run["error"]["code"] == "worker_lost"
    assert service.run(tiny_document())["status"] == "succeeded"
    assert len(set(pids)) == 2


def sweep_document() -> dict[str, Any]:
    return {
        "base": tiny_document(6000, export=False, optimizer={"type": "SGD", "learning_rate": 0.1}),
        "axes": [{"pointer": "/optimizer/learning_rate", "values": [1e-5, 1e-4, 1e-3]}],
        "repeats": 2,
        "objectives": [{"metric": "loss", "goal": "minimize"}],
        "halving": {"epochs": 1500, "factor": 2},
    }


def sweep_ended(service: Service, sweep_id: str) -> dict[str, Any]:
    deadline = time.monotonic() + 120
    while (sweep := service.get(f"/sweeps/{sweep_id}"))["status"] == "running":
        assert time.monotonic() < deadline, sweep["progress"]
        time.sleep(0.05)
    return sweep


def test_a_sweep_ends_with_the_same_table_whatever_was_killed(own: Service) -> None:
    posted = own.client.post("/sweeps", json=sweep_document()).json()
    undisturbed = sweep_ended(own, posted["id"])

    posted = own.client.post("/sweeps", json=sweep_document()).json()
    while own.get(f"/sweeps/{posted['id']}")["progress"]["finished"] < 5:
        time.sleep(0.02)
    own.kill_workers()
    own.kill()
    own.start()
    disturbed = sweep_ended(own, posted["id"])

    assert disturbed["status"] == undisturbed["status"] == "succeeded"
    assert disturbed["progress"] == undisturbed["progress"] == {"finished": 12, "total": 12, "failed": 0}
    for before, after in zip(undisturbed["table"], disturbed["table"], strict=True):
        assert before | {"run_ids": None} == after | {"run_ids": None}
