"""`kerb serve` and `kerb worker`: the processes of one machine, from start to stop."""

import logging
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING

from app.database import Database
from app.logs import configure_logs
from app.migrations import migrate
from app.settings import Settings
from app.worker.engine import LocalEngine
from app.worker.supervisor import Supervisor

if TYPE_CHECKING:
    import uvicorn

logger = logging.getLogger(__name__)


def serve(settings: Settings) -> None:
    """Serves the API in this process, with workers beside it, until SIGTERM or SIGINT."""
    configure_logs(settings.log_level)
    _exit_on_signals()
    # First of all: a port that is taken must not cost the start of a worker.
    with _bound_socket(settings) as listener, _supervised_workers(settings):
        _build_server(settings).run(sockets=[listener])


def work(settings: Settings) -> None:
    """Keeps workers alive until SIGTERM or SIGINT, without an API."""
    configure_logs(settings.log_level)
    _exit_on_signals()
    with _supervised_workers(settings):
        threading.Event().wait()


def _exit_on_signals() -> None:
    def leave(_signal: int, _frame: FrameType | None) -> None:
        raise SystemExit(0)

    signal.signal(signal.SIGTERM, leave)
    signal.signal(signal.SIGINT, leave)


@contextmanager
def _bound_socket(settings: Settings) -> Iterator[socket.socket]:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    with socket.socket(family) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((settings.host, settings.port))
        except OSError as error:
            raise SystemExit(f"Can't listen on {settings.host}:{settings.port}: {error.strerror}.") from error
        yield listener


@contextmanager
def _supervised_workers(settings: Settings) -> Iterator[None]:
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    database = Database(settings.url_of_database())
    migrate(database)
    supervisor = Supervisor(settings, database, LocalEngine(settings))
    supervisor.start()
    try:
        yield
    finally:
        logger.info("stopping")
        supervisor.stop()
        database.close()


def _build_server(settings: Settings) -> "uvicorn.Server":
    # Here, because workers start while this is imported.
    import uvicorn

    from app.main import create_app

    app = create_app(settings)

    class Server(uvicorn.Server):
        """Answers whoever waits for a run, before it waits for the requests under way."""

        async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
            app.state.kerb.watcher.close()
            await super().shutdown(sockets)

    return Server(
        uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=int(settings.stop_seconds) + 1,
        )
    )
