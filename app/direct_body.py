"""Large bodies, from a connection's socket to those who take them in, past the event loop and HTTP's parser.

Both hand a body on in small parts, each copied several times on the way. Once a head has told how long its
body is, there is nothing to parse in that: a thread can receive what is still to come, and do with each part
what is to be done while that is in the processor's cache.
"""

import asyncio
import os
import select
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from enum import Enum, auto
from typing import TypeVar

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

EXTENSION = "kerb.direct_body"
"""Among the extensions of a scope: `{"begin"}`, a function that answers the `DirectBody`, or None."""

LEAST_BYTES = 1024 * 1024
"""It isn't worth it for less."""

_PART_BYTES = 512 * 1024
"""Whole ones lie at multiples of it in a file, where the system's cache writes in larger pieces. For still
larger ones, memory may have to be found first.
"""

_TURN_SECONDS = 0.25
"""After which a thread begins no other part of a body, as others may wait for it."""

_PART_SECONDS = 0.02
"""Longest that it's at one part: a client that sends more slowly is left to the event loop in between."""

_PATIENCE_MILLISECONDS = 2
"""Longest that it waits when nothing comes."""

_LINGER_SECONDS = 30.0
"""Longest that a refused body is received, as many clients don't listen before they've sent all of it."""

_lingering: set[asyncio.Task[None]] = set()
_threads = threading.local()

T = TypeVar("T")

Part = bytes | memoryview

Take = Callable[[Part], None]
"""Takes in a part of a body, which is valid until it returns."""


class End(Enum):
    """How it ends that a body is received."""

    WHOLE = auto()
    REFUSED = auto()
    """Some is still to come, which nobody wants."""
    GONE = auto()
    """The client has gone."""


class DirectBody:
    """The rest of a body, and the connection that it comes on, from which nobody else reads meanwhile.

    Args:
        http: the connection's protocol.
        left: bytes that are still to come.
        give_back: gives the connection back to the protocol.
    """

    def __init__(self, http: HttpToolsProtocol, left: int, give_back: Callable[[End], None]) -> None:
        http.flow.pause_reading()
        self._socket = socket.socket(fileno=os.dup(http.transport.get_extra_info("socket").fileno()))
        self._left = left
        self._give_back = give_back
        self._first = b""  # goes into the first part

    async def receive(self, first: bytes, take: Take) -> None:
        """Hands all of it to `take`, in threads; then the protocol has the connection again.

        Args:
            first: of the body, what has come before.
            take: gets one part after another. If it raises, so does this, and what is left is dropped.

        Raises:
            ConnectionError: the client has gone.
        """
        end = End.GONE  # also where this is cancelled, as the server stops
        try:
            if len(first) < _PART_BYTES:
                self._first = first
            else:
                await _in_thread(take, first)
            await self._hand_on(take)
            end = End.WHOLE
        except ConnectionError:
            raise
        except Exception:
            end = End.REFUSED if self._left else End.WHOLE
            raise
        finally:
            self._give_back(end)
            if end is End.REFUSED:
                task = asyncio.create_task(self._linger())
                _lingering.add(task)
                task.add_done_callback(_lingering.discard)
            else:
                self._socket.close()

    async def _hand_on(self, take: Take) -> None:
        while self._left:
            await _in_thread(self._take_turn, take)
            if self._left:
                await self._wait()

    def _take_turn(self, take: Take) -> None:
        """Receives what is there, and what comes soon, for some time."""
        part, filled = _part_of_thread(), len(self._first)
        part[:filled], self._first = self._first, b""
        coming = select.poll()
        coming.register(self._socket, select.POLLIN)
        now = time.monotonic()
        end, part_end = now + _TURN_SECONDS, now + _PART_SECONDS
        while self._left and now < part_end and (filled or now < end) and coming.poll(_PATIENCE_MILLISECONDS):
            received = self._socket.recv_into(part[filled : filled + self._left])
            if not received:
                raise ConnectionResetError
            filled += received
            self._left -= received
            if filled == _PART_BYTES:
                take(part)
                filled = 0
                part_end = time.monotonic() + _PART_SECONDS
            now = time.monotonic()
        if filled:
            take(part[:filled])

    async def _wait(self) -> None:
        """Returns when more has come."""
        loop, more = asyncio.get_running_loop(), asyncio.Event()
        loop.add_reader(self._socket, more.set)
        try:
            await more.wait()
        finally:
            loop.remove_reader(self._socket)

    async def _linger(self) -> None:
        """Drops what is left. To close the connection before that would tear the answer from the client."""
        try:
            with suppress(OSError):  # the client has gone, or takes too long
                await asyncio.wait_for(self._hand_on(_drop), _LINGER_SECONDS)
        finally:
            self._socket.close()


def _part_of_thread() -> memoryview:
    """Where a thread receives; bodies are many, and threads are few."""
    if not hasattr(_threads, "part"):
        _threads.part = memoryview(bytearray(_PART_BYTES))
    part: memoryview = _threads.part
    return part


async def _in_thread(work: Callable[[T], None], about: T) -> None:
    """Does something in a thread, and isn't cancelled before that is at its end, which is soon."""
    task = asyncio.ensure_future(asyncio.to_thread(work, about))
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task])
        raise


def _drop(_part: Part) -> None:
    pass
