"""Requests as bytes, apart from any service."""

import numpy as np
import orjson
import pytest

from app.errors import InvalidDocument, NotFound
from app.open_inference.datatypes import DATATYPES, as_dtype
from app.open_inference.requests import read_infer
from app.predictions.sessions import ModelInput
from app.predictions.targets import ModelTarget, named_target

INPUTS = [ModelInput("x", (2,), np.dtype(np.float32))]


@pytest.mark.parametrize("padding", range(4))
def test_numbers_behind_json_of_any_length_are_aligned(padding: int) -> None:
    tensor = {"name": "x", "shape": [1, 2], "datatype": "FP32", "parameters": {"binary_data_size": 8}}
    head = orjson.dumps({"inputs": [tensor]}) + b" " * padding

    read = read_infer(head + np.float32([1, 2]).tobytes(), len(head), INPUTS, ["y"]).arrays["x"]

    assert read.flags.aligned
    assert read.tolist() == [[1, 2]]


@pytest.mark.parametrize("datatype", [name for name in DATATYPES if "INT" in name])
def test_whole_numbers_stay_what_they_are_or_are_refused(datatype: str) -> None:
    limits = np.iinfo(DATATYPES[datatype])
    values = [0, 1, -1, 127, 128, 255, 2**11, 2**11 + 1, 2**24, 2**24 + 1, 2**53, 2**53 + 1]
    for value in [limits.min, limits.max, *(value for value in values if limits.min <= value <= limits.max)]:
        for name, dtype in DATATYPES.items():
            if name == "BOOL":
                continue
            array = np.array([value], DATATYPES[datatype])
            try:
                converted = as_dtype(array, dtype, "/inputs/0/data")
            except InvalidDocument:
                if dtype.kind == "f":  # larger powers of two would fit, but their neighbours don't
                    assert abs(value) > 2 ** (np.finfo(dtype).nmant + 1)
                else:
                    assert not np.iinfo(dtype).min <= value <= np.iinfo(dtype).max
            else:
                assert converted.item() == value  # Python compares numbers exactly
                assert converted.dtype == dtype


def test_a_version_fits_into_the_column_of_versions() -> None:
    assert named_target("spam", "2147483647") == ModelTarget("spam", 2**31 - 1)
    for version in ("2147483648", "9999999999", "0", "01", "1" * 5000):
        with pytest.raises(NotFound):
            named_target("spam", version)
