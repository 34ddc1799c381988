"""What answers while the application is still being imported."""

import asyncio

from starlette.types import ASGIApp, Receive, Scope, Send

ALIVE = b'{"status":"alive"}'
"""The answer to `GET /healthz`."""


class StartingApp:
    """Stands for the application until that is there: the process is alive, and all else waits."""

    def __init__(self) -> None:
        self._app: ASGIApp | None = None
        self._there = asyncio.Event()

    def become(self, app: ASGIApp) -> None:
        """Hands every request to `app`, those that waited as well."""
        self._app = app
        self._there.set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers whether the process is alive; any other request waits for the application."""
        if self._app is None and scope["method"] == "GET" and scope["path"] == "/healthz":
            headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(ALIVE))]
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            await send({"type": "http.response.body", "body": ALIVE})
            return
        await self._there.wait()
        assert self._app is not None
        await self._app(scope, receive, send)
