"""What can be done with runs: make, find, cancel, delete. Knows no HTTP."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import delete, func, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app.database import utc_now
from app.errors import Conflict, IdempotencyMismatch, InvalidDocument, NotFound, TooMany
from app.ids import new_id
from app.models.tables import ModelRunRow
from app.runs.tables import ENDED, RunDataRow, RunRow, RunStatus, RunTagRow
from app.spec.parsing import parse_run
from app.spec.run import RunSpec

QUEUE_RETRY_SECONDS = 10
"""When to try again, after the queue was full."""


@dataclass(frozen=True)
class RunFilter:
    """Which runs a list shows.

    Attributes:
        status: only of this status.
        name: only of exactly this name.
        tags: only with all of these (key, value).
        created_after: only made later than this.
        created_before: only made earlier than this.
    """

    status: RunStatus | None = None
    name: str | None = None
    tags: Sequence[tuple[str, str]] = field(default=())
    created_after: datetime | None = None
    created_before: datetime | None = None


def hash_body(body: bytes) -> str:
    """What tells one posted body from another."""
    return hashlib.sha256(body).hexdigest()


def find_repeated(session: Session, idempotency_key: str, body_hash: str) -> RunRow | None:
    """The run that an earlier request with the same key made.

    Raises:
        IdempotencyMismatch: that request had another body.
    """
    run = session.scalars(select(RunRow).where(RunRow.idempotency_key == idempotency_key)).first()
    if run is not None and run.body_hash != body_hash:
        raise IdempotencyMismatch(
            f"Expected the body that came with this Idempotency-Key before, for {run.id}; received another."
        )
    return run


@dataclass(frozen=True)
class NewRun:
    """The rows of a run that isn't stored yet.

    Attributes:
        run: the run.
        parts: its tags and data.
    """

    run: RunRow
    parts: list[RunTagRow | RunDataRow]


def build_run(spec: RunSpec, body_hash: str, idempotency_key: str | None) -> NewRun:
    """The rows of a checked run; apart from storing them, as other writers wait while one stores."""
    document = spec.document()
    inline = document["dataset"].get("inline")
    if inline is not None:
        document["dataset"]["inline"] = shapes_of(inline)
    run = RunRow(
        id=new_id("run"),
        name=spec.name,
        tags=dict(spec.tags),
        status="queued",
        created_at=utc_now(),
        epochs=spec.fit.epochs,
        verdicts=[],
        idempotency_key=idempotency_key,
        body_hash=body_hash,
        document=document,
    )
    parts: list[RunTagRow | RunDataRow] = [
        RunTagRow(run_id=run.id, key=key, value=value) for key, value in run.tags.items()
    ]
    if inline is not None:
        parts.append(RunDataRow(run_id=run.id, inline=orjson.dumps(inline)))
    return NewRun(run, parts)


def create_run(session: Session, new: NewRun) -> RunRow:
    """Puts a run into the queue, or finds the one that the same key made meanwhile.

    Raises:
        IdempotencyMismatch: that one was made of another body.
    """
    try:
        with session.begin_nested():
            session.add(new.run)
    except IntegrityError:
        key = new.run.idempotency_key
        repeated = find_repeated(session, key, new.run.body_hash) if key is not None else None
        if repeated is None:
            raise
        return repeated
    session.add_all(new.parts)
    return new.run


def check_queue(session: Session, added: int, most: int) -> None:
    """Sees to it that no more runs than `most` are queued once some are added; of a project, in its session.

    Raises:
        TooMany: there would be.
    """
    queued = session.scalar(select(func.count()).select_from(RunRow).where(RunRow.status == "queued")) or 0
    if queued + added > most:
        message = f"Expected at most {most} queued runs; {queued} are queued, and {added} would be added."
        raise TooMany(message, QUEUE_RETRY_SECONDS)


_DTYPES = {int: "int64", float: "float64", str: "text"}


def shapes_of(arrays: Any) -> Any:
    """The same object with each nested list replaced by `{"shape": [samples, …], "dtype": "float64"}`.

    The `dtype` (`int64`, `float64` or `text`) also keeps the object from being read as a named array.
    """
    if isinstance(arrays, dict):
        return {name: shapes_of(value) for name, value in arrays.items()}
    if not isinstance(arrays, list):
        return arrays
    shape = []
    while isinstance(arrays, list):
        shape.append(len(arrays))
        arrays = arrays[0]
    return {"shape": shape, "dtype": _DTYPES[type(arrays)]}


def get_run(session: Session, run_id: str) -> RunRow:
    """The run of that id.

    Raises:
        NotFound: there is none.
    """
    run = session.get(RunRow, run_id)
    if run is None:
        raise NotFound(f"There is no run {run_id!r}.")
    return run


def get_succeeded_run(session: Session, run_id: str) -> RunRow:
    """The run of that id, which has a model.

    Raises:
        NotFound: there is none.
        Conflict: it didn't succeed, or hasn't yet.
    """
    run = get_run(session, run_id)
    if run.status != "succeeded":
        raise Conflict(f"Expected a run that succeeded; run {run_id} is {run.status}.")
    return run


def check_start(session: Session, run_id: str | None) -> None:
    """Checks that a new run can begin with what another left.

    Raises:
        InvalidDocument: there is no such run, or it didn't succeed, or hasn't yet.
    """
    if run_id is None:
        return
    try:
        get_succeeded_run(session, run_id)
    except (NotFound, Conflict) as error:
        raise InvalidDocument.at("/start_from", error.message) from error


def get_inline_data(session: Session, run_id: str) -> bytes | None:
    """The JSON of a run's inline dataset; None if its data lie elsewhere."""
    return session.scalar(select(RunDataRow.inline).where(RunDataRow.run_id == run_id))


