"""What `GET /metrics` tells, in Prometheus's text form.

Requests are counted in this process. All else is looked up when it's asked for: runs, workers and counts are
in the database, so they are those of all processes.
"""

import os
import socket
import time
from bisect import bisect_left
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import accumulate
from pathlib import Path

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector
from sqlalchemy import func, select
from starlette.types import Scope

from app.counters import read_counters
from app.database import Database, utc_now
from app.runs.tables import RunRow, WorkerRow

MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8"

ROUTE = "kerb.route"
"""Where who answers before the router leaves the template of the path."""

_SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 60.0)
_BOUNDS = (*map(str, _SECONDS), "+Inf")
_STATUSES = ("queued", "running", "succeeded", "failed", "cancelled")


class Observation:
    """Counts requests and tells figures.

    Args:
        database: of all projects.
    """

    def __init__(self, database: Database) -> None:
        self._registry = CollectorRegistry()
        self._seconds = _RequestSeconds()
        self._registry.register(self._seconds)
        self._registry.register(_DatabaseFigures(database))
        ProcessCollector(registry=self._registry)

    def count_request(self, scope: Scope, status: int, seconds: float) -> None:
        """Counts a request that was answered, under the template of its path."""
        route = str(scope.get(ROUTE) or getattr(scope.get("route"), "path", "none"))
        self._seconds.add(scope["method"], route, status, seconds)

    def text(self) -> bytes:
        """All figures.

        Raises:
            SQLAlchemyError: the database can't be asked.
        """
        return generate_latest(self._registry)


class _Series:
    """How long the requests of one method, route and status took.

    Attributes:
        counts: of requests, by the place of their time among `_SECONDS`; the last of longer ones.
        total: of their seconds.
        created: when the first one was counted.
    """

    def __init__(self) -> None:
        self.counts = [0] * (len(_SECONDS) + 1)
        self.total = 0.0
        self.created = time.time()


class _RequestSeconds(Collector):
    """A histogram of requests. The event loop's thread alone adds to it, so that it needs no locks."""

    def __init__(self) -> None:
        self._series: dict[tuple[str, str, int], _Series] = {}

    def add(self, method: str, route: str, status: int, seconds: float) -> None:
        """Counts a request."""
        series = self._series.get((method, route, status))
        if series is None:
            series = self._series[method, route, status] = _Series()
        series.counts[bisect_left(_SECONDS, seconds)] += 1
        series.total += seconds

    def describe(self) -> list[Metric]:
        """The histogram, still empty."""
        return [self._empty()]

    def collect(self) -> Iterator[Metric]:
        """The histogram of this moment."""
        family = self._empty()
        for (method, route, status), series in sorted(self._series.items()):
            labels = {"method": method, "route": route, "status": str(status)}
            numbers = map(float, accumulate(series.counts))
            family.add_metric(list(labels.values()), list(zip(_BOUNDS, numbers, strict=True)), series.total)
            family.add_sample(f"{family.name}_created", labels, series.created)
        yield family

    @staticmethod
    def _empty() -> HistogramMetricFamily:
        told = "Time from a request's head to its answer's end; status 0 where the client went away."
        return HistogramMetricFamily("kerb_request_seconds", told, labels=("method", "route", "status"))


class _DatabaseFigures(Collector):
    """The figures that the database has.

    Args:
        database: of all projects.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def describe(self) -> list[Metric]:
        """Nothing: it would be asked of the database before that is needed."""
        return []

    def collect(self) -> Iterator[Metric]:
        """The figures of this moment."""
        with self._database.reading() as session:
            counted = session.execute(
                select(RunRow.status, func.count().label("number")).group_by(RunRow.status)
            )
            runs = {row.status: row.number for row in counted}
            oldest = session.scalar(select(func.min(RunRow.created_at)).where(RunRow.status == "queued"))
            workers = session.scalars(select(WorkerRow)).all()
            counters = read_counters(session)
        yield _gauge(
            "kerb_runs", "Runs by status.", "status", {name: runs.get(name, 0) for name in _STATUSES}
        )
        age = 0.0 if oldest is None else _seconds_since(oldest)
        yield GaugeMetricFamily("kerb_queue_age_seconds", "How long the oldest queued run has waited.", age)
        states = [worker.state for worker in workers]
        numbers = {state: states.count(state) for state in ("starting", "ready", "stopping")}
        yield _gauge("kerb_workers", "Worker processes by state.", "state", numbers)
        memory = {
            worker.id: size
            for worker in workers
            if worker.hostname == socket.gethostname() and (size := _resident_bytes(worker.pid)) is not None
        }
        help_text = "Resident memory of the workers on this machine."
        yield _gauge("kerb_worker_resident_memory_bytes", help_text, "worker", memory)
        yield CounterMetricFamily(
            "kerb_epochs", "Epochs trained; rate() has epochs per second.", counters["epochs"]
        )
        fallbacks = counters["onnx_fallbacks"]
        yield CounterMetricFamily("kerb_onnx_fallbacks", "Runs whose models a worker scores.", fallbacks)
        restarts = counters["worker_restarts"]
        yield CounterMetricFamily("kerb_worker_restarts", "Workers that died and were replaced.", restarts)


def _gauge(name: str, help_text: str, label: str, values: dict[str, int]) -> GaugeMetricFamily:
    family = GaugeMetricFamily(name, help_text, labels=(label,))
    for value, number in values.items():
        family.add_metric((value,), number)
    return family


def _seconds_since(moment: datetime) -> float:
    return max(0.0, (utc_now() - moment.astimezone(UTC)).total_seconds())


def _resident_bytes(pid: int) -> int | None:
    """As Linux has it; None elsewhere, and if there is no such process."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except (OSError, ValueError, IndexError):
        return None
    return pages * os.sysconf("SC_PAGE_SIZE")
