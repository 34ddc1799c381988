"""Reads server-sent events as the HTML standard says, as far as the service uses them."""

import json
import threading
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import httpx


class Event(NamedTuple):
    """An event: its kind, its `id`, and its JSON."""

    kind: str
    id: str
    data: dict[str, Any]


def read_events(lines: Iterable[str]) -> Iterator[Event]:
    """The whole events among the lines; what broke off in the middle of one isn't an event."""
    fields: dict[str, str] = {}
    for line in lines:
        if line:
            name, _, value = line.partition(": ")
            fields[name] = value
        else:
            if "data" in fields:
                yield Event(fields["event"], fields["id"], json.loads(fields["data"]))
            fields = {}


def told_epochs(events: Iterable[Event]) -> list[int]:
    """The numbers of all epochs that the events tell."""
    return [epoch for event in events if event.kind == "epochs" for epoch in event.data["epochs"]]


def told_series(events: Iterable[Event], name: str) -> list[float]:
    """The values of a figure that the events tell."""
    return [value for event in events if event.kind == "epochs" for value in event.data["series"][name]]


def told_statuses(events: Iterable[Event]) -> list[str]:
    """The statuses that the events tell."""
    return [event.data["status"] for event in events if event.kind == "status"]


class Follower(threading.Thread):
    """Follows a run's events to the end, and comes back with the last `id` whenever the stream breaks off.

    Args:
        url: of the service.
        run_id: the run.

    Attributes:
        events: all that were read, of all connections.
        connections: how often it connected.
    """

    def __init__(self, url: str, run_id: str) -> None:
        super().__init__(daemon=True)
        self._address = f"{url}/runs/{run_id}/events"
        self.events: list[Event] = []
        self.connections = 0
        self.start()

    def run(self) -> None:
        """Reads until the service says that there is no more."""
        while True:
            headers = {"Last-Event-ID": self.events[-1].id} if self.events else {}
            try:
                with httpx.stream("GET", self._address, headers=headers, timeout=60.0) as answer:
                    if answer.status_code == 204:
                        return
                    if answer.is_success:
                        self.connections += 1
                        for event in read_events(answer.iter_lines()):
                            self.events.append(event)
            except httpx.TransportError:
                pass
            threading.Event().wait(0.05)

    def finish(self, timeout: float = 120.0) -> list[Event]:
        """All events, once the last has come."""
        self.join(timeout)
        assert not self.is_alive(), f"the events don't end; the last is {self.events[-1:]}"
        return self.events
