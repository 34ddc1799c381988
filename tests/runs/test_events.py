"""Events of runs, on a real database that a worker's functions write."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient
from sqlalchemy import event

from app.database import Database
from app.main import create_app
from app.runs.events import EPOCHS_AN_EVENT, Position
from app.runs.history import append_block, cut_history
from app.runs.service import build_run, create_run
from app.runs.tables import RunRow
from app.runs.waiting import RunWatcher, follow_events
from app.settings import Settings
from app.spec.parsing import parse_run
from tests.support.documents import tiny_document
from tests.support.events import Event, read_events, told_epochs, told_statuses


@pytest.fixture
def client(database: Database, tmp_path: Path) -> Iterator[TestClient]:
    with TestClient(create_app(Settings(data_dir=tmp_path))) as client:
        yield client


def enqueue(database: Database) -> str:
    with database.writing() as session:
        return create_run(session, build_run(parse_run(tiny_document()), "hash", None)).id


def record(database: Database, run_id: str, last: int, every: int = 1) -> None:
    """Stores the history up to epoch `last`: the loss of an epoch is its number."""
    with database.writing() as session:
        run = session.get_one(RunRow, run_id)
        run.status = "running"
        epochs = np.arange(run.epoch + 1, last + 1, dtype=np.int32)
        chosen = epochs[epochs % every == 0]
        values = chosen[:, None].astype(np.float32)
        append_block(session, run, (run.epoch + 1, last), chosen, ["loss"], values)


def end(database: Database, run_id: str, status: str = "succeeded") -> None:
    with database.writing() as session:
        session.get_one(RunRow, run_id).status = status


def get(client: TestClient, run_id: str, last_event_id: str | None = None) -> list[Event]:
    headers = {} if last_event_id is None else {"Last-Event-ID": last_event_id}
    answer = client.get(f"/runs/{run_id}/events", headers=headers)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith("text/event-stream")
    return list(read_events(answer.text.splitlines()))


def follow(stream: AsyncIterator[bytes]) -> AsyncIterator[Event]:
    """The events of a stream as they come."""

    async def events() -> AsyncIterator[Event]:
        async for sent in stream:
            for found in read_events(sent.decode().split("\n")):
                yield found

    return events()


class TestOfARunThatEnded:
    def test_all_epochs_come_once_then_the_status(self, client: TestClient, database: Database) -> None:
        run_id = enqueue(database)
        record(database, run_id, 3)
        record(database, run_id, 7)
        end(database, run_id)

        events = get(client, run_id)

        assert told_epochs(events) == list(range(1, 8))
        assert told_statuses(events) == ["succeeded"]
        assert events[-1].id == "7-succeeded"
        metrics = client.get(f"/runs/{run_id}/metrics").json()
        assert events[0].data == metrics

    def test_from_every_id_on_comes_exactly_the_rest(self, client: TestClient, database: Database) -> None:
        run_id = enqueue(database)
        record(database, run_id, 2 * EPOCHS_AN_EVENT + 5, every=2)
        end(database, run_id, "failed")
        events = get(client, run_id)
        assert len(events) > 2

        for position, told in enumerate(events[:-1], start=1):
            rest = get(client, run_id, told.id)
            assert told_epochs(rest) == told_epochs(events[position:])
            assert told_statuses(rest) == ["failed"]

    def test_who_has_read_all_is_told_not_to_come_back(self, client: TestClient, database: Database) -> None:
        run_id = enqueue(database)
        record(database, run_id, 4)
        end(database, run_id)

        answer = client.get(f"/runs/{run_id}/events", headers={"Last-Event-ID": "4-succeeded"})

        assert answer.status_code == 204

    def test_a_run_that_was_cancelled_in_the_queue(self, client: TestClient, database: Database) -> None:
        run_id = enqueue(database)
        end(database, run_id, "cancelled")

        (only,) = get(client, run_id)

        assert (only.kind, only.id, only.data["progress"]["epoch"]) == ("status", "0-cancelled", 0)

    def test_there_is_no_such_run(self, client: TestClient) -> None:
        assert client.get("/runs/run_none/events").status_code == 404

    @pytest.mark.parametrize("wrong", ["7", "7-", "-running", "7-done", "x-running", "9" * 11 + "-running"])
    def test_an_id_that_no_event_has(self, client: TestClient, database: Database, wrong: str) -> None:
        answer = client.get(f"/runs/{enqueue(database)}/events", headers={"Last-Event-ID": wrong})

        assert answer.status_code == 422
        assert answer.json()["errors"][0]["parameter"] == "last-event-id"


class TestOfARunThatGoesOn:
    def test_epochs_come_as_they_are_recorded(self, database: Database) -> None:
        run_id = enqueue(database)

        async def watch() -> list[Event]:
            events = follow(follow_events(RunWatcher(database), run_id, Position(0, None)))
            seen = [await anext(events)]
            for last in (2, 5):
                record(database, run_id, last)
                while seen[-1].kind == "status" or seen[-1].data["epochs"][-1] < last:
                    seen.append(await anext(events))
            end(database, run_id)
            return seen + [event async for event in events]

        seen = asyncio.run(watch())

        assert told_statuses(seen) == ["queued", "running", "succeeded"]
        assert told_epochs(seen) == [1, 2, 3, 4, 5]

    def test_epochs_that_are_trained_again_are_not_told_again(self, database: Database) -> None:
        run_id = enqueue(database)
        record(database, run_id, 20)

        async def watch() -> list[Event]:
            events = follow(follow_events(RunWatcher(database), run_id, Position(0, None)))
            seen = [await anext(events), await anext(events)]
            with database.writing() as session:
                cut_history(session, session.get_one(RunRow, run_id), 12)
            record(database, run_id, 17)
            record(database, run_id, 25)
            end(database, run_id)
            return seen + [event async for event in events]

        assert told_epochs(asyncio.run(watch())) == list(range(1, 26))

    def test_a_run_that_is_deleted_ends_its_stream(self, database: Database) -> None:
        run_id = enqueue(database)

        async def watch() -> list[Event]:
            events = follow(follow_events(RunWatcher(database), run_id, Position(0, None)))
            seen = [await anext(events)]
            with database.writing() as session:
                session.delete(session.get_one(RunRow, run_id))
            return seen + [event async for event in events]

        assert told_statuses(asyncio.run(watch())) == ["queued"]

    def test_when_the_service_stops_streams_end(self, database: Database) -> None:
        run_id = enqueue(database)

        async def watch() -> list[Event]:
            watcher = RunWatcher(database)
            events = follow(follow_events(watcher, run_id, Position(0, None)))
            seen = [await anext(events)]
            asyncio.get_running_loop().call_later(0.1, watcher.close)
            return seen + [event async for event in events]

        assert told_statuses(asyncio.run(watch())) == ["queued"]

    def test_a_quiet_stream_sends_comments(self, database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("app.runs.waiting.KEEP_ALIVE_SECONDS", 0.02)
        run_id = enqueue(database)

        async def watch() -> list[bytes]:
            stream = follow_events(RunWatcher(database), run_id, Position(0, "queued"))
            return [await anext(stream) for _ in range(3)]

        first, *comments = asyncio.run(watch())
        assert first.startswith(b"retry: ")
        assert all(comment.startswith(b":") and comment.endswith(b"\n\n") for comment in comments)


def test_many_listeners_cost_one_look_and_not_one_each(database: Database) -> None:
    """Of several runs, from several positions, 200 at once: the queries are those of one listener."""
    run_ids = [enqueue(database) for _ in range(4)]
    for run_id in run_ids:
        record(database, run_id, 10)
    queries: list[str] = []

    def count(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        if statement.startswith("SELECT"):
            queries.append(statement)

    async def listen(watcher: RunWatcher, number: int) -> list[Event]:
        start = Position(number % 7, "running")
        stream = follow_events(watcher, run_ids[number % len(run_ids)], start)
        return [event async for event in follow(stream)]

    async def watch() -> list[list[Event]]:
        watcher = RunWatcher(database)
        listeners = [asyncio.create_task(listen(watcher, number)) for number in range(200)]
        await asyncio.sleep(0.3)
        for run_id in run_ids:
            record(database, run_id, 15)
        await asyncio.sleep(0.3)
        for run_id in run_ids:
            end(database, run_id)
        return await asyncio.gather(*listeners)

    event.listen(database.engine, "before_cursor_execute", count)
    told = asyncio.run(watch())

    for number, events in enumerate(told):
        assert told_epochs(events) == list(range(number % 7 + 1, 16))
        assert told_statuses(events) == ["succeeded"]
    # All together look once in LOOK_SECONDS; if each looked for itself, there would be 200 at the first look.
    assert len([query for query in queries if "FROM runs" in query]) < 200
    of_history = [query for query in queries if "FROM history_blocks" in query]
    assert len(of_history) <= 2 + len(run_ids)  # the start, then the runs as they are written one by one
