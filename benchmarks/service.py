"""How long a run takes in a warm service, over HTTP, from POST to the end."""

import json
import tempfile
import time
from datetime import datetime
from pathlib import Path
from statistics import median
from typing import Any

import httpx

from app.demo import running_service
from benchmarks.table import Row

CIRCLES = Path(__file__).parent.parent / "examples/circles.json"
POLL_SECONDS = 0.002
FURTHER_RUNS = 5


def rows() -> list[Row]:
    """The first run in a warm service, and further ones of the same shape."""
    document: dict[str, Any] = json.loads(CIRCLES.read_text())
    with (
        tempfile.TemporaryDirectory() as folder,
        running_service(Path(folder)) as url,
        httpx.Client(base_url=url, timeout=60) as client,
    ):
        first, first_claimed = timed_run(client, document)
        further = [timed_run(client, {**document, "seed": seed}) for seed in range(1, FURTHER_RUNS + 1)]
    claimed = [1000 * first_claimed, *(1000 * seconds for _, seconds in further)]
    ended = [seconds for seconds, _ in further]
    note = f"median of {FURTHER_RUNS}, largest {max(ended):.2f} s"
    largest = f"median of {len(claimed)}, largest {max(claimed):.0f} ms"
    return [
        Row("first circles run in a warm service, POST to succeeded", first, 6, at_most=True, unit="s"),
        Row("the next of the same shape", median(ended), 2, at_most=True, unit="s", note=note),
        Row("POST to running", median(claimed), 100, at_most=True, unit="ms", note=largest),
    ]


def timed_run(client: httpx.Client, document: dict[str, Any]) -> tuple[float, float]:
    """Seconds from the POST until the run has succeeded, and until a worker had it by the run's times."""
    posted = time.perf_counter()
    run = client.post("/runs", json=document).raise_for_status().json()
    while run["status"] in ("queued", "running"):
        time.sleep(POLL_SECONDS)
        run = client.get(f"/runs/{run['id']}").json()
    if run["status"] != "succeeded":
        raise RuntimeError(f"the run {run['status']}: {run['error']}")
    seconds = time.perf_counter() - posted
    return seconds, seconds_between(run["created_at"], run["started_at"])


def seconds_between(earlier: str, later: str) -> float:
    """The time between two ISO 8601 time stamps."""
    return (datetime.fromisoformat(later) - datetime.fromisoformat(earlier)).total_seconds()
