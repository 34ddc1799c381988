"""Large arrays of numbers that are cut out of a body, against the longer way."""

import tracemalloc
from typing import Any

import numpy as np
import orjson
import pytest
from numpy.testing import assert_array_equal

from app.open_inference.numbers import read_tensors
from app.predictions.numbers import read_numbers
from app.predictions.regions import LEAST_REGION_BYTES, PIECE_BYTES, cut_out

ROWS = np.random.default_rng(0).normal(size=(20_000, 2))
TEXT = orjson.dumps(ROWS, option=orjson.OPT_SERIALIZE_NUMPY)
assert len(TEXT) > max(LEAST_REGION_BYTES, 3 * PIECE_BYTES)


def with_instances(text: bytes, more: bytes = b"") -> bytes:
    return b'{"run_id": "r", %b"instances": %b}' % (more, text)


@pytest.mark.parametrize(
    "text",
    [
        TEXT,
        TEXT.replace(b"],[", b"], ["),
        TEXT.replace(b",", b" ,\n ").replace(b"[", b" [ "),
        orjson.dumps(ROWS.ravel().tolist()),
        orjson.dumps(ROWS.reshape(5000, 4, 2).tolist()),
        orjson.dumps(np.arange(100_000).reshape(25_000, 1, 4).tolist()),
    ],
)
def test_numbers_are_those_that_were_written(text: bytes) -> None:
    body = with_instances(text, b'"thresholds": [0.5, 1], ')
    rest, regions = cut_out(body)
    assert len(regions) == 1
    assert len(rest) < 200
    document = read_numbers(body)
    assert document is not None
    expected = orjson.loads(body)
    assert_array_equal(document.pop("instances"), np.array(expected.pop("instances"), np.float64))
    assert document == expected


def test_several_regions() -> None:
    column = orjson.dumps(ROWS.ravel().tolist())
    body = b'{"run_id": "r", "columns": {"b": %b, "a" : [1, 2], "c":%b }, "version": 3}' % (column, column)
    document = read_numbers(body)
    assert document is not None
    assert list(document["columns"]) == ["b", "a", "c"]
    for name in "bc":
        assert_array_equal(document["columns"][name], ROWS.ravel())
    assert_array_equal(document["columns"]["a"], [1, 2])


@pytest.mark.parametrize("datatype", ["FP32", "FP64", "INT64", "UINT32"])
def test_tensors(datatype: str) -> None:
    numbers: Any = ROWS if datatype.startswith("FP") else (np.abs(ROWS) * 1e6).astype(np.int64)
    tensor = {"name": "x", "shape": list(ROWS.shape), "datatype": datatype, "data": numbers.ravel().tolist()}
    document = read_tensors(orjson.dumps({"id": "a", "inputs": [tensor, {**tensor, "name": "y"}]}))
    assert document is not None
    for read in document["inputs"]:
        dtype = {"FP32": np.float32, "FP64": np.float64, "INT64": np.int64, "UINT32": np.uint32}[datatype]
        assert read["data"].dtype == dtype
        assert_array_equal(read["data"].reshape(ROWS.shape), numbers.astype(dtype))


MIDDLE = TEXT.index(b"],[", len(TEXT) // 2)


def changed(old: bytes, new: bytes) -> bytes:
    """The text with a change far behind its start."""
    at = TEXT.index(old, MIDDLE)
    return TEXT[:at] + new + TEXT[at + len(old) :]


@pytest.mark.parametrize(
    "text",
    [
        TEXT[:-1] + b",]", TEXT[:-1], TEXT + b"]", TEXT + TEXT, TEXT + b", " + TEXT, b"5" + TEXT, TEXT + b"5",
        changed(b"],[", b"][") , changed(b"],[", b"],,["), changed(b"],[", b"]],[["), changed(b"],[", b","),
        changed(b"],[", b"],[],["), changed(b"],[", b"],5,["), changed(b"],[", b"],[[1,2]],["),
        changed(b"],[", b"],[1],["), changed(b"],[", b"],[1,2,3],["), changed(b"],[", b"],[1,[2]],["),
        changed(b"],[", b"],[1,true],["), changed(b"],[", b"],[1,null],["), changed(b"],[", b"],[1,{}],["),
        changed(b"],[", b"],[1,NaN],["), changed(b"],[", b"],[1,1e400],["), changed(b"],[", b'],[1,"2"],['),
        changed(b"],[", b"],[01,2],["), changed(b"],[", b"}],["),
        b'"' + TEXT + b'"', b'"a' + TEXT + b'a"', b'"\\"' + TEXT + b'"', b"[" * 200_000 + b"]" * 200_000,
        b"[" + TEXT + b",[[1,2]],[[1,2]]]",
    ],
)  # fmt: skip
def test_of_anything_unusual_it_says_nothing(text: bytes) -> None:
    assert read_numbers(with_instances(text)) is None


@pytest.mark.parametrize(
    "body",
    [
        b'{"run_id": "r", "instances": [[1, 2]], "other": %b}' % TEXT,
        b'{"run_id": "r", "instances": [[1, 2]], %b: 5}' % TEXT,
        b'{"run_id": "r", "instances": %b, "instances": [[1, 2]]}' % TEXT,
        b'{"run_id": %b, "instances": [[1, 2]]}' % TEXT,
        b'{"run_id": "r", "statistics": {"a": %b}, "instances": [[1, 2]]}' % TEXT,
        with_instances(TEXT) + b"}",
        with_instances(TEXT)[:-1],
    ],
)
def test_nor_where_an_array_is_out_of_place(body: bytes) -> None:
    assert read_numbers(body) is None


def test_little_more_memory_is_needed_than_for_the_arrays() -> None:
    body = with_instances(TEXT)
    tracemalloc.start()
    try:
        read_numbers(body)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < 3 * ROWS.nbytes + 4 * PIECE_BYTES
