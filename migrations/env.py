"""How Alembic reaches the database: through the connection it's given, or else that of the settings."""

from typing import Any, Literal

from alembic import context
from sqlalchemy import Connection, text

from app import calls, counters  # noqa: F401  (makes their tables known to Base)
from app.database import Base, Database, UtcDateTime
from app.datasets import tables as dataset_tables  # noqa: F401  (the same)
from app.keys import tables as key_tables  # noqa: F401  (the same)
from app.models import tables as model_tables  # noqa: F401  (the same)
from app.runs import tables as run_tables  # noqa: F401  (the same)
from app.settings import Settings
from app.sweeps import tables as sweep_tables  # noqa: F401  (the same)

LOCK_KEY = 0x4B657262
"""PostgreSQL's advisory lock that migrating processes take; SQLite's write lock does the same."""


def render_type(kind: str, item: Any, _autogenerate: Any) -> str | Literal[False]:
    """Kerb's own column type as the plain one below it: migrations must not change when the code does."""
    if kind == "type" and isinstance(item, UtcDateTime):
        return "sa.DateTime(timezone=True)"
    return False


def run_migrations(connection: Connection) -> None:
    """Applies what is missing, in the transaction of `connection`."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": LOCK_KEY})
    context.configure(
        connection=connection,
        target_metadata=Base.metadata,
        render_as_batch=True,
        render_item=render_type,
    )
    with context.begin_transaction():
        context.run_migrations()


given = context.config.attributes.get("connection")
if given is not None:
    run_migrations(given)
else:
    with Database(Settings().url_of_database()).connection() as own:
        run_migrations(own)
