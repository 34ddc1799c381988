"""Inline data: strict numbers, turned into arrays once."""

from typing import Any

import numpy as np
import orjson
import pytest

from app.errors import InvalidDocument
from app.spec.dataset import Dataset, load_data, weigh_classes
from app.spec.parsing import parse


def read(**inline: Any) -> Dataset:
    fields = {"x": [[1, 2], [3, 4]], "y": [0, 1], **inline}
    return parse(Dataset, orjson.dumps({"inline": fields}))


def problem(**inline: Any) -> tuple[str, str]:
    with pytest.raises(InvalidDocument) as caught:
        read(**inline)
    (found,) = caught.value.problems
    return found.pointer, found.message


def test_arrays_are_float32_and_flat_lists_are_columns() -> None:
    data = load_data(read(y=[0.5, 1]))
    assert {name: (a.dtype, a.shape) for name, a in data.inputs.items()} == {"x": (np.float32, (2, 2))}
    np.testing.assert_array_equal(data.targets["y"], np.float32([[0.5], [1]]))
    assert data.samples == 2


def test_what_was_sent_comes_back_exactly() -> None:
    inline = {
        "x": {"a": [[0.1, 1e-9], [3, 4]], "b": [1, 2]},
        "y": [[[1]], [[2**60]]],
        "sample_weight": [1, 0.5],
        "group": ["left", "right"],
        "columns": {"limit": [[0.3], [2]]},
    }
    assert read(**inline).document() == {"inline": inline}


@pytest.mark.parametrize(
    ("x", "pointer", "message"),
    [
        ([[1, 2], [3, "4"]], "/1/1", 'Expected a number; received "4".'),
        ([["1", "2"], ["3", "4"]], "/0/0", 'Expected a number; received "1".'),
        ([[1, 2], [3, True]], "/1/1", "Expected a number; received true."),
        ([[1, 2], [None, 4]], "/1/0", "Expected a number; received null."),
        ([[1, 2], [3, {"a": 1}]], "/1/1", "Expected a number; received an object."),
        ([[1, 2], [3]], "/1", "Expected 2 elements, as the first list has; received 1."),
        ([[1, 2], [3, 4, 5]], "/1", "Expected 2 elements, as the first list has; received 3."),
        ([[1, 2], 3], "/1", "Expected a list of 2, as its neighbours are; received 3."),
        ([[1, 2], [3, [4]]], "/1/1", "Expected a number; received a list of 1."),
        ([], "", "Expected at least one number; received an empty list."),
        ([[], []], "/0", "Expected at least one number; received an empty list."),
        (3, "", "Expected a list of numbers; received 3."),
        ("abc", "", 'Expected a list of numbers; received "abc".'),
        ([[1, 2], [3, 1e39]], "/1/1", "Expected a finite number of at most 3.4e+38; received 1e+39."),
        ({}, "", "Expected at least one named array; received an empty object."),
        ({"a": [[1], [2]], "b": [[1], ["2"]]}, "/b/1/0", 'Expected a number; received "2".'),
    ],
)
def test_the_first_wrong_element_is_named(x: Any, pointer: str, message: str) -> None:
    assert problem(x=x) == (f"/inline/x{pointer}", message)


def test_too_many_levels_are_refused() -> None:
    deep: Any = 1.0
    for _ in range(200):
        deep = [deep]
    pointer, message = problem(x=[deep, deep])
    assert message == "Expected at most 8 levels of lists; received more."
    assert pointer.startswith("/inline/x/0/0")


def test_not_a_number_is_refused_where_python_lets_it_through() -> None:
    with pytest.raises(InvalidDocument) as caught:
        parse(Dataset, {"inline": {"x": [[1.0], [float("nan")]], "y": [1, 2]}})
    assert caught.value.problems[0] == (
        "/inline/x/1/0",
        "Expected a finite number of at most 3.4e+38; received NaN.",
    )


def test_arrays_must_have_the_same_number_of_samples() -> None:
    assert problem(y=[1, 2, 3]) == ("/inline/y", "Expected 2 samples, as x has; received 3.")
    assert problem(columns={"limit": [1]})[0] == "/inline/columns/limit"
    assert problem(group=["a"])[0] == "/inline/group"
    assert problem(x={"a": [1, 2], "b": [1, 2, 3]}) == (
        "/inline/x/b",
        "Expected 2 samples, as x/a has; received 3.",
    )


@pytest.mark.parametrize(
    ("weight", "pointer", "message"),
    [
        ([1, -1], "/1", "Expected a number >= 0; received -1."),
        ([0, 0], "", "Expected a sample that counts; received only zeros."),
        ([[1], [1]], "", "Expected one number a sample; received nested lists."),
    ],
)
def test_sample_weights_are_not_negative(weight: Any, pointer: str, message: str) -> None:
    assert problem(sample_weight=weight) == (f"/inline/sample_weight{pointer}", message)


@pytest.mark.parametrize(
    ("group", "pointer", "message"),
    [
        (["a", 1], "/1", "Expected a text, as a group's name; received 1."),
        ([1, 1.5], "/1", "Expected an integer, as a group's name; received 1.5."),
        ([True, False], "/0", "Expected an integer, as a group's name; received true."),
        ("ab", "", 'Expected a list of texts or integers; received "ab".'),
    ],
)
def test_groups_are_texts_or_integers(group: Any, pointer: str, message: str) -> None:
    assert problem(group=group) == (f"/inline/group{pointer}", message)


def test_rows_are_taken_from_every_array() -> None:
    data = load_data(
        read(
            x=[[1], [2], [3]],
            y=[4, 5, 6],
            sample_weight=[7, 8, 9],
            group=["a", "b", "c"],
            columns={"l": [1, 2, 3]},
        )
    ).rows(np.array([2, 0]))
    assert data.inputs["x"].tolist() == [[3], [1]]
    assert data.targets["y"].tolist() == [[6], [4]]
    assert data.sample_weight is not None
    assert data.sample_weight.tolist() == [9, 7]
    assert data.group is not None
    assert data.group.tolist() == ["c", "a"]
    assert data.columns["l"].tolist() == [3, 1]


def test_an_only_input_and_an_only_target_take_the_models_names() -> None:
    data = load_data(read(x={"anything": [[1], [2]]})).named(["input_layer"], ["dense"])
    assert list(data.inputs) == ["input_layer"]
    assert list(data.targets) == ["dense"]


def test_several_keep_their_names_in_the_models_order() -> None:
    data = load_data(read(x={"a": [1, 2], "b": [3, 4]})).named(["b", "a"], ["dense"])
    assert {name: array.tolist() for name, array in data.inputs.items()} == {"b": [[3], [4]], "a": [[1], [2]]}
    assert list(data.inputs) == ["b", "a"]


def test_classes_are_weighed_by_number_or_one_hot() -> None:
    weights = {0: 0.5, 2: 3.0}
    numbers = np.float32([[0], [1], [2]])
    one_hot = np.eye(3, dtype=np.float32)
    np.testing.assert_array_equal(weigh_classes(numbers, weights), np.float32([0.5, 1, 3]))
    np.testing.assert_array_equal(weigh_classes(one_hot, weights), np.float32([0.5, 1, 3]))
