"""Who trains which run: claims, leases, and what becomes of a run whose worker is lost.

A claim is an atomic update of one queued row. It's good for `lease_seconds` and renewed while the worker
lives. Every later write of the worker names its claim, so a worker that was thought dead, and whose run
another has claimed since, can change nothing.

Whether a lease has ended is never told by the time of day, which jumps, and differs between machines. Each
worker watches the leases of the others, and one that hasn't changed for `lease_seconds` of its own steady
clock has ended.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, false, func, or_, select, update
from sqlalchemy.orm import Session

from app.database import no_earlier_than, utc_now
from app.errors import WorkerLost
from app.runs.tables import RunRow

CLAIM_LOCK = 0x4B657263
"""PostgreSQL's advisory lock that claims take; the one of migrations is another."""


@dataclass(frozen=True)
class Claim:
    """A worker's right to write one run.

    Attributes:
        run_id: the run.
        worker_id: the worker.
        attempt: counted from 1; a run that is claimed again has another.
    """

    run_id: str
    worker_id: str
    attempt: int

    def holds(self) -> ColumnElement[bool]:
        """The condition on a run's row that it's still this claim's."""
        return (
            (RunRow.id == self.run_id)
            & (RunRow.status == "running")
            & (RunRow.worker_id == self.worker_id)
            & (RunRow.attempts == self.attempt)
        )


class ClaimLost(Exception):
    """The run was cancelled, or given to another worker; what this one knows of it is void."""


def lease_end(lease_seconds: float) -> datetime:
    """When a lease ends that is given or renewed now."""
    return utc_now() + timedelta(seconds=lease_seconds)


def queue_has_runs(connection: Connection, most_of_project: int) -> bool:
    """Whether a run may be claimed; cheap, without a session's cost, for an idle worker asks all the time."""
    return connection.scalar(select(RunRow.id).where(_may_start(most_of_project)).limit(1)) is not None


def _may_start(most_of_project: int) -> ColumnElement[bool]:
    """The condition on a run's row that it's queued, and not too many of its project are trained."""
    running = select(RunRow.project).where(RunRow.status == "running").group_by(RunRow.project)
    busy = running.having(func.count() >= most_of_project)
    return (RunRow.status == "queued") & RunRow.project.not_in(busy)


def claim_run(session: Session, worker_id: str, lease_seconds: float, most_of_project: int) -> Claim | None:
    """Claims the run that has waited longest, of those of projects that train fewer runs than they may.

    Args:
        session: a writing transaction.
        worker_id: the worker that claims it.
        lease_seconds: how long it's claimed for, unless the lease is renewed.
        most_of_project: runs of a project that may be trained at once.

    Returns:
        None if no run waits that may start.
    """
    if session.get_bind().dialect.name == "postgresql":
        # SQLite has but one writer at a time. Elsewhere two claims at once, which don't see each other, could
        # exceed what a project may train.
        session.execute(select(func.pg_advisory_xact_lock(CLAIM_LOCK)))
    oldest = (
        select(RunRow.id)
        .where(_may_start(most_of_project))
        .order_by(RunRow.id)
        .limit(1)
        .with_for_update(skip_locked=True)  # one that is being cancelled, say
        .scalar_subquery()
    )
    claimed = session.execute(
        update(RunRow)
        .where(RunRow.id == oldest, RunRow.status == "queued")
        .values(
            status="running",
            worker_id=worker_id,
            lease_expires_at=lease_end(lease_seconds),
            attempts=RunRow.attempts + 1,
            started_at=func.coalesce(RunRow.started_at, no_earlier_than(RunRow.created_at)),
        )
        .returning(RunRow.id, RunRow.attempts)
    ).first()
    return None if claimed is None else Claim(claimed.id, worker_id, claimed.attempts)


def get_claimed_run(session: Session, claim: Claim) -> RunRow:
    """The row of the claim's run, kept from others until the transaction ends.

    Raises:
        ClaimLost: it's no longer this claim's.
    """
    run = session.scalars(select(RunRow).where(claim.holds()).with_for_update()).first()
    if run is None:
        raise ClaimLost(claim.run_id)
    return run


