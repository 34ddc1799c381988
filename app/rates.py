"""How many requests a second somebody may send: a bucket of tokens for each, in this process's memory."""

import time
from collections import OrderedDict

MOST_BUCKETS = 10_000


class Rates:
    """Buckets that fill at a steady rate, up to what flows in within a second; a request takes a token.

    Args:
        per_second: tokens a second.
    """

    def __init__(self, per_second: float) -> None:
        self._per_second = per_second
        self._most = max(1.0, per_second)
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()  # tokens, and when that was so

    def wait_seconds(self, name: str) -> float:
        """Takes a token of somebody's bucket; 0, or how long to wait for one, as there is none."""
        now = time.monotonic()
        tokens, then = self._buckets.get(name, (self._most, now))
        tokens = min(self._most, tokens + (now - then) * self._per_second)
        wait = 0.0 if tokens >= 1 else (1 - tokens) / self._per_second
        self._buckets[name] = (tokens if wait else tokens - 1, now)
        self._buckets.move_to_end(name)
        if len(self._buckets) > MOST_BUCKETS:  # the one unused for longest is full again, or nearly
            self._buckets.popitem(last=False)
        return wait
