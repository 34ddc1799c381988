"""What is told of a column is what Python finds in its values, in whatever way they are stored."""

import math
from typing import Any

import numpy as np
import pyarrow
import pytest

from app.datasets.batches import plain_bytes
from app.datasets.column_summary import ColumnSummary

ROWS = 3000
BATCH = 700
"""Rows that are added at once: five times, the last time fewer."""

CHANCE = np.random.default_rng(5)
TEXTS = [["Rome", "Oslo", "", None][place] for place in CHANCE.integers(0, 4, ROWS)]
FEW = CHANCE.integers(0, 3, ROWS).tolist()


def coded(places: list[int | None], values: list[Any]) -> Any:
    return pyarrow.DictionaryArray.from_arrays(pyarrow.array(places, pyarrow.int32()), values)


COLUMNS = {
    "all of int8": pyarrow.array(CHANCE.integers(-128, 128, ROWS), pyarrow.int8()),
    "all of uint8": pyarrow.array(CHANCE.integers(0, 256, ROWS), pyarrow.uint8()),
    "the ends of int64": pyarrow.array([[-(2**63), 2**63 - 1, None][n] for n in FEW]),
    "the least of int64": pyarrow.array([-(2**63) + n for n in FEW]),
    "the largest of uint64": pyarrow.array([2**64 - 1 - n for n in FEW], pyarrow.uint64()),
    "around 2**63": pyarrow.array([2**63 - 2 + n for n in FEW], pyarrow.uint64()),
    "integers far apart": pyarrow.array([10**12 * n for n in FEW]),
    "a thousand": pyarrow.array(CHANCE.permutation(ROWS) % 1000 - 500),
    "a thousand and one": pyarrow.array(CHANCE.permutation(ROWS) % 1001 - 500),
    "no integers": pyarrow.array([None] * ROWS, pyarrow.int64()),
    "booleans": pyarrow.array([[True, False, None][n] for n in FEW]),
    "numbers": pyarrow.array([[1.5, math.nan, None][n] for n in FEW]),
    "texts": pyarrow.array(TEXTS),
    "places of texts": pyarrow.array(TEXTS).dictionary_encode(),
    "large texts": pyarrow.array(TEXTS, pyarrow.large_string()).dictionary_encode(),
    "places of integers": pyarrow.array([[7, None, -2][n] for n in FEW]).dictionary_encode(),
    "places of numbers": coded(FEW, pyarrow.array([math.nan, 2.5, -1.0])),
    "places that lead to none": coded(FEW, pyarrow.array(["a", None, "b"])),
    "places of one text twice": coded(FEW, pyarrow.array(["a", "b", "a"])),
    "a text that no place leads to": coded([[0, 2, None][n] for n in FEW], pyarrow.array(["a", "b", "c"])),
    "more texts than places": coded(FEW, pyarrow.array([f"text {n}" for n in range(BATCH + 1)])),
    "no texts": coded([None] * ROWS, pyarrow.array(["a"])),
}


def is_missing(value: Any) -> bool:
    return value is None or (isinstance(value, float) and math.isnan(value))


@pytest.mark.parametrize("values", COLUMNS.values(), ids=COLUMNS)
def test_a_column_is_told_as_python_finds_it(values: Any) -> None:
    kind = values.type.value_type if pyarrow.types.is_dictionary(values.type) else values.type
    summary = ColumnSummary(pyarrow.field("column", kind))
    for first in range(0, ROWS, BATCH):
        summary.add(values.slice(first, BATCH), first)
    listed = values.to_pylist()
    present = [value for value in listed if not is_missing(value)]
    numeric = bool(present) and not isinstance(present[0], str | bool)
    encodable = not pyarrow.types.is_floating(kind) and len(set(present)) <= 1000
    assert summary.describe() == {
        "name": "column",
        "type": str(kind),
        "shape": [],
        "missing": ROWS - len(present),
        "first_missing": next((row for row, value in enumerate(listed) if is_missing(value)), None),
        "min": min(present) if numeric else None,
        "max": max(present) if numeric else None,
        "categories": sorted(set(present)) if encodable else None,
    }
    assert repr(summary.preview) == repr(listed[:5])


DICTIONARIES = [name for name, values in COLUMNS.items() if pyarrow.types.is_dictionary(values.type)]


@pytest.mark.parametrize("name", DICTIONARIES)
def test_a_dictionarys_column_takes_what_its_values_take(name: str) -> None:
    values = COLUMNS[name].slice(100, BATCH)
    assert plain_bytes(values) == values.dictionary_decode().nbytes
