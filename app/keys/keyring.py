"""The keys as the API's process knows them: read anew each second in which somebody asks."""

import asyncio
import time
from collections.abc import Iterable

from starlette.concurrency import run_in_threadpool

from app.database import Database
from app.errors import Unauthenticated
from app.keys.service import OPEN, Access, KnownKey, known_keys, list_keys, recognise

FRESH_SECONDS = 1.0
"""How long a key that is made or revoked may take to be known in every process."""


class Keyring:
    """Tells what a request may do. For the event loop's thread.

    Args:
        database: where keys are.
        is_private: whether only this machine reaches the service. If so, no key is needed as long as there
            never was one.
    """

    def __init__(self, database: Database, is_private: bool) -> None:
        self._database = database
        self._is_private = is_private
        self._is_open = False
        self._known: dict[str, KnownKey] = {}
        self._recognised: dict[str, Access] = {}  # by the text of keys that came since they were read anew
        self._read_at = float("-inf")
        self._reading: asyncio.Task[None] | None = None

    async def find(self, headers: Iterable[tuple[bytes, bytes]]) -> Access:
        """What a request of these headers may do.

        Raises:
            Unauthenticated: no key is in them, or one that isn't good.
            OperationalError: the database can't be asked.
        """
        if time.monotonic() - self._read_at > FRESH_SECONDS:
            await self._refresh()
        if self._is_open:
            return OPEN
        text = _key_in(headers)
        if text is None:
            raise Unauthenticated("Expected a key in the header Authorization, as Bearer KEY; received none.")
        recognised = self._recognised  # this one: what is found may be old when it's written down
        access = recognised.get(text)
        if access is None:
            access = recognise(self._known, text)
            if access is None:
                raise Unauthenticated("Expected a key that is known and not revoked; received another.")
            recognised[text] = access
        return access

    async def _refresh(self) -> None:
        """Reads once for all who wait."""
        if self._reading is None:
            self._reading = asyncio.create_task(run_in_threadpool(self._read))
            self._reading.add_done_callback(self._forget_reading)
        await asyncio.shield(self._reading)

    def _forget_reading(self, _task: asyncio.Task[None]) -> None:
        self._reading = None

    def _read(self) -> None:
        read_at = time.monotonic()
        with self._database.reading() as session:
            rows = list_keys(session)
        self._known = known_keys(rows)
        self._recognised = {}
        self._is_open = self._is_private and not rows
        self._read_at = read_at


def _key_in(headers: Iterable[tuple[bytes, bytes]]) -> str | None:
    """The text of a request's key: that of `Authorization`, else that of `X-API-Key`."""
    found = None
    for name, value in headers:
        if name == b"authorization" and value[:7].lower() == b"bearer ":
            return value[7:].strip().decode("latin-1")
        if name == b"x-api-key":
            found = value.decode("latin-1")
    return found