def renew_lease(session: Session, claim: Claim, lease_seconds: float) -> None:
    """Puts off the end of the lease, unless the claim is lost."""
    session.execute(update(RunRow).where(claim.holds()).values(lease_expires_at=lease_end(lease_seconds)))


def release_run(session: Session, claim: Claim) -> None:
    """Puts the run back into the queue, unless the claim is lost; the attempt doesn't count.

    Only for a worker that stops in good order: what it did is in a checkpoint, and nothing speaks
    against the run.
    """
    _release(session, claim.holds())


def release_of_worker(session: Session, worker_id: str) -> list[str]:
    """Puts runs of a worker back that was stopped with its service, by force if it took too long; their ids.

    The attempt doesn't count: a run isn't to blame for how often a service is started anew.
    """
    return _release(session, (RunRow.status == "running") & (RunRow.worker_id == worker_id))


def _release(session: Session, held: ColumnElement[bool]) -> list[str]:
    released = (
        update(RunRow)
        .where(held)
        .values(status="queued", worker_id=None, lease_expires_at=None, attempts=RunRow.attempts - 1)
    )
    return list(session.scalars(released.returning(RunRow.id)))


def end_run(session: Session, claim: Claim, **values: Any) -> None:
    """Ends the run.

    Args:
        session: a writing transaction.
        claim: the worker's claim.
        values: the columns of its end: `status`, `finished_at`, …

    Raises:
        ClaimLost: it's no longer this claim's.
    """
    ended = session.execute(
        update(RunRow)
        .where(claim.holds())
        .values(worker_id=None, lease_expires_at=None, **values)
        .returning(RunRow.id)
    ).first()
    if ended is None:
        raise ClaimLost(claim.run_id)


class LeaseWatch:
    """Finds leases that are no longer renewed.

    Args:
        lease_seconds: how long a lease is good.
    """

    def __init__(self, lease_seconds: float) -> None:
        self._lease_seconds = lease_seconds
        self._seen: dict[Lease, float] = {}

    def find_ended(self, session: Session) -> list["Lease"]:
        """The leases that were the same at every look, the first of which was `lease_seconds` ago or more."""
        now = time.monotonic()
        running = select(RunRow.id, RunRow.lease_expires_at).where(RunRow.status == "running")
        leases = [Lease(*row) for row in session.execute(running)]
        self._seen = {lease: self._seen.get(lease, now) for lease in leases}
        return [lease for lease, since in self._seen.items() if now - since >= self._lease_seconds]


class Lease(NamedTuple):
    """A lease as it stands in a run's row; each renewal makes another."""

    run_id: str
    expires_at: datetime | None


def requeue_expired(session: Session, leases: Sequence[Lease], max_attempts: int) -> list[str]:
    """Takes runs from workers whose leases have ended, unless they were renewed just now; their ids."""
    still = [(RunRow.id == run_id) & (RunRow.lease_expires_at == end) for run_id, end in leases]
    return _requeue(session, or_(false(), *still), max_attempts)


def requeue_of_worker(session: Session, worker_id: str, max_attempts: int) -> list[str]:
    """Takes runs from a worker that is known to be dead; their ids."""
    return _requeue(session, RunRow.worker_id == worker_id, max_attempts)


def _requeue(session: Session, lost: ColumnElement[bool], max_attempts: int) -> list[str]:
    """Queues the runs again, or fails those that were tried often enough."""
    unclaimed = {"worker_id": None, "lease_expires_at": None}
    running = (RunRow.status == "running") & lost
    times = f"{max_attempts} times" if max_attempts > 1 else "once"
    message = (
        f"The worker died, hung or lost the database while it trained this run, {times}; it isn't tried "
        "again. Does the run need more memory than there is?"
    )
    failed = session.scalars(
        update(RunRow)
        .where(running, RunRow.attempts >= max_attempts)
        .values(
            status="failed",
            finished_at=RunRow.end_now(),
            error={"code": WorkerLost.code, "message": message, "pointer": None},
            **unclaimed,
        )
        .returning(RunRow.id)
    ).all()
    queued = session.scalars(
        update(RunRow).where(running).values(status="queued", **unclaimed).returning(RunRow.id)
    ).all()
    return [*failed, *queued]
