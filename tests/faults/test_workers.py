"""Workers that hang, stop, or eat memory; checkpoints that are damaged."""

import os
import signal
import sqlite3
from collections.abc import Callable
from typing import Any

import pytest

from tests.support.documents import tiny_document
from tests.support.service import Service

pytestmark = pytest.mark.usefixtures("_long_form")

EPOCHS = 200_000
"""Some seconds of training."""


@pytest.fixture(scope="module")
def watched(start_service: Callable[..., Service]) -> Service:
    """A service whose workers may stand still for 20 seconds and hold 1.3 GB."""
    return start_service(
        hang_seconds="20", lease_seconds="3", checkpoint_seconds="0.2", worker_memory_bytes="1300000000"
    )


def document(epochs: int) -> dict[str, Any]:
    return tiny_document(fit={"epochs": epochs, "record_every": 100})


def training(service: Service, epochs: int = EPOCHS) -> str:
    """A run that is being trained, and has a checkpoint; its id."""
    run_id: str = service.submit(document(epochs))["id"]
    folder = service.data_dir / "checkpoints" / run_id
    service.wait_until(
        run_id, lambda run: run["progress"]["epoch"] > 100 and len(list(folder.glob("*.c*"))) == 2
    )
    return run_id


def attempts(service: Service, run_id: str) -> int:
    """How often a worker has claimed the run."""
    with sqlite3.connect(service.data_dir / "kerb.db") as database:
        (count,) = database.execute("SELECT attempts FROM runs WHERE id = ?", [run_id]).fetchone()
    database.close()
    return int(count)


def log_of(service: Service) -> str:
    return service.log_path.read_text()


def test_a_worker_that_stops_is_replaced(watched: Service) -> None:
    run_id = training(watched)
    (pid,) = watched.worker_pids()

    os.kill(pid, signal.SIGSTOP)

    run = watched.wait(run_id)
    assert run["status"] == "succeeded"
    assert watched.get(f"/runs/{run_id}/metrics")["epochs"] == list(range(100, EPOCHS + 1, 100))
    assert attempts(watched, run_id) == 2
    assert watched.worker_pids() != [pid]
    assert "worker gives no sign of life" in log_of(watched)


def test_a_run_that_needs_too_much_memory_fails_alone(watched: Service) -> None:
    document = tiny_document(5)
    document["model"]["layers"] = [{"type": "Dense", "units": units} for units in (4000, 14_000, 1)]
    waiting = watched.submit(document)["id"]
    next_one = watched.submit(tiny_document())["id"]

    run = watched.wait(waiting)

    assert run["status"] == "failed"
    assert run["error"]["code"] == "memory_exceeded"
    assert "KERB_WORKER_MEMORY_BYTES" in run["error"]["message"]
    assert watched.wait(next_one)["status"] == "succeeded"
    assert not list((watched.data_dir / "checkpoints").glob("*"))
    assert attempts(watched, waiting) == 1


@pytest.mark.parametrize("damaged", ["newest", "all"])
def test_damaged_checkpoints_cost_epochs_and_nothing_else(watched: Service, damaged: str) -> None:
    undisturbed = watched.run(document(EPOCHS))
    run_id = training(watched)
    (pid,) = watched.worker_pids()
    os.kill(pid, signal.SIGKILL)
    paths = sorted((watched.data_dir / "checkpoints" / run_id).glob("*.checkpoint"))
    for path in paths if damaged == "all" else paths[-1:]:
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= 1
        path.write_bytes(content)

    assert watched.wait(run_id)["status"] == "succeeded"
    for part in ("metrics", "statistics"):
        one, other = (watched.get(f"/runs/{each}/{part}") for each in (run_id, undisturbed["id"]))
        assert one | {"run_id": None} == other | {"run_id": None}
    assert "checkpoint is damaged" in log_of(watched)
