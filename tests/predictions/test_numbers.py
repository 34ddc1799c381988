"""Numbers straight to arrays, against the longer way."""

from typing import Any

import numpy as np
import orjson
import pytest
from numpy.testing import assert_array_equal

from app.errors import InvalidDocument
from app.predictions.documents import PredictRequest, read_request
from app.predictions.instances import read_instances
from app.predictions.numbers import LEAST_BYTES, fit_numbers, read_numbers
from app.predictions.sessions import ModelInput
from app.predictions.targets import EnsembleTarget, RunTarget

FLOAT, INT = np.dtype(np.float32), np.dtype(np.int32)
PAIR = [ModelInput("x", (2,), FLOAT)]
TWO = [ModelInput("a", (2,), FLOAT), ModelInput("b", (), INT)]
IMAGES = [ModelInput("x", (None, 3, 2), FLOAT)]


def body_of(instances: str, more: str = "") -> bytes:
    return f'{{"run_id": "r",{more} "instances": {instances}}}'.encode()


@pytest.mark.parametrize(
    ("instances", "inputs"),
    [
        ("[[1, 2], [3.5, -0]]", PAIR),
        ("[[0.1, 18446744073709551615], [1e38, 3.4028234e38]]", PAIR),
        ('{"x": [[1, 2]]}', PAIR),
        ('{"b": [5, 6.0], "a": [[1, 2], [3, 4]]}', TWO),
        ("[[[[1, 2], [3, 4], [5, 6]], [[7, 8], [9, 0], [1, 2]]]]", IMAGES),
        ("[1, 2, 3]", [ModelInput("x", (), np.dtype(np.int64))]),
        ("[[2, 255]]", [ModelInput("x", (2,), np.dtype(np.uint8))]),
    ],
)
def test_numbers_are_those_of_the_longer_way(instances: str, inputs: list[ModelInput]) -> None:
    document = read_numbers(body_of(instances))
    assert document is not None
    fitted = fit_numbers(document["instances"], inputs)
    assert fitted is not None
    expected = read_instances(orjson.loads(instances), inputs, maybe_booleans=True)
    assert list(fitted) == list(expected)
    for name, array in expected.items():
        assert fitted[name].dtype == array.dtype
        assert_array_equal(fitted[name], array)


@pytest.mark.parametrize(
    "instances",
    [
        "[]", "[[]]", "5", "null", '"text"', "{}x", "[[1, 2]",
        "[[1, true]]", "[[true, false]]", '[[1, "2"]]', "[[1, null]]", "[[1, {}]]", "[[1, NaN]]",
        "[[1, 1e400]]", "[[1, 2], [3]]", "[[1], [2, 3]]", "[[1, [2]]]", "[[[1], 2]]", "[[[1], [2]], [3, 4]]",
        "[1, [2]]",
        "[[1], 2]",
        "[[[1, 2], [3]], [[4], [5, 6]]]", "[{\"x\": [1, 2]}]", '{"x": {"y": [1]}}', '{"x": 1}',
        '{"x": "text"}', "[[1, 184467440737095516160]]", "[[01, 2]]", "[[1, 2],]", "[" * 3000 + "]" * 3000,
    ],
)  # fmt: skip
def test_of_anything_unusual_it_says_nothing(instances: str) -> None:
    assert read_numbers(body_of(instances)) is None


@pytest.mark.parametrize(
    "body",
    [
        b"[[1, 2]]",
        b"\xef\xbb\xbf" + body_of("[[1, 2]]"),
        body_of("[[1, 2]]") + b" 1",
        body_of("[[1, 2]]") + b"\x00",
        body_of("[[1, 2]]", ' "instances": [[3, 4]],'),
        body_of('{"x": [[1, 2]], "x": [[3, 4]]}'),
        body_of("[[1, 2]]", ' "model": "[",'),
        b'{"run_id": "\xff", "instances": [[1, 2]]}',
    ],
)
def test_nor_of_an_unusual_document(body: bytes) -> None:
    assert read_numbers(body) is None


@pytest.mark.parametrize(
    ("instances", "inputs"),
    [
        ([[1, 2, 3]], PAIR),
        ([[[1, 2]]], PAIR),
        ([[1, 1e39]], PAIR),
        ({"y": [[1, 2]]}, PAIR),
        ([[1, 2]], TWO),
        ({"a": [[1, 2]], "b": [1.5]}, TWO),
        ({"a": [[1, 2]], "b": [2**31]}, TWO),
        ({"a": [[1, 2]], "b": [1, 2]}, TWO),
        ([2**53 + 2], [ModelInput("x", (), np.dtype(np.int64))]),
    ],
)
def test_what_the_model_does_not_take_is_left_to_the_longer_way(
    instances: Any, inputs: list[ModelInput]
) -> None:
    document = read_numbers(orjson.dumps({"instances": instances}))
    assert document is not None
    assert fit_numbers(document["instances"], inputs) is None


def large(rows: list[Any], **fields: Any) -> PredictRequest:
    body = orjson.dumps({"run_id": "r", "instances": rows, **fields})
    assert len(body) >= LEAST_BYTES
    return read_request(body)


def test_a_large_request_is_read_like_a_small_one() -> None:
    rows = np.random.default_rng(0).normal(size=(500, 2)).tolist()
    request = large(rows)
    assert isinstance(request.instances, np.ndarray)
    assert request.target == RunTarget("r")
    assert_array_equal(request.arrays(PAIR)["x"], np.float32(rows))
    request = large(rows, thresholds=[0.5, 1])
    assert isinstance(request.instances, np.ndarray)
    assert request.wanted.thresholds == [0.5, 1]
    body = orjson.dumps({"run_ids": ["r", "s"], "instances": rows})
    assert read_request(body).target == EnsembleTarget(("r", "s"), "mean")


@pytest.mark.parametrize(
    ("value", "expected", "received"),
    [
        (True, "a number", "true"),
        ("1", "a number", '"1"'),
        (None, "a number", "null"),
        (10**39, "a number that float32 holds", "1e+39"),
    ],
)
def test_a_large_request_has_its_mistakes_told_like_a_small_one(
    value: Any, expected: str, received: str
) -> None:
    rows = [[1.5, 2] for _ in range(1000)]
    body = orjson.dumps({"run_id": "r", "instances": rows}).replace(
        b"1.5,2]]",
        b"1.5," + str(orjson.dumps(value) if value != 10**39 else b"1e39", "ascii").encode() + b"]]",
    )
    with pytest.raises(InvalidDocument) as caught:
        read_request(body).arrays(PAIR)
    assert caught.value.problems == (("/instances/999/1", f"Expected {expected}; received {received}."),)


def test_whole_numbers_are_named_as_they_were_written() -> None:
    body = orjson.dumps({"run_id": "r", "instances": [[1, 2]] * 1000 + [[1, 2, 3]], "threshold": 1})
    with pytest.raises(InvalidDocument) as caught:
        read_request(body).arrays([ModelInput("x", (2, 1), FLOAT)])
    assert caught.value.problems[0].message == "Expected a list of 1 number; received 1."
