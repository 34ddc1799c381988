"""Questions to a worker and their answers, by functions that say what can be said in a line."""

import asyncio
import threading
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select, update

from app.calls import CallRow, ask_worker
from app.database import Database, utc_now
from app.errors import InvalidDocument, RunError, Unavailable
from app.worker.calls import answer_next_call, forget_old_calls

Payload = dict[str, Any]


def double(payload: Payload) -> Payload:
    return {"value": 2 * payload["value"]}


def refuse(_payload: Payload) -> Payload:
    raise InvalidDocument.at("/value/3", "Expected less; received more.")


def give_up(_payload: Payload) -> Payload:
    raise RunError("Keras can't.", "/loss")


def break_down(_payload: Payload) -> Payload:
    raise ZeroDivisionError("a secret of the worker")


KNOWN = {"double": double, "refuse": refuse, "give_up": give_up, "break_down": break_down}


@pytest.fixture
def _worker(database: Database) -> Iterator[None]:
    stopping = threading.Event()

    def work() -> None:
        while not stopping.is_set():
            if not answer_next_call(database, KNOWN):
                stopping.wait(0.005)

    thread = threading.Thread(target=work)
    thread.start()
    yield
    stopping.set()
    thread.join()


def ask(database: Database, kind: str, timeout_seconds: float = 30, **payload: Any) -> Any:
    return asyncio.run(ask_worker(database, kind, payload, timeout_seconds))


def stored(database: Database) -> list[CallRow]:
    with database.reading() as session:
        return list(session.scalars(select(CallRow)))


@pytest.mark.usefixtures("_worker")
class TestAnswering:
    def test_the_answer_comes_back_and_nothing_is_left(self, database: Database) -> None:
        assert ask(database, "double", value=[1.5]) == {"value": [1.5, 1.5]}
        assert stored(database) == []

    def test_many_at_once_get_each_their_own_answer(self, database: Database) -> None:
        async def ask_all() -> list[Any]:
            return await asyncio.gather(
                *(ask_worker(database, "double", {"value": n}, timeout_seconds=30) for n in range(20))
            )

        assert [answer["value"] for answer in asyncio.run(ask_all())] == list(range(0, 40, 2))

    def test_a_wrong_field_is_told_as_it_was_found(self, database: Database) -> None:
        with pytest.raises(InvalidDocument, match="Expected less; received more") as caught:
            ask(database, "refuse")
        assert caught.value.problems[0].pointer == "/value/3"

    def test_what_only_keras_finds_is_told(self, database: Database) -> None:
        with pytest.raises(RunError, match="Keras can't") as caught:
            ask(database, "give_up")
        assert caught.value.pointer == "/loss"

    @pytest.mark.parametrize("kind", ["break_down", "no such kind"])
    def test_any_other_error_is_not_told_and_ends_nothing(self, database: Database, kind: str) -> None:
        with pytest.raises(Unavailable) as caught:
            ask(database, kind)
        assert "secret" not in str(caught.value)
        assert ask(database, "double", value=2) == {"value": 4}


def test_without_a_worker_the_time_is_up_and_nothing_is_left(database: Database) -> None:
    with pytest.raises(Unavailable, match="No worker"):
        ask(database, "double", timeout_seconds=0.05, value=1)
    assert stored(database) == []


def test_a_question_whose_asker_died_is_forgotten(database: Database) -> None:
    with pytest.raises(Unavailable):
        ask(database, "double", timeout_seconds=0, value=1)
    with database.writing() as session:
        for call_id in ("call_old", "call_new"):
            session.add(CallRow(id=call_id, kind="double", status="taken", created_at=utc_now(), payload={}))
    with database.writing() as session:
        long_ago = utc_now() - timedelta(hours=1)
        session.execute(update(CallRow).where(CallRow.id == "call_old").values(created_at=long_ago))

    with database.writing() as session:
        forget_old_calls(session)

    assert [call.id for call in stored(database)] == ["call_new"]
