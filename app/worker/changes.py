"""Whether the database has changed, for those who look every few milliseconds."""

import sqlite3
import time

from sqlalchemy import PoolProxiedConnection
from sqlalchemy.exc import SQLAlchemyError

from app.database import Database

LOOK_SECONDS = 1.0
"""So often there may be something new all the same: some of what one waits for comes with time alone."""


class Changes:
    """Tells whether it is worth while to ask the database again.

    SQLite counts the commits that a connection sees of others (`PRAGMA data_version`), which takes
    microseconds to read, where queries by SQLAlchemy take milliseconds. Of other databases it is always said
    that they may have changed. Not for several threads.

    Args:
        database: what is looked at.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._counts = database.engine.dialect.name == "sqlite"
        self._connection: PoolProxiedConnection | None = None
        self._version: int | None = None
        self._looked = 0.0

    def may_be(self) -> bool:
        """Whether anybody may have written since this was asked last; the first time it's true."""
        if not self._counts:
            return True
        now = time.monotonic()
        version = self._data_version()
        if version is not None and version == self._version and now - self._looked < LOOK_SECONDS:
            return False
        self._version, self._looked = version, now
        return True

    def _data_version(self) -> int | None:
        """What only this connection can tell; None if it failed, and is to be opened anew."""
        try:
            self._connection = self._connection or self._database.engine.raw_connection()
            cursor = self._connection.cursor()
            (version,) = cursor.execute("PRAGMA data_version").fetchone()
            cursor.close()
        except (SQLAlchemyError, sqlite3.Error):
            self._connection = None
            return None
        return int(version)
