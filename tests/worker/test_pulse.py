"""The pulse of a worker, in this process; tests/faults has it in real workers."""

import socket
import time

import numpy as np
import pytest

from app.errors import RunError
from app.memory import machine_memory, resident_bytes
from app.worker.pulse import Pulse, Work


class Watched:
    """A worker that is always at the same run, and gets ahead as a test wishes."""

    def __init__(self) -> None:
        self.at: Work | None = Work("run_1", 0)
        self.failed: list[RunError] = []

    def work(self) -> Work | None:
        return self.at

    def give_up(self, error: RunError) -> None:
        self.failed.append(error)


def make(
    watched: Watched, most_bytes: int = 2**62, hang_seconds: float = 3600, parent: socket.socket | None = None
) -> tuple[Pulse, list[int]]:
    """A pulse, and the codes with which it would have ended the process."""
    left: list[int] = []
    return Pulse(watched, parent, most_bytes, hang_seconds, left.append), left


def test_signs_of_life_reach_the_parent() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        pulse, _ = make(Watched(), parent=theirs)
        pulse.beat()
        pulse.beat()
        assert ours.recv(10) == b".."


def test_a_parent_that_does_not_listen_or_is_gone_is_no_obstacle() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        pulse, _ = make(Watched(), parent=theirs)
        for _ in range(2000):
            pulse.beat()
        ours.close()
        pulse.beat()


def test_a_run_that_needs_too_much_memory_fails_with_that_reason() -> None:
    watched = Watched()
    pulse, left = make(watched, most_bytes=resident_bytes() + 200_000_000)
    pulse.beat()
    assert not left

    held = np.ones(50_000_000)
    pulse.beat()
    del held

    assert left == [1]
    (error,) = watched.failed
    assert error.code == "memory_exceeded"
    assert "batch_size" in error.message


def test_who_stands_still_ends() -> None:
    watched = Watched()
    pulse, left = make(watched, hang_seconds=2)
    pulse.beat()
    assert left == []
    time.sleep(2.1)
    pulse.beat()

    assert left == [1]
    assert watched.failed == []  # the run is tried again


@pytest.mark.parametrize("what", ["waits", "gets ahead", "computes"])
def test_who_does_not_stand_still_goes_on(what: str) -> None:
    watched = Watched()
    if what == "waits":
        watched.at = None
    pulse, left = make(watched, hang_seconds=0.5)
    end = time.monotonic() + 1.2
    while time.monotonic() < end:
        if what == "gets ahead":
            watched.at = Work("run_1", int(time.monotonic() * 10))
        if what == "computes":
            sum(range(100_000))
        else:
            time.sleep(0.1)
        pulse.beat()

    assert left == []


def test_the_machine_has_memory() -> None:
    assert 0 < resident_bytes() < machine_memory()
