"""`kerb serve` and `kerb worker`: the processes of one machine, from start to stop."""

import logging
import os
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from app.logs import configure_logs
from app.runs.files import make_folder
from app.settings import Settings

logger = logging.getLogger(__name__)


def serve(settings: Settings) -> None:
    """Serves the API in this process, with workers beside it, until SIGTERM or SIGINT."""
    from app.server import Server

    _begin(settings)
    _check_keys(settings)
    with _bound_socket(settings) as listener:
        server = Server(settings)
        try:
            server.run(sockets=[listener])
        finally:
            server.stop_workers()


def work(settings: Settings) -> None:
    """Keeps workers alive until SIGTERM or SIGINT, without an API."""
    from app.worker.supervisor import build_supervisor

    _begin(settings)
    supervisor = build_supervisor(settings)
    supervisor.start()
    try:
        threading.Event().wait()
    finally:
        supervisor.stop()


def _begin(settings: Settings) -> None:
    configure_logs(settings.log_level, settings.log_format)
    folder = settings.data_dir.absolute()
    try:
        make_folder(folder)
    except OSError as error:
        raise SystemExit(f"Can't make the data folder {folder}: {error.strerror}.") from error
    if not os.access(folder, os.W_OK):
        raise SystemExit(f"Can't write to the data folder {folder}.")

    def leave(_signal: int, _frame: FrameType | None) -> None:
        logger.info("stopping")
        raise SystemExit(0)

    signal.signal(signal.SIGTERM, leave)
    signal.signal(signal.SIGINT, leave)


def _check_keys(settings: Settings) -> None:
    if settings.is_private():
        return
    from app.keys.commands import has_keys  # takes a moment, which a private service needn't wait for

    if not has_keys(settings):
        raise SystemExit(
            f"Other machines reach {settings.host}, and no key is there yet that they would have to send. "
            "Make one with `kerb keys create NAME`, or listen on 127.0.0.1."
        )


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
