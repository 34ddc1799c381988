"""Categories as a model's file takes them, and how others are refused."""

from typing import Any

import numpy as np
import pytest

from app.artifacts import FeatureSignature
from app.errors import InvalidDocument
from app.predictions.features import encode_rows
from app.predictions.sessions import ModelInput

CITY = FeatureSignature(
    name="city", type="string", categories=('say "hi"', "a; received b", None), codes=(0, 1, 2)
)
INPUT = ModelInput("x", (1,), np.dtype(np.float64), (CITY,))


def test_each_category_has_its_code() -> None:
    rows = [['say "hi"'], ["a; received b"], [None]]
    assert encode_rows(rows, INPUT, "/instances/{}".format) == [[0], [1], [2]]


@pytest.mark.parametrize(
    ("value", "told"), [("Paris", '"Paris"'), (7, "7"), (True, "true"), ([1], "a list of 1")]
)
def test_others_are_refused_in_words(value: Any, told: str) -> None:
    with pytest.raises(InvalidDocument) as error:
        encode_rows([[value]], INPUT, "/instances/{}".format)
    known = '"say \\"hi\\"", "a; received b"'
    expected = f"Expected one of the categories of 'city' {known}; received {told}."
    assert error.value.problems == (("/instances/0/0", expected),)
