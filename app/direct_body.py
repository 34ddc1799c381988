"""Large bodies, from a connection's socket to those who take them in, past the event loop and HTTP's parser.

Both hand a body on in small parts, each copied several times on the way. Once a head has told how long its
body is, there is nothing to parse in that: a thread can receive what is still to come, and do with each part
what is to be done while that is in the processor's cache.
"""

import asyncio
import os
import select
import socket
import time
from collections.abc import Callable

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

EXTENSION = "kerb.direct_body"
"""Among the extensions of a scope: `{"take"}`, a function that answers the `DirectBody`, or None."""

LEAST_BYTES = 1024 * 1024
"""It isn't worth it for less."""

_PART_BYTES = 256 * 1024

_TURN_SECONDS = 0.25
"""As long a thread is at one body, if others wait for it or not."""

_PATIENCE_MILLISECONDS = 2
"""As long it waits for more of that."""

Take = Callable[[bytes | memoryview], None]
"""Takes in a part of a body, which is valid until it returns."""


class DirectBody:
    """The rest of a body, and the connection that it comes on, from which nobody else reads meanwhile.

    Args:
        http: the connection's protocol.
        left: bytes that are still to come.
        give_back: makes the protocol read what follows, if nothing is left of the body.
    """

    def __init__(self, http: HttpToolsProtocol, left: int, give_back: Callable[[int], None]) -> None:
        http.flow.pause_reading()
        self._socket = socket.socket(fileno=os.dup(http.transport.get_extra_info("socket").fileno()))
        self._left = left
        self._give_back = give_back
        self._part = memoryview(bytearray(_PART_BYTES))
        self._filled = 0

    async def receive(self, first: bytes, take: Take) -> None:
        """Hands all of it to `take`, in threads; then the protocol has the connection again.

        Args:
            first: of the body, what has come before.
            take: gets one part after another.

        Raises:
            ConnectionError: the client has gone.
            Exception: what `take` raised, once the client has sent all, since not before does it listen.
        """
        try:
            await asyncio.to_thread(take, first)
            await self._hand_on(take)
        except ConnectionError:
            raise
        except Exception:
            await self._hand_on(_drop)
            raise
        finally:
            self._socket.close()
            self._give_back(self._left)

    async def _hand_on(self, take: Take) -> None:
        while self._left:
            await asyncio.to_thread(self._take_turn, take)
            if self._left:
                await self._wait()

    def _take_turn(self, take: Take) -> None:
        """Receives what is there, and what comes soon, for some time."""
        coming = select.poll()
        coming.register(self._socket, select.POLLIN)
        end = time.monotonic() + _TURN_SECONDS
        while self._left and time.monotonic() < end and coming.poll(_PATIENCE_MILLISECONDS):
            received = self._socket.recv_into(self._part[self._filled : self._filled + self._left])
            if not received:
                raise ConnectionResetError
            self._filled += received
            self._left -= received
            if self._filled == _PART_BYTES or not self._left:
                part, self._filled = self._part[: self._filled], 0
                take(part)

    async def _wait(self) -> None:
        """Returns when more has come."""
        loop, more = asyncio.get_running_loop(), asyncio.Event()
        loop.add_reader(self._socket, more.set)
        try:
            await more.wait()
        finally:
            loop.remove_reader(self._socket)


def _drop(_part: bytes | memoryview) -> None:
    pass
