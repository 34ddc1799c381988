"""HTTP on a connection, with a limit to what a request may send before its body."""

import asyncio
from functools import partial
from typing import Any

import httptools
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from app.direct_body import EXTENSION, LEAST_BYTES, DirectBody, End

_BODY = (
    b'{"type":"urn:kerb:problem:head_too_large","title":"Too large","status":431,'
    b'"detail":"Expected a request line and headers of at most %d bytes; received more.",'
    b'"code":"head_too_large","errors":[]}'
)

_LENGTH = b"\r\ncontent-length: "
"""In the head of an answer that follows as a whole; one that comes bit by bit may take long to begin."""

_MOST_JOINED_BYTES = 64 * 1024
"""Longest body that is copied behind its head; to hand over both takes more steps, but copies nothing."""


class LimitedProtocol(HttpToolsProtocol):
    """uvicorn's protocol, which would keep headers of any size, and write the heads of answers by themselves.

    Those who read a body may take over the connection for what is still to come of it, as `app.direct_body`
    has it.

    Args:
        most_head_bytes: as much a request line and headers may have together.
        arguments: of uvicorn's protocol.
    """

    def __init__(self, most_head_bytes: int, **arguments: Any) -> None:
        super().__init__(**arguments)
        self._most = most_head_bytes
        self._last = 0  # bytes of what was received last
        self._received = 0  # bytes received while a head is incomplete
        self._before = 0  # bytes received with its beginning, of which some may be of the request before
        self._in_head = True
        self._too_large = False
        self._body_bytes = 0  # received of the body of the last request

    def data_received(self, data: bytes) -> None:
        """Reads on, unless a head has become too large."""
        self._last = len(data)
        if self._in_head:
            self._received += self._last
        super().data_received(data)
        if self._in_head and self._received > self._most and not self.transport.is_closing():
            self._too_large = True
            self.send_400_response("")

    def on_message_begin(self) -> None:
        """A request begins."""
        self._before = 0 if self._in_head else self._last
        self._in_head = True
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """The head is whole; it's looked at closely only if it may be too large."""
        if self._before + self._received > self._most:
            size = len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)
            if size > self._most:
                self._too_large = True
                raise OverflowError  # which makes the parser stop, and uvicorn refuse the request
        self._in_head, self._received, self._body_bytes = False, 0, 0
        super().on_headers_complete()
        if self.cycle is not None and self.cycle.scope is self.scope:
            self.scope["extensions"] = {EXTENSION: {"begin": partial(self._direct_body, self.cycle)}}
            if self.scope["method"] != "HEAD":
                self.cycle.transport = _JoiningTransport(self.transport)

    def on_body(self, body: bytes) -> None:
        """Some more of a body."""
        self._body_bytes += len(body)
        if not self.cycle.body:
            self.cycle.body = b""  # type: ignore[assignment]  # to which bytes are added without a copy
        super().on_body(body)

    def _direct_body(self, cycle: RequestResponseCycle) -> DirectBody | None:
        """Gives the connection away for the rest of a request's body.

        None where that isn't worth it, where nobody knows how much is to come, or where that has come, and
        perhaps a request behind it.
        """
        if cycle is not self.cycle or not cycle.more_body or cycle.body or cycle.disconnected:
            return None
        left = int(dict(self.headers).get(b"content-length", b"0")) - self._body_bytes
        return DirectBody(self, left, partial(self._read_on, cycle)) if left >= LEAST_BYTES else None

    def _read_on(self, cycle: RequestResponseCycle, end: End) -> None:
        """Has the connection again."""
        if end is End.REFUSED:
            cycle.keep_alive = False  # somebody else reads the rest, so no request can come behind it
            return
        cycle.more_body = False
        cycle.disconnected |= end is End.GONE
        if not self.transport.is_closing():
            self.parser = httptools.HttpRequestParser(self)
            self.parser.set_dangerous_leniencies(lenient_data_after_close=True)  # as uvicorn does
            self.flow.resume_reading()

    def send_400_response(self, msg: str) -> None:
        """Refuses a request that can't be read, or whose head is too large, and closes the connection."""
        if not self._too_large:
            super().send_400_response(msg)
            return
        body = _BODY % self._most
        head = b"content-type: application/problem+json\r\ncontent-length: %d\r\nconnection: close\r\n\r\n"
        self.transport.write(STATUS_LINE[431] + head % len(body) + body)
        self.transport.close()


class _JoiningTransport(asyncio.Transport):
    """Where the answer to one request is written: its head goes out with the first part of its body.

    By itself it would be a system call and a packet of its own.

    Args:
        transport: of the connection.
    """

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._head: bytes | None = None

    def write(self, data: bytes) -> None:  # type: ignore[override]
        """Keeps a head until the body follows, unless that may take long to begin."""
        head = self._head
        if head is None and _LENGTH in data:
            self._head = data
            return
        self._head = b""
        if not head:
            self._transport.write(data)
        elif len(data) <= _MOST_JOINED_BYTES:
            self._transport.write(head + data)
        else:
            self._transport.writelines((head, data))

    def close(self) -> None:
        """Closes the connection."""
        if self._head:
            self.write(b"")
        self._transport.close()

    def is_closing(self) -> bool:
        """Whether the connection is closed, or will be."""
        return self._transport.is_closing()
