"""Nested lists of numbers, as simdjson has them, as arrays."""

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import simdjson

from app.predictions.sessions import Array

_DTYPES = {"d": np.dtype(np.float64), "i": np.dtype(np.int64), "u": np.dtype(np.uint64)}


def rectangle(values: Any, kind: Literal["d", "i", "u"] = "d") -> Array:
    """Nested lists, all lists of a depth equally long, as an array.

    Args:
        values: simdjson's array.
        kind: of the numbers: `d` for float64; `i` and `u` for int64 and uint64, where all are whole.
    """
    if not isinstance(values, simdjson.Array):
        raise TypeError("Expected a list.")
    shape = [len(values)]
    level: Sequence[Any] = values
    first: Any = values[0]
    while isinstance(first, simdjson.Array):
        (length,) = set(map(len, level))
        shape.append(length)
        first = first[0]
        if isinstance(first, simdjson.Array):
            level = [inner for outer in level for inner in outer]
    return np.frombuffer(values.as_buffer(of_type=kind), _DTYPES[kind]).reshape(shape)


def lists_of(array: Array) -> int:
    """How many lists an array was."""
    lists, rows = 1, 1
    for length in array.shape[:-1]:
        rows *= length
        lists += rows
    return lists
