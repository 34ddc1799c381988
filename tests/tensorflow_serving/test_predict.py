"""Requests as bytes, apart from any service: large ones say what small ones say."""

import numpy as np
import pytest

from app.errors import InvalidDocument, MalformedDocument
from app.predictions.numbers import LEAST_BYTES, read_numbers
from app.predictions.sessions import ModelInput
from app.tensorflow_serving.predict import read_predict

FLOAT = np.dtype(np.float32)
ONE = [ModelInput("x", (2,), FLOAT)]
TWO = [ModelInput("a", (2,), FLOAT), ModelInput("b", (), np.dtype(np.int32))]


@pytest.mark.parametrize(
    ("fields", "inputs", "is_quick"),
    [
        ('"instances": [[1, 2.5], [3, -0]]', ONE, True),
        ('"signature_name": "serving_default", "inputs": [[1, 2]]', ONE, True),
        ('"inputs": {"x": [[1, 2]]}', ONE, True),
        ('"inputs": {"b": [5, 6], "a": [[1, 2], [3, 4]]}', TWO, True),
        ('"instances": [{"a": [1, 2], "b": 5}]', TWO, False),
        ('"instances": {"x": [[1, 2]]}', ONE, True),
        ('"instances": [[1, 2, 3]]', ONE, True),
        ('"instances": [[1, true]]', ONE, False),
        ('"instances": [[1, 1e39]]', ONE, True),
        ('"instances": [[1], [2, 3]]', ONE, False),
        ('"inputs": {"a": [[1, 2]], "b": [1.5]}', TWO, True),
        ('"inputs": {"a": [[1, 2]], "b": [1, 2]}', TWO, True),
        ('"instances": [[1, 2]], "inputs": [[1, 2]]', ONE, True),
        ('"columns": [[1, 2]]', ONE, True),
        ('"instances": [[1, 2]], "signature": "a"', ONE, True),
        ('"instances": [[1, 2]], "signature_name": "other"', ONE, True),
        ('"instances": []', ONE, False),
        ('"instances": [[1, 2]', ONE, False),
    ],
)
def test_a_large_document_says_what_a_small_one_says(
    fields: str, inputs: list[ModelInput], is_quick: bool
) -> None:
    small = f"{{{fields}}}".encode()
    large = small[:-1] + b" " * LEAST_BYTES + b"}"
    assert (read_numbers(large) is not None) == is_quick
    assert read_or_refuse(small, inputs) == read_or_refuse(large, inputs)


def read_or_refuse(body: bytes, inputs: list[ModelInput]) -> object:
    try:
        asked = read_predict(body, inputs)
    except MalformedDocument as error:
        return error.problems[0].pointer  # line and column are others
    except InvalidDocument as error:
        return error.problems
    return asked.by_rows, {name: (array.dtype, array.tolist()) for name, array in asked.arrays.items()}
