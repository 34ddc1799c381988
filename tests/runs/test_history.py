import numpy as np
import pytest

from app.database import Database
from app.runs.history import History, append_block, cut_history, read_history
from app.runs.service import build_run, create_run
from app.runs.tables import RunRow
from app.spec.parsing import parse_run
from tests.support.documents import tiny_document

COLUMNS = ["loss", "accuracy"]


@pytest.fixture
def run_id(database: Database) -> str:
    with database.writing() as session:
        return create_run(session, build_run(parse_run(tiny_document()), "hash", None)).id


def figures(epochs: np.ndarray) -> np.ndarray:
    return np.stack([epochs / 10, -epochs], axis=1).astype(np.float32)


def append(database: Database, run_id: str, first: int, last: int, every: int = 1) -> None:
    epochs = np.arange(first, last + 1, dtype=np.int32)
    epochs = epochs[epochs % every == 0]
    with database.writing() as session:
        run = session.get_one(RunRow, run_id)
        append_block(session, run, (first, last), epochs, COLUMNS, figures(epochs))


def read(database: Database, run_id: str, since_epoch: int = 0) -> History:
    with database.reading() as session:
        return read_history(session, session.get_one(RunRow, run_id), since_epoch)


def test_a_run_without_history(database: Database, run_id: str) -> None:
    history = read(database, run_id)

    assert history.epochs.tolist() == []
    assert history.series() == {}
    assert history.csv() == "epoch\r\n"


def test_blocks_are_read_as_one(database: Database, run_id: str) -> None:
    append(database, run_id, 1, 3)
    append(database, run_id, 4, 4)
    append(database, run_id, 5, 9)

    history = read(database, run_id)

    assert history.epochs.tolist() == list(range(1, 10))
    np.testing.assert_array_equal(history.values, figures(np.arange(1, 10)))
    assert list(history.series()) == COLUMNS


@pytest.mark.parametrize("since", [0, 1, 3, 4, 8, 9, 100])
def test_only_epochs_after_one(database: Database, run_id: str, since: int) -> None:
    append(database, run_id, 1, 3)
    append(database, run_id, 4, 9)

    history = read(database, run_id, since)

    assert history.epochs.tolist() == list(range(since + 1, 10))
    np.testing.assert_array_equal(history.values, figures(np.arange(since + 1, 10)))


@pytest.mark.parametrize("first", [3, 5, 6])
def test_a_gap_or_a_repetition_is_refused(database: Database, run_id: str, first: int) -> None:
    append(database, run_id, 1, 3)

    with pytest.raises(ValueError, match="Expected the history from epoch 4"):
        append(database, run_id, first, 8) if first != 3 else append(database, run_id, 3, 4)

    assert read(database, run_id).epochs.tolist() == [1, 2, 3]


def test_other_columns_are_refused(database: Database, run_id: str) -> None:
    append(database, run_id, 1, 3)

    four, zero = np.array([4], np.int32), np.zeros((1, 1), np.float32)
    with database.writing() as session:
        run = session.get_one(RunRow, run_id)
        with pytest.raises(ValueError, match="Expected the columns"):
            append_block(session, run, (4, 4), four, ["loss"], zero)


@pytest.mark.parametrize("epoch", [0, 2, 3, 5, 9])
def test_history_is_cut_and_goes_on(database: Database, run_id: str, epoch: int) -> None:
    append(database, run_id, 1, 3)
    append(database, run_id, 4, 9)

    with database.writing() as session:
        cut_history(session, session.get_one(RunRow, run_id), epoch)

    assert read(database, run_id).epochs.tolist() == list(range(1, epoch + 1))
    append(database, run_id, epoch + 1, 12)
    history = read(database, run_id)
    assert history.epochs.tolist() == list(range(1, 13))
    np.testing.assert_array_equal(history.values, figures(np.arange(1, 13)))


def test_only_every_third_epoch_is_recorded(database: Database, run_id: str) -> None:
    append(database, run_id, 1, 2, every=3)
    append(database, run_id, 3, 7, every=3)
    append(database, run_id, 8, 20, every=3)
    with database.writing() as session:
        cut_history(session, session.get_one(RunRow, run_id), 10)
    append(database, run_id, 11, 13, every=3)

    assert read(database, run_id).epochs.tolist() == [3, 6, 9, 12]


@pytest.mark.parametrize(
    ("max_points", "expected"),
    [(1, [10]), (2, [1, 10]), (4, [1, 4, 7, 10]), (10, list(range(1, 11))), (99, list(range(1, 11)))],
)
def test_thinning_keeps_both_ends(max_points: int, expected: list[int]) -> None:
    epochs = np.arange(1, 11, dtype=np.int32)

    thinned = History(COLUMNS, epochs, figures(epochs)).thinned(max_points)

    assert thinned.epochs.tolist() == expected
    np.testing.assert_array_equal(thinned.values, figures(thinned.epochs))


def test_csv_gives_the_same_floats_back_and_leaves_out_what_is_not_finite() -> None:
    values = np.array([[0.1, np.nan], [1 / 3, np.inf]], np.float32)

    text = History(COLUMNS, np.array([1, 2], np.int32), values).csv()

    assert text == "epoch,loss,accuracy\r\n1,0.1,\r\n2,0.33333334,\r\n"
    assert np.float32("0.33333334") == np.float32(1 / 3)
