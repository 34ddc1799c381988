"""`kerb keys create | list | revoke`."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime

from app.database import Database
from app.errors import KerbError
from app.keys.service import USUAL_SCOPES, Scope, create_key, known_keys, list_keys, revoke_key
from app.migrations import migrate
from app.settings import Settings


def create(settings: Settings, name: str, project: str, scopes: Sequence[Scope] | None) -> int:
    """Makes a key and prints its text, which is nowhere else; of the usual scopes if none are given."""
    with _database(settings) as database, database.writing() as session:
        row, text = create_key(session, name, project, scopes or USUAL_SCOPES)
    print(text)
    print(f"\n{row.id} of project {row.project}: {', '.join(row.scopes)}.")
    print("Send it as `Authorization: Bearer KEY`. It isn't stored: keep it now.")
    return 0


def show(settings: Settings) -> int:
    """Prints what is known of all keys."""
    with _database(settings) as database, database.reading() as session:
        rows = list_keys(session)
    lines = [("ID", "PROJECT", "SCOPES", "CREATED", "REVOKED", "NAME")]
    for row in rows:
        times = _moment(row.created_at), _moment(row.revoked_at)
        lines.append((row.id, row.project, ",".join(row.scopes), *times, row.name))
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        print("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())
    return 0


def revoke(settings: Settings, key_id: str) -> int:
    """Revokes a key."""
    with _database(settings) as database, database.writing() as session:
        revoke_key(session, key_id)
    print(f"{key_id} is revoked.")
    return 0


def has_keys(settings: Settings) -> bool:
    """Whether there is a key that is good."""
    with _database(settings) as database, database.reading() as session:
        return bool(known_keys(list_keys(session)))


@contextmanager
def _database(settings: Settings) -> Iterator[Database]:
    """The database, migrated, as keys are made before the service first starts; its errors as words."""
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    database = Database(settings.url_of_database())
    try:
        migrate(database)
        yield database
    except KerbError as error:
        raise SystemExit(f"kerb: {error.message}") from error
    finally:
        database.close()


def _moment(moment: datetime | None) -> str:
    return "" if moment is None else f"{moment:%Y-%m-%dT%H:%M:%SZ}"
