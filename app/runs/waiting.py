"""Waiting for runs to end, without a thread or a query for each who waits."""

import asyncio
import contextlib
from collections import defaultdict
from collections.abc import Sequence

from sqlalchemy.exc import SQLAlchemyError
from starlette.concurrency import run_in_threadpool

from app.database import Database
from app.runs.service import find_ended

LOOK_SECONDS = 0.05
"""Time between two looks at the database, while anybody waits."""


class RunWatcher:
    """Tells those who wait that a run has ended; one query serves all of them.

    Args:
        database: where the runs are.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._waiting: dict[str, set[asyncio.Future[None]]] = defaultdict(set)
        self._watching: asyncio.Task[None] | None = None
        self._closed = False

    async def wait_until_ended(self, run_id: str, timeout_seconds: float) -> None:
        """Returns when the run has ended or is gone, when the time is up, or when the service stops."""
        if self._closed:
            return
        ended = asyncio.get_running_loop().create_future()
        self._waiting[run_id].add(ended)
        if self._watching is None or self._watching.done():
            self._watching = asyncio.create_task(self._watch())
        try:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(ended, timeout_seconds)
        finally:
            self._waiting[run_id].discard(ended)
            if not self._waiting[run_id]:
                del self._waiting[run_id]

    def close(self) -> None:
        """Lets everybody go who still waits."""
        self._closed = True
        self._release(list(self._waiting))

    async def _watch(self) -> None:
        while self._waiting:
            try:
                ended = await run_in_threadpool(self._find_ended, list(self._waiting))
            except SQLAlchemyError as error:  # whoever waits is told, instead of waiting for nobody
                for future in (future for futures in self._waiting.values() for future in futures):
                    if not future.done():
                        future.set_exception(error)
                return
            self._release(ended)
            await asyncio.sleep(LOOK_SECONDS)

    def _find_ended(self, run_ids: Sequence[str]) -> list[str]:
        with self._database.reading() as session:
            return list(find_ended(session, run_ids))

    def _release(self, run_ids: Sequence[str]) -> None:
        for future in (future for run_id in run_ids for future in self._waiting.get(run_id, ())):
            if not future.done():
                future.set_result(None)
