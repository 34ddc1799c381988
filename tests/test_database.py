import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import inspect, select, text
from sqlalchemy.exc import IntegrityError

from app import calls, counters  # noqa: F401  (their tables are compared, too)
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


def test_models_and_migrations_agree_on_what_tells_rows_apart(database: Database) -> None:
    there = inspect(database.engine)
    for name, table in Base.metadata.tables.items():
        assert set(there.get_pk_constraint(name)["constrained_columns"]) == set(
            table.primary_key.columns.keys()
        )


def test_what_was_there_before_is_kept(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'kerb.db'}")
    migrate(database, "0003")
    moment = "2026-01-05 12:00:00"
    with database.writing() as session:
        for statement in (
            "INSERT INTO runs (id, tags, status, created_at, epoch, epochs, verdicts, attempts, body_hash,"
            f" document) VALUES ('run_1', '{{}}', 'succeeded', '{moment}', 1, 1, '[]', 1, '', '{{}}')",
            "INSERT INTO run_data VALUES ('run_1', '{}')",
            "INSERT INTO run_tags VALUES ('run_1', 'a', 'b')",
            "INSERT INTO history_blocks VALUES ('run_1', 1, 1, '', '')",
            f"INSERT INTO models VALUES ('spam', '{moment}', '{moment}', 1, 1)",
            f"INSERT INTO model_versions VALUES ('spam', 1, NULL, '{moment}')",
            "INSERT INTO model_runs VALUES ('spam', 1, 0, 'run_1')",
            "INSERT INTO datasets (id, form, sha256, bytes, created_at, rows, columns, preview)"
            f" VALUES ('ds_1', 'csv', 'abc', 1, '{moment}', 1, '[]', '[]')",
        ):
            session.execute(text(statement))

    migrate(database)

    with database.reading() as session:
        for table in ("run_data", "run_tags", "history_blocks"):
            assert session.scalar(text(f"SELECT count(*) FROM {table}")) == 1, table
        for table in ("runs", "datasets", "models", "model_versions", "model_runs"):
            assert session.scalars(text(f"SELECT project FROM {table}")).all() == ["default"], table
        assert session.scalar(text("SELECT digest FROM datasets")) == "sha256:abc"
        assert session.execute(text("PRAGMA foreign_key_check")).all() == []
        assert session.scalar(text("PRAGMA foreign_keys")) == 1
    with pytest.raises(IntegrityError), database.writing() as session:
        session.execute(text("DELETE FROM runs"))
    with database.writing() as session:
        session.execute(text("DELETE FROM models"))
        session.execute(text("DELETE FROM runs"))
        for table in ("run_data", "run_tags", "history_blocks", "model_versions", "model_runs"):
            assert session.scalar(text(f"SELECT count(*) FROM {table}")) == 0, table
    database.close()
