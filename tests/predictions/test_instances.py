from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from app.errors import InvalidDocument
from app.predictions.instances import read_instances
from app.predictions.sessions import ModelInput

FLOAT = np.dtype(np.float32)
PAIR = [ModelInput("x", (2,), FLOAT)]
TWO = [ModelInput("a", (2,), FLOAT), ModelInput("b", (), np.dtype(np.int32))]
SEQUENCE = [ModelInput("steps", (None, 2), FLOAT)]


@pytest.mark.parametrize("maybe_booleans", [True, False])
@pytest.mark.parametrize(
    ("instances", "inputs", "expected"),
    [
        ([[0.1, 2]], PAIR, {"x": np.float32([[0.1, 2]])}),
        ({"x": [[1, 2], [3, 4]]}, PAIR, {"x": np.float32([[1, 2], [3, 4]])}),
        ([{"x": [1, 2]}, {"x": [3, 4]}], PAIR, {"x": np.float32([[1, 2], [3, 4]])}),
        ({"b": [5, 6.0], "a": [[1, 2], [3, 4]]}, TWO, {"a": np.float32([[1, 2], [3, 4]]), "b": [5, 6]}),
        ([{"a": [1, 2], "b": 5}], TWO, {"a": np.float32([[1, 2]]), "b": np.int32([5])}),
        ([[[1, 2], [3, 4], [5, 6]]], SEQUENCE, {"steps": np.float32([[[1, 2], [3, 4], [5, 6]]])}),
        ([3], [ModelInput("n", (), np.dtype(np.int64))], {"n": np.int64([3])}),
        ([2**63, 1e30], [ModelInput("n", (), FLOAT)], {"n": np.float32([2**63, 1e30])}),
        ([[2, 255]], [ModelInput("n", (2,), np.dtype(np.uint8))], {"n": np.uint8([[2, 255]])}),
        ([[0.5, 2]], [ModelInput("n", (2,), np.dtype(np.float16))], {"n": np.float16([[0.5, 2]])}),
    ],
)
def test_every_form_becomes_arrays(
    instances: Any, inputs: list[ModelInput], expected: dict[str, Any], maybe_booleans: bool
) -> None:
    arrays = read_instances(instances, inputs, maybe_booleans=maybe_booleans)
    assert list(arrays) == [model_input.name for model_input in inputs]
    for model_input in inputs:
        assert arrays[model_input.name].dtype == model_input.dtype
        assert_array_equal(arrays[model_input.name], expected[model_input.name])


@pytest.mark.parametrize(
    ("instances", "inputs", "pointer", "expected", "received"),
    [
        ([], PAIR, "/instances", "a list of at least one row", "an empty list"),
        (5, PAIR, "/instances", "a list of at least one row", "5"),
        ("no", PAIR, "/instances", 'a list of at least one row', '"no"'),
        (None, PAIR, "/instances", "a list of at least one row", "null"),
        ([1, 2], PAIR, "/instances/0", "a list of 2 numbers", "1"),
        ([[]], PAIR, "/instances/0", "a list of 2 numbers", "an empty list"),
        ([[1, 2], [1, 2, 3]], PAIR, "/instances/1", "a list of 2 numbers", "a list of 3"),
        ([[1], [1, 2]], PAIR, "/instances/0", "a list of 2 numbers", "a list of 1"),
        ([[1, 2], [[1], [2]]], PAIR, "/instances/1/0", "a number", "a list of 1"),
        ([[1, "2"]], PAIR, "/instances/0/1", 'a number', '"2"'),
        ([["1", "2"]], PAIR, "/instances/0/0", 'a number', '"1"'),
        ([[1, None]], PAIR, "/instances/0/1", "a number", "null"),
        ([[1, {}]], PAIR, "/instances/0/1", "a number", "an empty object"),
        ([[1, 2], {"x": [1, 2]}], PAIR, "/instances/1", "a list of 2 numbers", "an object"),
        ([[1, 2], [3, 1e39]], PAIR, "/instances/1/1", "a number that float32 holds", "1e+39"),
        ({"x": []}, PAIR, "/instances/x", "a list of at least one row", "an empty list"),
        ({"x": [[1]]}, PAIR, "/instances/x/0", "a list of 2 numbers", "a list of 1"),
        ({}, PAIR, "/instances/x", 'the input "x"', 'nothing'),
        ([{}], PAIR, "/instances/0/x", 'the input "x"', 'nothing'),
        ([{"x": [1, 2]}, 3], PAIR, "/instances/1", "an object, as the first instance is", "3"),
        ([{"x": [1, 2]}, {"x": 3}], PAIR, "/instances/1/x", "a list of 2 numbers", "3"),
        ([[1, 2]], TWO, "/instances", 'rows for each of the inputs "a", "b", by name', 'a list of 1'),
        ({"a": [[1, 2]], "b": [1, 2]}, TWO, "/instances/b", "1 rows, as for a", "2"),
        ({"a": [[1, 2]], "b": [1.5]}, TWO, "/instances/b/0", "a whole number that int32 holds", "1.5"),
        ({"a": [[1, 2]], "b": [2**31]}, TWO, "/instances/b/0", "a whole number that int32 holds", f"{2**31}"),
        ([{"a": [1, 2], "b": [1]}], TWO, "/instances/0/b", "a number", "a list of 1"),
        ([[[1, 2]], [[1, 2], [3, 4]]], SEQUENCE, "/instances/1", "a list of 1 list", "a list of 2"),
        ([[]], SEQUENCE, "/instances/0", "a list of at least one list", "an empty list"),
        ([[[1, 2], [3]]], SEQUENCE, "/instances/0/1", "a list of 2 numbers", "a list of 1"),
    ],
)  # fmt: skip
def test_the_first_misfit_is_named(
    instances: Any, inputs: list[ModelInput], pointer: str, expected: str, received: str
) -> None:
    for maybe_booleans in (False, True):
        with pytest.raises(InvalidDocument) as caught:
            read_instances(instances, inputs, maybe_booleans=maybe_booleans)
        assert caught.value.problems == ((pointer, f"Expected {expected}; received {received}."),)


@pytest.mark.parametrize("row", [[True, 0.5], [True, False]])
def test_booleans_are_no_numbers(row: list[Any]) -> None:
    with pytest.raises(InvalidDocument) as caught:
        read_instances([[1, 2], row], PAIR, maybe_booleans=True)
    assert caught.value.problems == (("/instances/1/0", "Expected a number; received true."),)


def test_an_unknown_input_is_told_the_nearest() -> None:
    with pytest.raises(InvalidDocument) as caught:
        read_instances({"stepps": [[[1, 2]]]}, SEQUENCE, maybe_booleans=False)
    ((pointer, message),) = caught.value.problems
    assert pointer == "/instances/stepps"
    assert message.endswith('Did you mean "steps"?')


def test_deep_nesting_is_refused() -> None:
    deep: Any = 1.0
    for _ in range(900):
        deep = [deep]
    with pytest.raises(InvalidDocument) as caught:
        read_instances(deep, PAIR, maybe_booleans=False)
    assert caught.value.problems[0].pointer == "/instances/0"
