"""Requests as bytes, apart from any service."""

import numpy as np
import orjson
import pytest

from app.errors import InvalidDocument, MalformedDocument, NotFound
from app.open_inference.datatypes import DATATYPES, as_dtype
from app.open_inference.numbers import read_tensors
from app.open_inference.requests import read_infer
from app.predictions.numbers import LEAST_BYTES
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


def tensor(data: str, shape: str = "[2, 2]", datatype: str = '"FP32"', more: str = "") -> str:
    return f'{{"name": "x", "shape": {shape}, "datatype": {datatype}, "data": {data}{more}}}'


WRONG = [
    "[1, 2, 3]", "[1, 2, 3, [4]]", "[[1, 2], [3]]", "[[[1, 2], [3, 4]]]", "[1, 2, 3, true]",
    "[1, 2, 3, null]", '[1, 2, 3, "4"]', "[]", "5", "[1, 2, 3, NaN]", "[1, 2, 3, 1e400]", "[1, 2, 3, {}]",
]  # fmt: skip


@pytest.mark.parametrize(
    ("inputs", "is_quick"),
    [
        (tensor("[1, 2.5, -0, 3e-1]"), True),
        (tensor("[[1, 2], [3, 18446744073709551615]]"), True),
        (tensor("[0.1, 2, 3, 16777217]", datatype='"FP64"'), True),
        (tensor("[1, 2, 3, -128]", datatype='"INT8"'), True),
        (tensor("[1, 2, 3, 200]", datatype='"UINT64"'), True),
        (tensor("[1, 2, 3, -1]", datatype='"UINT64"'), False),
        (tensor("[1, 2, 3, 128]", datatype='"INT8"'), False),
        (tensor("[1, 2, 3, 4.0]", datatype='"INT32"'), False),
        (tensor("[1, 2, 3, 9007199254740993]", datatype='"INT64"'), True),  # which no float32 holds
        (tensor("[true, false, true, true]", datatype='"BOOL"'), False),
        (tensor("[1, 2]", shape="[1, 2]", more=', "parameters": {"a": [[1], {"b": []}]}'), True),
        (tensor("[1, 2]", shape="[2, 1]"), True),
        (tensor("[1, 2]", shape='{"a": 1}'), False),
        (tensor("[1, 2]", shape="[1.0, 2]"), True),
        (tensor("[1, 2]", shape="[-1, -2]"), True),
        (tensor("[1, 2]", shape="null"), False),
        (tensor("[1, 2, 3, 4]", datatype="[]"), False),
        (tensor("[1, 2, 3, 4]", datatype='"FP33"'), False),
        (tensor("[1, 2, 3, 4]", more=', "parameters": {"binary_data_size": 16}'), True),
        (tensor("[1, 2, 3, 4]", more=', "data": [5, 6, 7, 8]'), False),
        (tensor("[1, 2, 3, 4]") + ", " + tensor("[1, 2, 3, 4]"), True),
        (tensor("[1, 2, 3, 4]") + ", 5", False),
        (tensor("[1, 2, 3, 4]") + ", []", False),
        (tensor("[1, 2, 3, 1e39]"), True),  # too large for the datatype
        ("", True),
        *[(tensor(data), False) for data in WRONG],
    ],
)
def test_a_large_document_says_what_a_small_one_says(inputs: str, is_quick: bool) -> None:
    small = f'{{"id": "short", "inputs": [{inputs}]}}'
    large = small.replace("short", "long" * LEAST_BYTES)
    assert (read_tensors(large.encode()) is not None) == is_quick
    found = [read_or_refuse(document.encode()) for document in (small, large)]
    assert found[0] == found[1]


@pytest.mark.parametrize(
    "fields", ['"inputs": 5', '"inputs": {}', '"input": []', '"inputs": [], "inputs": []']
)
def test_nor_does_it_of_an_unusual_document(fields: str) -> None:
    small, large = (f'{{{fields}, "id": "{text}"}}'.encode() for text in ("short", "long" * LEAST_BYTES))
    assert read_tensors(large) is None
    assert read_or_refuse(small) == read_or_refuse(large)


def read_or_refuse(body: bytes) -> object:
    try:
        array = read_infer(body, None, INPUTS, ["y"]).arrays["x"]
    except MalformedDocument as error:
        return error.problems[0].pointer  # line and column are others
    except InvalidDocument as error:
        return error.problems
    return (array.dtype, array.tolist())


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
