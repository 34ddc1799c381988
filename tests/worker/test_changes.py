import pytest
from sqlalchemy import text

from app.database import Database
from app.worker import changes
from app.worker.changes import Changes

REGISTER = text("INSERT INTO counters (name, value) VALUES (:name, 1)")


def test_it_tells_once_that_others_have_written(database: Database) -> None:
    seen = Changes(database)
    assert [seen.may_be(), seen.may_be()] == [True, False]

    with database.writing() as session:
        session.execute(REGISTER, {"name": "one"})

    assert [seen.may_be(), seen.may_be()] == [True, False]


def test_what_was_undone_is_no_change(database: Database) -> None:
    seen = Changes(database)
    seen.may_be()

    with database.writing() as session:
        session.execute(REGISTER, {"name": "one"})
        session.rollback()

    assert not seen.may_be()


def test_each_who_looks_is_told(database: Database) -> None:
    one, other = Changes(database), Changes(database)
    one.may_be()
    other.may_be()

    with database.writing() as session:
        session.execute(REGISTER, {"name": "one"})

    assert [one.may_be(), other.may_be()] == [True, True]


def test_after_a_while_it_is_worth_a_look_all_the_same(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(changes, "LOOK_SECONDS", 0.0)
    seen = Changes(database)
    assert [seen.may_be(), seen.may_be()] == [True, True]
