"""A clock that jumps, as one that is set by hand, or that the network sets after a long time."""

import os
import signal
import time
from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest

from tests.faults.test_workers import attempts, training
from tests.support.documents import tiny_document
from tests.support.service import Service


def moments(run: dict[str, Any]) -> list[datetime]:
    """When it was made, began and ended, as far as it has."""
    told = (run[name] for name in ("created_at", "started_at", "finished_at"))
    return [datetime.fromisoformat(moment) for moment in told if moment is not None]


def test_no_run_ends_before_it_was_made(
    start_service: Callable[..., Service], set_clock: Callable[[int], Any]
) -> None:
    service = start_service(ready=False, workers="0")
    service.wait_for("/runs")
    run_id = service.submit(tiny_document())["id"]
    set_clock(-3 * 3600)
    later = service.submit(tiny_document())
    run = service.client.post(f"/runs/{run_id}/cancel").json()
    made, ended = moments(run)
    assert moments(later)[0] < made <= ended  # the clock was put back indeed


@pytest.mark.usefixtures("_long_form")
def test_a_clock_that_jumps_by_hours_is_harmless(
    start_service: Callable[..., Service], set_clock: Callable[[int], Any]
) -> None:
    service = start_service(lease_seconds="3", checkpoint_seconds="0.2")
    run_id = training(service, 10**7)
    for hours in (10, -10):
        set_clock(hours * 3600)
        time.sleep(5)  # longer than a lease
        before = service.get(f"/runs/{run_id}")["progress"]["epoch"]
        service.wait_until(run_id, lambda run, before=before: run["progress"]["epoch"] > before)
        assert attempts(service, run_id) == 1
        assert service.client.get("/readyz").status_code == 200

    # Whoever died before the clock was put back doesn't hold a run until that time comes again.
    for pid in service.worker_pids():
        os.kill(pid, signal.SIGKILL)
    service.kill()
    set_clock(-20 * 3600)
    service.start(ready=False)
    service.wait_until(run_id, lambda _run: attempts(service, run_id) == 2)

    run = service.client.post(f"/runs/{run_id}/cancel").json()
    assert run["status"] == "cancelled"
    made, began, ended = moments(run)
    assert made <= began <= ended
    (later,) = moments(service.submit(tiny_document()))
    assert abs(time.time() - 20 * 3600 - later.timestamp()) < 600  # the clock was that one indeed
