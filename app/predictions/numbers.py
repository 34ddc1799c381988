"""The numbers of a large body straight to arrays, by simdjson, without an object for each.

It reads only what is as it should be: a document whose instances are rectangles of numbers. Of anything else
it says nothing, and the longer way, `app.predictions.documents` and `app.predictions.instances`, reads it
and finds the words for what is wrong. So both ways take the same documents for the same numbers.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import numpy as np
import simdjson

from app.predictions.rectangles import lists_of, rectangle
from app.predictions.regions import Region, cut_out, read_region
from app.predictions.sessions import Array, ModelInput

LEAST_BYTES = 4096
"""Shortest body for which it's worth it."""

NUMBER_FIELDS = ("instances", "inputs", "columns")
"""The fields of a document that may hold rectangles of numbers, by themselves or by name."""

_EXACT = float(2**53)
"""Whole numbers up to here are float64's, each by itself."""


def read_numbers(body: bytes) -> dict[str, Any] | None:
    """The document in a body, its rectangles as float64 arrays; None where the longer way must look.

    Args:
        body: text that may be JSON.
    """
    return parsed(body, _read)


def parsed(
    body: bytes, read: "Callable[[Any, DocumentReader], dict[str, Any] | None]"
) -> dict[str, Any] | None:
    """What is read of a document by simdjson; None where the longer way must look.

    Args:
        body: text that may be JSON.
        read: gets simdjson's object, and what reads its values; gives what is in it, or None.
    """
    if not body.startswith(b"{"):  # simdjson would pass over a byte order mark, which isn't JSON
        return None
    rest, regions = cut_out(body)
    reader = DocumentReader(body, regions)
    try:
        document = simdjson.Parser().parse(rest)
        found = read(document, reader) if isinstance(document, simdjson.Object) else None
    # simdjson's errors: not JSON, a number too large, no number; nested too deeply; text that isn't UTF-8;
    # no such place or field.
    except (ValueError, TypeError, RuntimeError, LookupError, OverflowError):
        return None
    # A bracket more than counted is one in a text, or a list where a number belongs.
    is_whole = reader.lists == rest.count(b"[") and reader.regions_read == len(regions)
    return found if is_whole else None


class DocumentReader:
    """Reads values of simdjson's, and counts what it has read.

    Args:
        body: that holds the document.
        regions: arrays that were cut out of it, by the text in their place.

    Attributes:
        lists: how many lists were read.
        regions_read: how many of the regions.
    """

    def __init__(self, body: bytes, regions: Mapping[str, Region]) -> None:
        self._body = body
        self._regions = regions
        self.lists = 0
        self.regions_read = 0

    def plain(self, value: Any) -> Any:
        """A value as Python's own."""
        if isinstance(value, simdjson.Array):
            value = value.as_list()
        elif isinstance(value, simdjson.Object):
            value = value.as_dict()
        self.lists += _count_lists(value)
        return value

    def is_array(self, value: Any) -> bool:
        """Whether a value is a list, or stands for one."""
        return isinstance(value, simdjson.Array) or (isinstance(value, str) and value in self._regions)

    def array(self, value: Any, kind: Literal["d", "i", "u"] = "d") -> Array:
        """Nested lists, all lists of a depth equally long, as an array; `kind` as `rectangle` has it.

        Raises:
            ValueError, TypeError, RuntimeError, LookupError, OverflowError: it's none.
        """
        if isinstance(value, str):
            self.regions_read += 1
            return read_region(self._body, self._regions[value], kind)
        array = rectangle(value, kind)
        self.lists += lists_of(array)
        return array


def _read(document: Any, reader: DocumentReader) -> dict[str, Any] | None:
    names = list(document)
    content: dict[str, Any] = {}
    for name in names:
        value = document[name]
        if name not in NUMBER_FIELDS:
            content[name] = reader.plain(value)
        elif reader.is_array(value):
            content[name] = reader.array(value)
        elif not isinstance(value, simdjson.Object):
            return None
        else:
            keys = list(value)
            content[name] = arrays = {key: reader.array(value[key]) for key in keys}
            if len(arrays) != len(keys):
                return None
    return content if len(content) == len(names) else None


def _count_lists(value: Any) -> int:
    """How many lists are in a value, itself included."""
    if isinstance(value, dict):
        return sum(map(_count_lists, value.values()))
    return 1 + sum(map(_count_lists, value)) if isinstance(value, list) else 0


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
