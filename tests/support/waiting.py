"""Waits for what another process does."""

import time
from collections.abc import Callable


def wait_until(condition: Callable[[], object]) -> None:
    """Returns once the condition is true; fails when it takes half a minute."""
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)
