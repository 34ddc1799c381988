"""Waiting for what comes of runs, without a thread or a query for each who waits."""

import asyncio
import contextlib
import logging
from collections import defaultdict
from collections.abc import AsyncIterator, Mapping, Sequence

from sqlalchemy.exc import SQLAlchemyError
from starlette.concurrency import run_in_threadpool

from app.database import Database
from app.runs.events import Place, Position, Update, read_updates

LOOK_SECONDS = 0.05
"""Time between two looks at the database, while anybody waits."""

KEEP_ALIVE_SECONDS = 15.0
"""Time without an event after which a comment is sent, so that no proxy takes the stream for dead."""

RETRY_SECONDS = 1
"""How long a browser waits before it comes back to a stream that broke off."""

logger = logging.getLogger(__name__)


class RunWatcher:
    """Tells those who wait what has come of a run; one look at the database serves all of them.

    Args:
        database: where the runs are.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._waiting: dict[Place, set[asyncio.Future[Update]]] = defaultdict(set)
        self._watching: asyncio.Task[None] | None = None
        self._closed = False

    async def next_update(self, run_id: str, position: Position) -> Update:
        """What has come of a run since `position`, once there is something.

        Whoever follows a run asks again from the update's position on. Nothing is kept for those who don't
        ask, so one that reads slowly costs nothing.

        Raises:
            SQLAlchemyError: the database failed.
        """
        if self._closed:
            return Update(position, b"", last=True)
        place = Place(run_id, position)
        update: asyncio.Future[Update] = asyncio.get_running_loop().create_future()
        self._waiting[place].add(update)
        if self._watching is None or self._watching.done():
            self._watching = asyncio.create_task(self._watch())
        try:
            return await update
        finally:
            self._waiting[place].discard(update)
            if not self._waiting[place]:
                del self._waiting[place]

    async def wait_until_ended(self, run_id: str, timeout_seconds: float) -> None:
        """Returns when the run has ended or is gone, when the time is up, or when the service stops."""
        update = Update(Position.after_all_epochs(), b"", last=False)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_seconds):
                while not update.last:
                    update = await self.next_update(run_id, update.position)

    def close(self) -> None:
        """Lets everybody go who still waits."""
        self._closed = True
        self._answer({place: Update(place.position, b"", last=True) for place in self._waiting})

    async def _watch(self) -> None:
        while self._waiting:
            try:
                updates = await run_in_threadpool(self._look, list(self._waiting))
            except SQLAlchemyError as error:  # whoever waits is told, instead of waiting for nobody
                for future in (future for futures in self._waiting.values() for future in futures):
                    if not future.done():
                        future.set_exception(error)
                return
            self._answer(updates)
            await asyncio.sleep(LOOK_SECONDS)

    def _look(self, places: Sequence[Place]) -> Mapping[Place, Update]:
        with self._database.reading() as session:
            return read_updates(session, places)

    def _answer(self, updates: Mapping[Place, Update]) -> None:
        for place, update in updates.items():
            for future in self._waiting.get(place, ()):
                if not future.done():
                    future.set_result(update)


async def follow_events(watcher: RunWatcher, run_id: str, position: Position) -> AsyncIterator[bytes]:
    """The events of a run after `position`, as they are sent, until it has ended or the service stops."""
    yield b"retry: %d\n\n" % (RETRY_SECONDS * 1000)
    last = False
    while not last:
        try:
            async with asyncio.timeout(KEEP_ALIVE_SECONDS):
                update = await watcher.next_update(run_id, position)
        except TimeoutError:
            yield b": the run goes on\n\n"
        except SQLAlchemyError as error:  # the client comes back, and is told then if it lasts
            logger.error("database failed, events end run=%s error=%s", run_id, error)
            return
        else:
            position, events, last = update
            yield events
