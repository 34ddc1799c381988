"""The numbers of a large body straight to arrays, by simdjson, without an object for each.

It reads only what is as it should be: a document whose instances are rectangles of numbers. Of anything else
it says nothing, and the longer way, `app.predictions.documents` and `app.predictions.instances`, reads it
and finds the words for what is wrong. So both ways take the same documents for the same numbers.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import numpy as np
import simdjson

from app.predictions.sessions import Array, ModelInput

LEAST_BYTES = 4096
"""Shortest body for which it's worth it."""

NUMBER_FIELDS = ("instances", "inputs", "columns")
"""The fields of a document that may hold rectangles of numbers, by themselves or by name."""

_DTYPES = {"d": np.dtype(np.float64), "i": np.dtype(np.int64), "u": np.dtype(np.uint64)}

_EXACT = float(2**53)
"""Whole numbers up to here are float64's, each by itself."""


def read_numbers(body: bytes) -> dict[str, Any] | None:
    """The document in a body, its rectangles as float64 arrays; None where the longer way must look.

    Args:
        body: text that may be JSON.
    """
    return parsed(body, _read)


def parsed(body: bytes, read: Callable[[Any], tuple[dict[str, Any], int] | None]) -> dict[str, Any] | None:
    """What is read of a document by simdjson; None where the longer way must look.

    Args:
        body: text that may be JSON.
        read: gets simdjson's object; gives what is in it, and how many lists that were in all, or None.
    """
    if not body.startswith(b"{"):  # simdjson would pass over a byte order mark, which isn't JSON
        return None
    try:
        document = simdjson.Parser().parse(body)
        found = read(document) if isinstance(document, simdjson.Object) else None
    # simdjson's errors: not JSON, a number too large, no number; nested too deeply; text that isn't UTF-8;
    # no such place or field.
    except (ValueError, TypeError, RuntimeError, LookupError, OverflowError):
        return None
    # A bracket more than counted is one in a text, or a list where a number belongs.
    return found[0] if found is not None and found[1] == body.count(b"[") else None


def _read(document: Any) -> tuple[dict[str, Any], int] | None:
    names = list(document)
    content: dict[str, Any] = {}
    lists = 0
    for name in names:
        value = document[name]
        if name not in NUMBER_FIELDS:
            content[name] = told = plain(value)
            lists += count_lists(told)
        elif isinstance(value, simdjson.Array):
            content[name] = array = rectangle(value)
            lists += lists_of(array)
        elif not isinstance(value, simdjson.Object):
            return None
        else:
            keys = list(value)
            content[name] = arrays = {key: rectangle(value[key]) for key in keys}
            lists += sum(map(lists_of, arrays.values()))
            if len(arrays) != len(keys):
                return None
    return (content, lists) if len(content) == len(names) else None


def plain(value: Any) -> Any:
    """A value of simdjson's as Python's own."""
    if isinstance(value, simdjson.Array):
        return value.as_list()
    return value.as_dict() if isinstance(value, simdjson.Object) else value


def count_lists(value: Any) -> int:
    """How many lists are in a value, itself included."""
    if isinstance(value, dict):
        return sum(map(count_lists, value.values()))
    return 1 + sum(map(count_lists, value)) if isinstance(value, list) else 0


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


def fit_numbers(
    numbers: Array | Mapping[str, Array], inputs: Sequence[ModelInput]
) -> dict[str, Array] | None:
    """The arrays that a model takes, by input name; None where they aren't such.

    Args:
        numbers: rows, float64 (n, …), or such by input name.
        inputs: what the model takes.
    """
    if not isinstance(numbers, Mapping):
        numbers = {inputs[0].name: numbers} if len(inputs) == 1 else {}
    if len(numbers) != len(inputs):
        return None
    fitted: dict[str, Array] = {}
    for model_input in inputs:
        array = numbers.get(model_input.name)
        fitting = None if array is None else _fit(array, model_input)
        if fitting is None:
            return None
        fitted[model_input.name] = fitting
    return fitted if len({len(array) for array in fitted.values()}) == 1 else None


def _fit(array: Array, model_input: ModelInput) -> Array | None:
    shape, dtype = model_input.shape, model_input.dtype
    if array.ndim != 1 + len(shape):
        return None
    if any(wanted not in (None, length) for wanted, length in zip(shape, array.shape[1:], strict=True)):
        return None
    if dtype.kind == "f":
        with np.errstate(over="ignore"):
            converted = array.astype(dtype)
        allowed = np.isfinite(converted)
        if model_input.features and model_input.shape:
            allowed |= np.isnan(converted) & [one.fills_missing for one in model_input.features]
        return converted if allowed.all() else None
    converted = array.astype(dtype) if _is_within(array, dtype) else array
    return converted if converted.dtype == dtype and (converted == array).all() else None


def _is_within(array: Array, dtype: np.dtype[Any]) -> bool:
    least, most = np.iinfo(dtype).min, np.iinfo(dtype).max
    return bool(array.min() >= max(least, -_EXACT) and array.max() <= min(most, _EXACT))
