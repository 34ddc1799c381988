"""The HTTP server of `kerb serve`: it listens first, and imports the application while it listens.

Importing takes a second or two, most of it for the web framework, the database's library and the classes of
the run language. Meanwhile `/healthz` is answered, since the process is alive, and other requests wait.
"""

import asyncio
import gc
import logging
import socket
from contextlib import AsyncExitStack
from functools import partial
from typing import TYPE_CHECKING

import uvicorn

from app.protocol import LimitedProtocol
from app.settings import Settings
from app.starting import StartingApp

if TYPE_CHECKING:
    from fastapi import FastAPI

    from app.worker.supervisor import Supervisor

logger = logging.getLogger(__name__)


class Server(uvicorn.Server):
    """Serves the API on a socket that is bound already, and keeps workers beside it.

    Args:
        settings: of the service.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._starting = StartingApp()
        self._open = AsyncExitStack()
        self._app: FastAPI | None = None
        self._supervisor: Supervisor | None = None
        config = uvicorn.Config(
            self._starting,
            http=partial(LimitedProtocol, settings.max_header_bytes),  # type: ignore[arg-type]
            lifespan="off",  # the application's begins when it's there
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,  # nothing here depends on who the client is
            timeout_graceful_shutdown=int(settings.stop_seconds) + 1,
        )
        super().__init__(config)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listens, brings up the application, then the workers, which take the whole machine at first."""
        await super().startup(sockets)
        for listener in sockets or ():
            logger.info("listening url=%s", _url_of(listener))
        app, supervisor = await asyncio.to_thread(self._build)
        await self._open.enter_async_context(app.router.lifespan_context(app))
        self._starting.become(app)
        self.config.loaded_app = app  # connections made from now on have no stand-in before it
        supervisor.start()
        self._app, self._supervisor = app, supervisor

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Tells the workers to stop, answers the requests under way, and closes the application."""
        if self._supervisor is not None and self._app is not None:
            self._supervisor.begin_stop()
            # Whoever waits for a run is answered now; otherwise the server would wait for them.
            self._app.state.kerb.watcher.close()
        await super().shutdown(sockets)
        await self._open.aclose()

    def stop_workers(self) -> None:
        """Returns when the workers are gone."""
        if self._supervisor is not None:
            self._supervisor.stop()

    def _build(self) -> "tuple[FastAPI, Supervisor]":
        # Nearly all that importing makes stays: to look through it for garbage takes a tenth of the time, and
        # would take time later, whenever all is looked through.
        gc.disable()
        try:
            return self._import_and_build()
        finally:
            gc.freeze()
            gc.enable()

    def _import_and_build(self) -> "tuple[FastAPI, Supervisor]":
        from app.main import create_app
        from app.spec.run import RunSpec
        from app.worker.supervisor import build_supervisor

        supervisor = build_supervisor(self._settings)
        app = create_app(self._settings)
        RunSpec.model_rebuild()  # or the first run would wait for it
        return app, supervisor


def _url_of(listener: socket.socket) -> str:
    host, port, *_ = listener.getsockname()
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
