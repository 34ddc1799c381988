"""Brings a database to the tables that this version of Kerb needs."""

import logging
from pathlib import Path

from alembic import command
from alembic.config import Config

from app.database import Database

FOLDER = Path(__file__).parent.parent / "migrations"

logger = logging.getLogger(__name__)


def migrate(database: Database, revision: str = "head") -> None:
    """Applies the migrations that are missing, up to `revision`.

    All happen in one transaction that holds the database's write lock, so of two processes that
    start together one migrates and the other waits, then finds nothing to do.
    """
    with database.connection() as connection:
        command.upgrade(_config(connection), revision)


def _config(connection: object) -> Config:
    config = Config()
    config.set_main_option("script_location", str(FOLDER).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config
