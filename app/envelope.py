"""What is around each request and answer: an id, security headers, a check of `Host`, a count, a log line."""

import itertools
import logging
import re
import secrets
import time
from collections.abc import Collection, Iterable, Sequence

from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.errors import Misdirected
from app.headers import headers_of
from app.logs import REQUEST_ID
from app.observation import Observation
from app.problems import problem_response, unexpected_response
from app.settings import Settings
from app.state import ACCESS

logger = logging.getLogger(__name__)

_ALWAYS = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
)
_NOT_STORED = (b"cache-control", b"no-store")
_ASKED_AGAIN = (b"cache-control", b"private, no-cache")
"""What has an `ETag` may be kept by the client, which asks each time whether it still counts."""

_PLAIN = frozenset((b"content-length", b"content-type"))
_OF_PLAIN_ANSWERS = (*_ALWAYS, _NOT_STORED)

_CLIENT_GONE = 499
"""What is counted and logged, as nginx does, of a client that has broken off; nobody is answered."""

_REQUEST_ID = re.compile(rb"[\x21-\x7e]{1,128}")

_LOGGED = ("POST", "PUT", "DELETE")
_SCORING = re.compile(r"/predict|/v[12]/|.*/(validate|evaluate)")
"""Paths whose requests change nothing."""


class Envelope:
    """Middleware that nothing comes before.

    Args:
        app: the application.
        settings: of the service.
        observation: counts the requests.
    """

    def __init__(self, app: ASGIApp, settings: Settings, observation: Observation) -> None:
        self._app = app
        self._hosts = settings.host_names()
        self._observation = observation
        self._prefix = secrets.token_hex(5).encode()
        self._numbers = itertools.count(1)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Lets the application answer the request, unless it's meant for another host."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        start = time.perf_counter()
        headers = headers_of(scope)
        request_id = headers.get(b"x-request-id")
        if request_id is None or not _REQUEST_ID.fullmatch(request_id):
            request_id = b"%s%06x" % (self._prefix, next(self._numbers))
        REQUEST_ID.set(request_id)
        status = 0

        async def send_with_headers(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                own = message["headers"]
                message["headers"] = [(b"x-request-id", request_id), *_added(own), *own]
            await send(message)

        try:
            if self._hosts is None or _is_among(headers.get(b"host"), self._hosts):
                await self._app(scope, receive, send_with_headers)
            else:
                expected = "a Host that the service is known by (setting KERB_ALLOWED_HOSTS)"
                error = Misdirected(f"Expected {expected}; received another.")
                await problem_response(error, scope["path"])(scope, receive, send_with_headers)
        except ClientDisconnect:
            status = _CLIENT_GONE
        except Exception as error:
            logger.error("request failed method=%s path=%s error=%r", scope["method"], scope["path"], error)
            if not status:
                await unexpected_response(scope["path"])(scope, receive, send_with_headers)
            raise
        finally:
            seconds = time.perf_counter() - start
            self._observation.count_request(scope, status, seconds)
            if status >= 500 or (scope["method"] in _LOGGED and not _SCORING.match(scope["path"])):
                _log(scope, status, seconds)


def _is_among(host: bytes | None, names: Collection[bytes]) -> bool:
    if host is None:
        return False
    name = host if host.endswith(b"]") else host.rpartition(b":")[0] or host
    return name.lower() in names


def _added(headers: Iterable[tuple[bytes, bytes]]) -> Sequence[tuple[bytes, bytes]]:
    """The headers that an answer has besides its own."""
    names = {name for name, _ in headers}
    if names <= _PLAIN:
        return _OF_PLAIN_ANSWERS
    kept = _ASKED_AGAIN if b"etag" in names else _NOT_STORED
    return [header for header in (*_ALWAYS, kept) if header[0] not in names]


def _log(scope: Scope, status: int, seconds: float) -> None:
    access = scope.get(ACCESS)
    logger.info(
        "answered method=%s path=%s status=%d seconds=%.4f key=%s",
        scope["method"],
        scope["path"],
        status,
        seconds,
        access and access.key_id,
    )
