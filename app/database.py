"""The database: engine, sessions, and one transaction a request.

SQLite today (write-ahead log, foreign keys on, writers wait for each other), and SQL that PostgreSQL
takes as well.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from copy import copy
from datetime import UTC, datetime
from typing import Any

import orjson
from sqlalchemy import (
    ColumnElement,
    Connection,
    DateTime,
    Dialect,
    Engine,
    MetaData,
    String,
    case,
    create_engine,
    event,
    literal,
)
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import TimeoutError
from sqlalchemy.orm import (
    DeclarativeBase,
    InstrumentedAttribute,
    Mapped,
    ORMExecuteState,
    Session,
    mapped_column,
    with_loader_criteria,
)
from sqlalchemy.pool import ConnectionPoolEntry
from sqlalchemy.types import TypeDecorator

BUSY_TIMEOUT_SECONDS = 30
"""How long a writer waits for those of other processes before the database counts as locked."""


class Base(DeclarativeBase):
    """Base of all table classes; constraints are named, so that migrations can change them."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


DEFAULT_PROJECT = "default"
"""The project of those who need no key, and of keys that name no other."""


class Owned:
    """Mixin of rows that belong to a project: its transactions see no others, and make no others."""

    project: Mapped[str] = mapped_column(String(64), default=DEFAULT_PROJECT)


class _ProjectSession(Session):
    """A session of `Database.of_project`."""


@event.listens_for(_ProjectSession, "do_orm_execute")
def _see_own_rows(execution: ORMExecuteState) -> None:
    # What follows from a row that was found, its columns and its relationships, needs no second look.
    if not execution.is_column_load and not execution.is_relationship_load:
        execution.statement = execution.statement.options(execution.session.info["own_rows"])


@event.listens_for(_ProjectSession, "before_flush")
def _make_own_rows(session: Session, _context: object, _instances: object) -> None:
    for row in session.new:
        if isinstance(row, Owned):
            row.project = session.info["project"]


class UtcDateTime(TypeDecorator[datetime]):
    """A moment in UTC; aware in Python whatever the database keeps (SQLite drops time zones)."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """To UTC; a naive moment would be a mistake of ours."""
        return None if value is None else value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Back to an aware moment."""
        if value is None or value.tzinfo is not None:
            return value
        return value.replace(tzinfo=UTC)


def utc_now() -> datetime:
    """This moment, in UTC."""
    return datetime.now(UTC)


def no_earlier_than(moment: ColumnElement[Any] | InstrumentedAttribute[Any]) -> ColumnElement[datetime]:
    """This moment, or that of a column where that is later, as after the clock was put back."""
    now = literal(utc_now(), UtcDateTime())
    return case((moment > now, moment), else_=now)


class Database:
    """An engine and the two kinds of transaction.

    Args:
        url: SQLAlchemy URL.

    Attributes:
        project: whose rows the transactions see; None for everybody's.
    """

    def __init__(self, url: str) -> None:
        self.engine = _build_engine(url)
        self.project: str | None = None
        self._session_class: type[Session] = Session
        self._session_info: dict[str, Any] = {}
        self._writing_engine = self.engine.execution_options(kerb_writes=True)
        # SQLite has one writer at a time, and who waits asks again and again, with no order: of many threads
        # some would wait forever. So the threads of a process queue here. Other databases need no queue.
        self._turn = _Turn() if self.engine.dialect.name == "sqlite" else nullcontext()

    def of_project(self, project: str) -> "Database":
        """The same database as one project sees it.

        Every query and every change by the classes of tables (not one that is written as SQL, or with
        `__table__`) is limited to the project's rows of classes that are `Owned`, and new rows become its.
        """
        own_rows = with_loader_criteria(Owned, lambda row: row.project == project, include_aliases=True)
        database = copy(self)
        database.project = project
        database._session_class = _ProjectSession
        database._session_info = {"project": project, "own_rows": own_rows}
        return database

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """A transaction that only reads: it sees one state of the database and waits for nobody."""
        with self._session(self.engine) as session:
            yield session

    @contextmanager
    def writing(self) -> Iterator[Session]:
        """A transaction that writes, committed at the end of the block, undone if an error leaves it.

        In SQLite it takes the write lock at once: one that read first and wrote later would fail if
        another had written in between.

        Raises:
            SQLAlchemyError: the database failed, or others wrote for so long that this one had no turn.
        """
        with (
            self._turn,
            self._session(self._writing_engine) as session,
            session.begin(),
        ):
            yield session

    @contextmanager
    def connection(self) -> Iterator[Connection]:
        """A bare connection in a writing transaction, for migrations.

        SQLite's foreign keys are off: a migration that makes a table anew must not empty those that refer
        to it.
        """
        with self._writing_engine.execution_options(kerb_foreign_keys=False).connect() as connection:
            with connection.begin():
                yield connection
            connection.invalidate()  # a connection without foreign keys is for nobody else

    def close(self) -> None:
        """Closes every pooled connection."""
        self.engine.dispose()

    def _session(self, engine: Engine) -> Session:
        return self._session_class(engine, expire_on_commit=False, info=self._session_info)


class _Turn:
    """A lock for which nobody waits longer than for other processes."""

    def __init__(self) -> None:
        self._lock = threading.Lock()

    def __enter__(self) -> None:
        if not self._lock.acquire(timeout=BUSY_TIMEOUT_SECONDS):
            raise TimeoutError("database is locked: other threads wait to write, or write, for too long")

    def __exit__(self, *_error: object) -> None:
        self._lock.release()


def _build_engine(url: str) -> Engine:
    options: dict[str, Any] = {
        "json_serializer": lambda value: orjson.dumps(value, option=orjson.OPT_SERIALIZE_NUMPY).decode(),
        "json_deserializer": orjson.loads,
    }
    if url.startswith("sqlite"):
        options["connect_args"] = {"timeout": BUSY_TIMEOUT_SECONDS, "check_same_thread": False}
    else:
        options["pool_pre_ping"] = True
    # As many connections as Starlette's thread pool has threads, so that no request waits for one.
    engine = create_engine(url, pool_size=10, max_overflow=40, **options)
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
    return engine


def _prepare_sqlite(connection: DBAPIConnection, _entry: ConnectionPoolEntry) -> None:
    # None: Python's driver begins no transactions of its own; `_begin_sqlite` does.
    connection.isolation_level = None
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode = WAL")
    # FULL: an accepted run is on the disk before the client reads 201.
    cursor.execute("PRAGMA synchronous = FULL")
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    options = connection.get_execution_options()
    if not options.get("kerb_foreign_keys", True):
        connection.exec_driver_sql("PRAGMA foreign_keys = OFF")  # within a transaction it would do nothing
    writes = options.get("kerb_writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
