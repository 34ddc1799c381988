"""Questions of the API that only a worker can answer, because the answer needs Keras.

A row is the question and, later, the answer. A thread of each worker looks for questions, so they are
answered while runs train.
"""

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from threading import Event
from typing import Any

from sqlalchemy import JSON, Index, String, delete
from sqlalchemy.orm import Mapped, mapped_column
from starlette.concurrency import run_in_threadpool

from app.database import Base, Database, UtcDateTime, utc_now
from app.errors import FieldProblem, InvalidDocument, RunError, Unavailable
from app.ids import new_id

LOOK_SECONDS = 0.01
"""Time between two looks for the answer."""


class CallRow(Base):
    """A question to a worker, and its answer."""

    __tablename__ = "calls"
    __table_args__ = (Index("ix_calls_status_id", "status", "id"),)

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    kind: Mapped[str] = mapped_column(String(64))
    """Which function answers; `app.worker.calls` knows them."""
    status: Mapped[str] = mapped_column(String(16))
    """`asked`, then `taken` by a worker, then `answered`."""
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    payload: Mapped[dict[str, Any]] = mapped_column(JSON)
    answer: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    error: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))


class WaitingLine:
    """The requests of this process that wait for a worker: only so many. For the event loop's thread.

    Args:
        most: how many.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._waiting = 0

    @contextmanager
    def place(self) -> Iterator[None]:
        """A place in the line until the block ends.

        Raises:
            Unavailable: there is none left.
        """
        if self._waiting >= self._most:
            raise Unavailable(
                f"Expected at most {self._most} requests (KERB_MAX_WAITING_CALLS) that wait for what only a "
                "worker can compute; received one more. Try again."
            )
        self._waiting += 1
        try:
            yield
        finally:
            self._waiting -= 1


async def ask_worker(database: Database, kind: str, payload: dict[str, Any], timeout_seconds: float) -> Any:
    """What a worker answers.

    Args:
        database: where the question is put.
        kind: which function answers.
        payload: its argument, in JSON's types.
        timeout_seconds: how long to wait.

    Raises:
        InvalidDocument: the function said so.
        RunError: the function said so.
        Unavailable: no worker answered in time, or the function failed.
    """
    call_id = await run_in_threadpool(_ask, database, kind, payload)
    give_up_at = time.monotonic() + timeout_seconds
    try:
        while True:
            call = await run_in_threadpool(_look, database, call_id)
            if call is not None and call.status == "answered":
                return _answer_of(call)
            _check_hope(call, give_up_at)
            await asyncio.sleep(LOOK_SECONDS)
    finally:
        await run_in_threadpool(_forget, database, call_id)


def ask_worker_and_wait(
    database: Database, kind: str, payload: dict[str, Any], timeout_seconds: float, stopping: Event
) -> Any:
    """The same as `ask_worker`, for a thread that may wait; until `stopping` is set."""
    call_id = _ask(database, kind, payload)
    give_up_at = time.monotonic() + timeout_seconds
    try:
        while True:
            call = _look(database, call_id)
            if call is not None and call.status == "answered":
                return _answer_of(call)
            _check_hope(call, give_up_at)
            if stopping.wait(LOOK_SECONDS):
                raise Unavailable("The service is stopping.")
    finally:
        _forget(database, call_id)


def _check_hope(call: CallRow | None, give_up_at: float) -> None:
    """Refuses to wait any longer for a question that is gone, or too old."""
    if call is None or time.monotonic() > give_up_at:
        raise Unavailable("No worker has answered in time. Is one running, and ready? See /readyz.")


def _ask(database: Database, kind: str, payload: dict[str, Any]) -> str:
    call = CallRow(id=new_id("call"), kind=kind, status="asked", created_at=utc_now(), payload=payload)
    with database.writing() as session:
        session.add(call)
    return call.id


def _look(database: Database, call_id: str) -> CallRow | None:
    with database.reading() as session:
        return session.get(CallRow, call_id)


def _forget(database: Database, call_id: str) -> None:
    with database.writing() as session:
        session.execute(delete(CallRow).where(CallRow.id == call_id))


def _answer_of(call: CallRow) -> Any:
    """The answer, or the error that `app.worker.calls` wrote down."""
    match call.error:
        case None:
            return call.answer
        case {"problems": problems}:
            raise InvalidDocument([FieldProblem(*problem) for problem in problems])
        case {"run_error": message, "pointer": pointer}:
            raise RunError(message, pointer)
        case _:
            raise Unavailable(call.error["unknown"])
