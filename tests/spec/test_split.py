"""Which rows go where."""

from itertools import chain
from typing import Any

import numpy as np
import pytest

from app.errors import InvalidDocument
from app.spec.dataset import RunData
from app.spec.parsing import parse
from app.spec.split import Split, split_rows


def data(samples: int, targets: Any = None) -> RunData:
    y = np.zeros((samples, 1)) if targets is None else np.array(targets)
    return RunData({"x": np.zeros((samples, 2), np.float32)}, {"y": y.astype(np.float32)})


def rows(samples: int = 10, targets: Any = None, **split: Any) -> dict[str, list[int]]:
    parts = split_rows(parse(Split, split), data(samples, targets))
    assert all(part.dtype == np.int64 for part in parts.values())
    return {name: part.tolist() for name, part in parts.items()}


def problem(samples: int = 10, **split: Any) -> tuple[str, str]:
    with pytest.raises(InvalidDocument) as caught:
        rows(samples, **split)
    return tuple(caught.value.problems[0])


def test_without_a_split_all_rows_train() -> None:
    assert split_rows(None, data(3))["train"].tolist() == [0, 1, 2]
    assert rows(3) == {"train": [0, 1, 2]}


def test_ranges_are_half_open() -> None:
    assert rows(train={"rows": [0, 3]}, validation={"rows": [3, 5]}) == {
        "train": [0, 1, 2],
        "validation": [3, 4],
    }


def test_a_part_may_have_several_ranges() -> None:
    assert rows(train={"rows": [[8, 10], [0, 2]]}, test={"rows": [[4, 5]]}) == {
        "train": [0, 1, 8, 9],
        "test": [4],
    }


def test_train_is_what_no_other_part_names() -> None:
    assert rows(validation={"rows": [2, 9]}) == {"train": [0, 1, 9], "validation": [2, 3, 4, 5, 6, 7, 8]}


def test_fractions_are_drawn_by_the_seed() -> None:
    split = {"train": {"fraction": 0.5}, "validation": {"fraction": 0.3}, "test": {"fraction": 0.2}}
    drawn = rows(100, **split)
    assert {name: len(part) for name, part in drawn.items()} == {"train": 50, "validation": 30, "test": 20}
    assert sorted(chain(*drawn.values())) == list(range(100))
    assert rows(100, **split) == drawn
    assert rows(100, **split, seed=1) != drawn
    assert drawn["train"] != list(range(50))


def test_fractions_that_sum_to_one_use_every_row() -> None:
    drawn = rows(7, train={"fraction": 0.7}, validation={"fraction": 0.2}, test={"fraction": 0.1})
    assert sorted(chain(*drawn.values())) == list(range(7))


def test_rest_of_a_fraction_trains() -> None:
    drawn = rows(10, validation={"fraction": 0.3})
    assert sorted(drawn["train"] + drawn["validation"]) == list(range(10))
    assert len(drawn["validation"]) == 3


@pytest.mark.parametrize("one_hot", [False, True])
def test_stratified_parts_have_the_shares_of_the_classes(one_hot: bool) -> None:
    labels = np.array([0] * 60 + [1] * 30 + [2] * 10)
    targets = np.eye(3)[labels] if one_hot else labels[:, None]
    split = {"train": {"fraction": 0.7}, "validation": {"fraction": 0.3}, "stratified": True}
    drawn = rows(100, targets, **split)
    assert np.bincount(labels[drawn["train"]]).tolist() == [42, 21, 7]
    assert np.bincount(labels[drawn["validation"]]).tolist() == [18, 9, 3]
    assert rows(100, targets, **split, seed=5) != drawn


@pytest.mark.parametrize(
    ("split", "pointer", "message"),
    [
        (
            {"train": {"rows": [0, 11]}},
            "/split/train/rows",
            "Expected rows up to the 10 samples there are; received [0, 11].",
        ),
        (
            {"train": {"rows": [5, 20]}, "validation": {"rows": [0, 5]}},
            "/split/train/rows",
            "Expected rows up to the 10 samples there are; received [5, 20].",
        ),
        (
            {"validation": {"rows": [0, 10]}},
            "/split",
            "Expected rows left to train; received parts with all 10.",
        ),
        (
            {"validation": {"fraction": 0.01}},
            "/split/validation/fraction",
            "Expected a share of at least one of 10 rows; received 0.01.",
        ),
        (
            {"train": {"fraction": 0.5}, "stratified": True},
            "/split/stratified",
            "Expected targets that repeat, as classes do; received only different ones.",
        ),
    ],
)
def test_a_split_that_the_data_do_not_allow_is_refused(split: Any, pointer: str, message: str) -> None:
    targets = np.arange(10.0)[:, None] if "stratified" in split else None
    with pytest.raises(InvalidDocument) as caught:
        rows(10, targets, **split)
    assert tuple(caught.value.problems[0]) == (pointer, message)


@pytest.mark.parametrize(
    ("split", "pointer", "message"),
    [
        (
            {"train": {"rows": [3, 3]}},
            "/train/rows",
            "Expected a range [first, end] with first < end; received [3, 3].",
        ),
        (
            {"train": {"rows": [3, -1]}},
            "/train/rows/1",
            "Expected the number of a row, an integer >= 0; received -1.",
        ),
        (
            {"train": {"rows": [0, "3"]}},
            "/train/rows/1",
            'Expected the number of a row, an integer >= 0; received "3".',
        ),
        (
            {"train": {"rows": [1, 2, 3]}},
            "/train/rows",
            "Expected [first, end], or a list of such ranges; received a list of 3.",
        ),
        ({"train": {"rows": [[0, 2], [3, -1]]}}, "/train/rows/1/1", "Expected a number >= 0; received -1."),
        (
            {"train": {"rows": [[0, 2, 3]]}},
            "/train/rows/0",
            "Expected at most 2 of them; received a list of 3.",
        ),
        ({"train": {"rows": []}}, "/train/rows", "Expected at least 1 of them; received an empty list."),
        (
            {"train": {"rows": [[0, 5], [4, 6]]}},
            "/train/rows",
            "Expected each row once; received row 4 in two ranges.",
        ),
        (
            {"train": {"rows": [0, 5]}, "test": {"rows": [4, 6]}},
            "/test/rows",
            "Expected no row in two parts; received row 4 in train too.",
        ),
        ({"train": {"fraction": 1.5}}, "/train/fraction", "Expected a number <= 1.0; received 1.5."),
        (
            {"train": {"fraction": 0.8}, "test": {"fraction": 0.3}},
            "/train",
            "Expected fractions that sum to at most 1; received 1.1.",
        ),
        (
            {"train": {"fraction": 0.8}, "test": {"rows": [0, 2]}},
            "/test",
            "Expected a fraction, as the other parts are; received rows.",
        ),
        (
            {"train": {"rows": [0, 2]}, "stratified": True},
            "/stratified",
            "Expected parts by fraction with stratified; received rows.",
        ),
        ({"train": [0, 2]}, "/train", "Expected an object; received a list of 2."),
        (
            {"valid": {"rows": [0, 2]}},
            "/valid",
            'Expected one of the fields "train", "validation", "test", "seed", "stratified", "fold"; '
            'received "valid". Did you mean "validation"?',
        ),
    ],
)
def test_a_split_that_contradicts_itself_is_refused(split: Any, pointer: str, message: str) -> None:
    assert problem(**split) == (pointer, message)
