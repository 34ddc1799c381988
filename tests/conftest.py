"""Fixtures for all tests."""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import app.training  # noqa: F401  # sets TensorFlow up before a test imports it
from app.database import Database
from app.migrations import migrate
from tests.support.service import Service

os.environ["KERB_ALLOWED_HOSTS"] = "testserver"  # as the test client calls the service
os.environ.setdefault("KERB_WORKERS", "1")  # another would only take time to start


@pytest.fixture(scope="session")
def migrated_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty database file, made by the migrations."""
    path = tmp_path_factory.mktemp("database") / "kerb.db"
    database = Database(f"sqlite:///{path}")
    migrate(database)
    database.close()
    return path


@pytest.fixture
def database(migrated_file: Path, tmp_path: Path) -> Iterator[Database]:
    """An empty database of the test's own, at `tmp_path / "kerb.db"`."""
    path = shutil.copy(migrated_file, tmp_path / "kerb.db")
    database = Database(f"sqlite:///{path}")
    yield database
    database.close()


@pytest.fixture(scope="session")
def start_service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Service]]:
    """Starts services of a test's own; settings are given by name, without `KERB_`."""
    started: list[Service] = []

    def start(*, ready: bool = True, **settings: str) -> Service:
        service = Service(tmp_path_factory.mktemp("kerb") / "data", settings)
        started.append(service)
        service.start(ready)
        return service

    yield start
    for service in started:
        if service.process.poll() is None:
            service.stop()


@pytest.fixture(scope="session")
def service(start_service: Callable[..., Service]) -> Service:
    """The service that tests share, with one worker. Leave it as it is: other tests use it, too."""
    return start_service()