def load_spec(session: Session, run: RunRow) -> RunSpec:
    """The document of a run, its data with it."""
    document, inline = run.document, get_inline_data(session, run.id)
    if inline is not None:
        document = document | {"dataset": document["dataset"] | {"inline": orjson.loads(inline)}}
    return parse_run(document)


def list_runs(
    session: Session, wanted: RunFilter, limit: int, after: str | None
) -> tuple[list[RunRow], bool]:
    """Runs from the newest on, and whether there are more.

    Args:
        session: a transaction.
        wanted: which.
        limit: at most as many.
        after: id of the last run of the page before.
    """
    query = select(RunRow).order_by(RunRow.id.desc()).limit(limit + 1)
    if after is not None:
        query = query.where(RunRow.id < after)
    if wanted.status is not None:
        query = query.where(RunRow.status == wanted.status)
    if wanted.name is not None:
        query = query.where(RunRow.name == wanted.name)
    if wanted.created_after is not None:
        query = query.where(RunRow.created_at > wanted.created_after)
    if wanted.created_before is not None:
        query = query.where(RunRow.created_at < wanted.created_before)
    for key, value in wanted.tags:
        tagged = select(RunTagRow.run_id).where(RunTagRow.key == key, RunTagRow.value == value)
        query = query.where(RunRow.id.in_(tagged))
    runs = list(session.scalars(query))
    return runs[:limit], len(runs) > limit


def cancel_run(session: Session, run_id: str) -> RunRow:
    """Ends a run that is queued or running; one that is cancelled already stays so.

    The row says so at once. A worker that trains the run finds that it lost it, and stops within a second.

    Raises:
        NotFound: there is none.
        Conflict: it ended by itself before.
    """
    cancelled = session.execute(
        update(RunRow)
        .where(RunRow.id == run_id, RunRow.status.in_(("queued", "running")))
        .values(status="cancelled", finished_at=RunRow.end_now(), worker_id=None, lease_expires_at=None)
        .returning(RunRow.id)
    ).first()
    run = get_run(session, run_id)
    if cancelled is None and run.status != "cancelled":
        raise Conflict(f"Expected a run that is queued or running; run {run_id} has {run.status}.")
    return run


def delete_run(session: Session, run_id: str) -> None:
    """Removes a run's rows; its files are for the caller to remove once that is committed.

    Raises:
        NotFound: there is none.
        Conflict: it's being trained, a model names it, or another that hasn't ended starts from it.
    """
    waiting = select(RunRow.id).where(
        RunRow.status.not_in(ENDED), RunRow.document["start_from"].as_string() == run_id
    )
    started = session.scalars(waiting).first()
    if started is not None:
        raise Conflict(f"Expected a run from which no other is to start; run {started} starts from {run_id}.")
    unless_running = delete(RunRow).where(RunRow.id == run_id, RunRow.status != "running")
    try:
        with session.begin_nested():
            deleted = session.execute(unless_running.returning(RunRow.id)).first()
    except IntegrityError as error:  # the database keeps what a model names
        raise _named_by_models(session, run_id) from error
    if deleted is None:
        run = get_run(session, run_id)
        raise Conflict(
            f"Expected a run that is not being trained; run {run.id} is {run.status}. Cancel it first."
        )


def _named_by_models(session: Session, run_id: str) -> Conflict:
    named = select(ModelRunRow.name, ModelRunRow.version).where(ModelRunRow.run_id == run_id).distinct()
    versions = session.execute(named.order_by(ModelRunRow.name, ModelRunRow.version).limit(5))
    listing = ", ".join(f"version {version} of {name!r}" for name, version in versions)
    return Conflict(f"Expected a run that no model names; run {run_id} is in {listing}. Delete that first.")
