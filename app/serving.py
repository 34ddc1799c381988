"""`kerb serve` and `kerb worker`: the processes of one machine, from start to stop."""

import asyncio
import logging
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from app.database import Database
from app.logs import configure_logs
from app.migrations import migrate
from app.settings import Settings
from app.spec.run import RunSpec
from app.worker.engine import LocalEngine
from app.worker.supervisor import Supervisor

logger = logging.getLogger(__name__)


def serve(settings: Settings) -> None:
    """Serves the API in this process, with workers beside it, until SIGTERM or SIGINT."""
    # Here, because a worker that stands alone needs neither.
    import uvicorn

    from app.main import create_app

    configure_logs(settings.log_level)
    _exit_on_signals()
    with _bound_socket(settings) as listener, _migrated_database(settings) as database:
        app = create_app(settings)
        supervisor = Supervisor(settings, database, LocalEngine(settings))

        class Server(uvicorn.Server):
            """A server that starts the workers once it listens, as they take the whole machine at first."""

            async def startup(self, sockets: list[socket.socket] | None = None) -> None:
                await super().startup(sockets)
                logger.info("listening url=%s", _url_of(listener))
                await asyncio.to_thread(RunSpec.model_rebuild)  # or the first run would wait for it
                supervisor.start()

            async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
                supervisor.begin_stop()
                # Whoever waits for a run is answered now; otherwise the server would wait for them.
                app.state.kerb.watcher.close()
                await super().shutdown(sockets)

        config = uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=int(settings.stop_seconds) + 1,
        )
        try:
            Server(config).run(sockets=[listener])
        finally:
            supervisor.stop()


def work(settings: Settings) -> None:
    """Keeps workers alive until SIGTERM or SIGINT, without an API."""
    configure_logs(settings.log_level)
    _exit_on_signals()
    with _migrated_database(settings) as database:
        supervisor = Supervisor(settings, database, LocalEngine(settings))
        supervisor.start()
        try:
            threading.Event().wait()
        finally:
            supervisor.stop()


def _exit_on_signals() -> None:
    def leave(_signal: int, _frame: FrameType | None) -> None:
        logger.info("stopping")
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


def _url_of(listener: socket.socket) -> str:
    host, port, *_ = listener.getsockname()
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


@contextmanager
def _migrated_database(settings: Settings) -> Iterator[Database]:
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    database = Database(settings.url_of_database())
    migrate(database)
    yield database
    database.close()
