"""Numbers in nested JSON lists, turned into NumPy arrays once, when a document is parsed.

Strict: numbers only (no text, no booleans, no null), finite in float32, rectangular, not empty. The usual
case takes NumPy's own conversion; only when that fails does a slow search find the element to blame.
"""

from itertools import chain
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import PlainSerializer, PlainValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

from app.spec.mistakes import mistake
from app.spec.pointers import received

MOST_DIMENSIONS = 8
"""Levels of nesting, the samples' included."""

LARGEST = float(np.finfo(np.float32).max)

Numbers = NDArray[np.float64] | NDArray[np.int64]


class WrongElement(ValueError):
    """One element of nested lists isn't what an array may hold.

    Attributes:
        path: the indices that lead to it.
        message: "Expected …; received …".
    """

    def __init__(self, path: tuple[int, ...], message: str) -> None:
        super().__init__(message)
        self.path = path
        self.message = message


def parse_array(value: Any) -> Numbers:
    """The numbers in nested lists, in the precision in which they were sent: int64 or float64.

    Raises:
        WrongElement: the first element that is no finite number, or the first list of another length.
    """
    array = _convert(value)
    if array is None:
        raise _first_wrong_element(value)
    return array


def _convert(value: Any) -> Numbers | None:
    if isinstance(value, np.ndarray):
        array = value
    else:
        try:
            array = np.array(value)
        except (ValueError, TypeError, OverflowError):
            return None
        numbers = value
        for _ in range(array.ndim - 1):
            numbers = chain.from_iterable(numbers)
        # NumPy makes numbers of booleans that stand among numbers, so look at the elements themselves.
        if not isinstance(value, list) or not set(map(type, numbers)) <= {int, float}:
            return None
    if array.dtype.kind not in "iuf" or array.size == 0 or not 1 <= array.ndim <= MOST_DIMENSIONS:
        return None
    array = array.astype(np.int64 if array.dtype.kind == "i" else np.float64, copy=False)
    largest = max(abs(float(array.min())), abs(float(array.max())))
    return array if largest <= LARGEST else None  # NaN compares as False too


def _first_wrong_element(value: Any) -> WrongElement:
    """Walks depth first, in the order of the document."""
    if isinstance(value, np.ndarray):
        value = value.tolist()
    lengths: list[int] = []  # of the first list at each depth
    inner = value
    while isinstance(inner, list) and len(lengths) <= MOST_DIMENSIONS:
        lengths.append(len(inner))
        inner = inner[0] if inner else None
    waiting: list[tuple[tuple[int, ...], Any]] = [((), value)]
    while waiting:
        path, item = waiting.pop()
        if len(path) == 1 and isinstance(item, list) and _fits(item, lengths[1:]):
            continue
        message = _wrong(item, len(path), lengths)
        if message:
            return WrongElement(path, message)
        if isinstance(item, list):
            waiting += [((*path, index), item[index]) for index in reversed(range(len(item)))]
    return WrongElement((), "Expected nested lists of numbers; received something else.")


def _fits(sample: list[Any], lengths: list[int]) -> bool:
    """Whether a whole sample is right, which NumPy tells quicker than a walk."""
    array = _convert(sample)
    return array is not None and list(array.shape) == lengths


def _wrong(item: Any, depth: int, lengths: list[int]) -> str | None:
    if depth >= MOST_DIMENSIONS and isinstance(item, list):
        return f"Expected at most {MOST_DIMENSIONS} levels of lists; received more."
    if depth == 0 and not isinstance(item, list):
        return f"Expected a list of numbers; received {received(item)}."
    if depth < len(lengths):
        if not isinstance(item, list):
            return f"Expected a list of {lengths[depth]}, as its neighbours are; received {received(item)}."
        if not item:
            return "Expected at least one number; received an empty list."
        if len(item) != lengths[depth]:
            return f"Expected {lengths[depth]} elements, as the first list has; received {len(item)}."
        return None
    if isinstance(item, bool) or not isinstance(item, int | float):
        return f"Expected a number; received {received(item)}."
    if not abs(item) <= LARGEST:
        return f"Expected a finite number of at most {LARGEST:.3g}; received {received(item)}."
    return None


def wrong_element(error: WrongElement, *path: str | int) -> PydanticCustomError:
    """The same, for pydantic."""
    return mistake(error.message, *path, *error.path)


def _validate(value: Any) -> Numbers:
    try:
        return parse_array(value)
    except WrongElement as error:
        raise wrong_element(error) from error


def _validate_named(value: Any) -> Numbers | dict[str, Numbers]:
    if not isinstance(value, dict):
        return _validate(value)
    if not value:
        raise mistake("Expected at least one named array; received an empty object.")
    arrays = {}
    for name, array in value.items():
        try:
            arrays[name] = parse_array(array)
        except WrongElement as error:
            raise wrong_element(error, name) from error
    return arrays


def _lists(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: array.tolist() for name, array in value.items()}
    return value.tolist()


_LISTS = {"type": "array", "items": {}, "minItems": 1}

Array = Annotated[
    Numbers, PlainValidator(_validate), PlainSerializer(_lists, when_used="json"), WithJsonSchema(_LISTS)
]
"""Nested lists of numbers, `(samples, …)`."""

Arrays = Annotated[
    Numbers | dict[str, Numbers],
    PlainValidator(_validate_named),
    PlainSerializer(_lists, when_used="json"),
    WithJsonSchema({"anyOf": [_LISTS, {"type": "object", "additionalProperties": _LISTS}]}),
]
"""One array, or several by name."""
