import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import select, text

from app import calls  # noqa: F401  (its table is compared, too)
from app.database import Base, Database
from app.migrations import migrate
from app.runs.tables import WorkerRow

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)


def worker_row(name: str, moment: datetime = NOON) -> WorkerRow:
    return WorkerRow(id=name, pid=1, hostname="h", started_at=moment, heartbeat_at=moment, state="ready")


def test_models_and_migrations_agree(database: Database) -> None:
    with database.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, Base.metadata) == []


def test_migrating_again_changes_nothing(database: Database) -> None:
    with database.writing() as session:
        session.add(worker_row("worker_1"))

    migrate(database)

    with database.reading() as session:
        assert session.scalars(select(WorkerRow.id)).all() == ["worker_1"]


def test_two_processes_that_start_together_migrate_once(tmp_path: Path) -> None:
    databases = [Database(f"sqlite:///{tmp_path / 'kerb.db'}") for _ in range(4)]

    with ThreadPoolExecutor() as threads:
        list(threads.map(migrate, databases))

    with databases[0].reading() as session:
        assert session.scalar(text("SELECT count(*) FROM alembic_version")) == 1
    for database in databases:
        database.close()


def test_sqlite_is_set_up(database: Database) -> None:
    with database.reading() as session:
        assert session.scalar(text("PRAGMA journal_mode")) == "wal"
        assert session.scalar(text("PRAGMA foreign_keys")) == 1
        assert session.scalar(text("PRAGMA busy_timeout")) == 30_000


def test_an_error_undoes_what_was_written(database: Database) -> None:
    def fail() -> None:
        with database.writing() as session:
            session.add(worker_row("worker_1"))
            session.flush()
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()

    with database.reading() as session:
        assert session.scalars(select(WorkerRow)).all() == []


def test_moments_come_back_in_utc(database: Database) -> None:
    elsewhere = NOON.astimezone(timezone(timedelta(hours=5)))
    with database.writing() as session:
        session.add(worker_row("worker_1", elsewhere))

    with database.reading() as session:
        read = session.get_one(WorkerRow, "worker_1").started_at

    assert read == NOON
    assert read.tzinfo == UTC


def test_writers_wait_for_each_other_even_if_they_read_first(database: Database) -> None:
    with database.writing() as session:
        session.add(worker_row("worker_1"))

    def count_up(_number: int) -> None:
        with database.writing() as session:
            row = session.get_one(WorkerRow, "worker_1")
            time.sleep(0.0005)
            row.pid += 1

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(count_up, range(80)))

    with database.reading() as session:
        assert session.get_one(WorkerRow, "worker_1").pid == 81


def test_a_reader_sees_one_state_and_waits_for_nobody(database: Database) -> None:
    with database.reading() as reader:
        assert reader.scalars(select(WorkerRow.id)).all() == []
        with database.writing() as writer:
            writer.add(worker_row("worker_1"))
            writer.flush()
            assert reader.scalars(select(WorkerRow.id)).all() == []
        assert reader.scalars(select(WorkerRow.id)).all() == []
