import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlalchemy import select

from app.database import Database, utc_now
from app.runs.service import build_run, cancel_run, create_run
from app.runs.tables import RunRow
from app.spec.parsing import parse_run
from app.worker.claim import (
    Claim,
    ClaimLost,
    LeaseWatch,
    claim_run,
    end_run,
    get_claimed_run,
    queue_has_runs,
    release_run,
    renew_lease,
    requeue_expired,
    requeue_of_worker,
)
from tests.support.documents import tiny_document


def enqueue(database: Database) -> str:
    with database.writing() as session:
        return create_run(session, build_run(parse_run(tiny_document()), "hash", None)).id


def claim(database: Database, worker_id: str = "worker_1", lease_seconds: float = 10) -> Claim | None:
    with database.writing() as session:
        return claim_run(session, worker_id, lease_seconds, 100)


def row(database: Database, run_id: str) -> RunRow:
    with database.reading() as session:
        return session.get_one(RunRow, run_id)


def requeue(database: Database, watch: LeaseWatch, max_attempts: int = 5) -> list[str]:
    """What a worker does once a second: takes runs whose leases have ended."""
    with database.writing() as session:
        return requeue_expired(session, watch.find_ended(session), max_attempts)


def test_the_run_that_waited_longest_comes_first(database: Database) -> None:
    first, second = enqueue(database), enqueue(database)

    claims = [claim(database), claim(database), claim(database)]

    assert [c and c.run_id for c in claims] == [first, second, None]
    assert row(database, first).status == "running"
    assert row(database, first).started_at is not None


def test_an_idle_worker_sees_whether_there_is_work(database: Database) -> None:
    with database.engine.connect() as connection:
        assert not queue_has_runs(connection, 100)
    enqueue(database)
    with database.engine.connect() as connection:
        assert queue_has_runs(connection, 100)


def test_of_many_workers_one_gets_a_run(database: Database) -> None:
    runs = {enqueue(database) for _ in range(20)}

    with ThreadPoolExecutor(6) as threads:
        claims = list(threads.map(lambda n: claim(database, f"worker_{n}"), range(24)))

    assert sorted(c.run_id for c in claims if c) == sorted(runs)


def test_a_run_whose_lease_ended_is_queued_again_and_keeps_its_start(database: Database) -> None:
    run_id = enqueue(database)
    first = claim(database)
    started_at = row(database, run_id).started_at
    watch = LeaseWatch(lease_seconds=0.1)
    assert requeue(database, watch) == []
    time.sleep(0.15)

    assert requeue(database, watch) == [run_id]

    assert row(database, run_id).status == "queued"
    second = claim(database, "worker_2")
    assert second == Claim(run_id, "worker_2", attempt=2)
    assert row(database, run_id).started_at == started_at
    assert first is not None
    with database.reading() as session, pytest.raises(ClaimLost):
        get_claimed_run(session, first)


def test_a_renewed_lease_does_not_end(database: Database) -> None:
    run_id = enqueue(database)
    mine = claim(database)
    assert mine is not None
    watch = LeaseWatch(lease_seconds=0.1)
    for _ in range(3):
        assert requeue(database, watch) == []
        time.sleep(0.15)
        with database.writing() as session:
            renew_lease(session, mine, 10)

    assert row(database, run_id).status == "running"


def test_a_lease_that_is_renewed_between_the_look_and_the_taking_stays(database: Database) -> None:
    enqueue(database)
    mine = claim(database)
    assert mine is not None
    watch = LeaseWatch(lease_seconds=0)
    with database.writing() as session:
        ended = watch.find_ended(session)
        renew_lease(session, mine, 10)
        assert len(ended) == 1
        assert requeue_expired(session, ended, max_attempts=5) == []


@pytest.mark.parametrize("hours", [-10, 10])
def test_a_clock_that_jumps_takes_no_run_from_who_lives_and_leaves_none_to_who_died(
    database: Database, monkeypatch: pytest.MonkeyPatch, hours: int
) -> None:
    living, dead = enqueue(database), enqueue(database)
    mine = claim(database, "worker_living", lease_seconds=0.1)
    claim(database, "worker_dead", lease_seconds=0.1)
    assert mine is not None
    watch = LeaseWatch(lease_seconds=0.1)
    assert requeue(database, watch) == []

    monkeypatch.setattr("app.worker.claim.utc_now", lambda: utc_now() + timedelta(hours=hours))
    time.sleep(0.15)
    with database.writing() as session:
        renew_lease(session, mine, 0.1)

    assert requeue(database, watch) == [dead]
    assert row(database, living).status == "running"
    assert row(database, dead).status == "queued"


def test_runs_of_a_dead_worker_are_queued_at_once(database: Database) -> None:
    run_id, other = enqueue(database), enqueue(database)
    claim(database, "worker_1")
    claim(database, "worker_2")

    with database.writing() as session:
        assert requeue_of_worker(session, "worker_1", max_attempts=5) == [run_id]

    assert row(database, run_id).status == "queued"
    assert row(database, other).status == "running"


def test_a_run_is_tried_so_often_and_then_fails(database: Database) -> None:
    run_id = enqueue(database)
    for _ in range(3):
        claim(database)
        with database.writing() as session:
            requeue_of_worker(session, "worker_1", max_attempts=3)

    run = row(database, run_id)
    assert run.status == "failed"
    assert run.finished_at is not None
    assert run.error is not None
    assert run.error["code"] == "worker_lost"
    assert "3 times" in run.error["message"]


def test_a_run_that_was_put_aside_has_not_lost_an_attempt(database: Database) -> None:
    run_id = enqueue(database)
    for _ in range(10):
        mine = claim(database)
        assert mine is not None
        with database.writing() as session:
            release_run(session, mine)

    assert row(database, run_id).status == "queued"
    assert row(database, run_id).attempts == 0


@pytest.mark.parametrize("lost_by", ["cancel", "lease"])
def test_who_lost_the_claim_changes_nothing(database: Database, lost_by: str) -> None:
    run_id = enqueue(database)
    mine = claim(database)
    assert mine is not None
    with database.writing() as session:
        if lost_by == "cancel":
            cancel_run(session, run_id)
        else:
            requeue_of_worker(session, "worker_1", max_attempts=5)
    status = row(database, run_id).status

    with pytest.raises(ClaimLost), database.writing() as session:
        end_run(session, mine, status="succeeded", finished_at=utc_now())
    with database.writing() as session:
        release_run(session, mine)
        renew_lease(session, mine, 10)

    assert row(database, run_id).status == status
    with database.reading() as session:
        assert session.scalars(select(RunRow.lease_expires_at)).all() == [None]


@pytest.mark.parametrize("how", ["cancelled", "failed", "lost"])
def test_no_run_ends_before_it_began_though_the_clock_was_put_back(
    database: Database, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    run_id = enqueue(database)
    earlier = utc_now() - timedelta(hours=3)
    monkeypatch.setattr("app.database.utc_now", lambda: earlier)
    mine = claim(database)
    assert mine is not None
    with database.writing() as session:
        if how == "cancelled":
            cancel_run(session, run_id)
        elif how == "failed":
            end_run(session, mine, status="failed", finished_at=RunRow.end_now())
        else:
            requeue_of_worker(session, mine.worker_id, max_attempts=1)
    run = row(database, run_id)
    assert run.status == ("cancelled" if how == "cancelled" else "failed")
    assert run.started_at is not None
    assert run.finished_at is not None
    assert earlier < run.created_at <= run.started_at <= run.finished_at
