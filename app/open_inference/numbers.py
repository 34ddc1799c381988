"""The numbers of large tensors in JSON straight to arrays, by simdjson.

As in `app.predictions.numbers`, only what is as it should be is read so; of anything else nothing is said,
and `app.open_inference.requests` reads it the longer way.
"""

import math
from typing import Any, Literal

import numpy as np
import simdjson

from app.open_inference.datatypes import DATATYPES
from app.predictions.numbers import count_lists, lists_of, parsed, plain, rectangle
from app.predictions.sessions import Array


def read_tensors(body: bytes) -> dict[str, Any] | None:
    """The document in a body, the `data` of its inputs as arrays of their datatypes; None if it's unusual.

    Args:
        body: text that may be JSON.
    """
    return parsed(body, _read)


def _read(document: Any) -> tuple[dict[str, Any], int] | None:
    names = list(document)
    content = {name: plain(document[name]) for name in names if name != "inputs"}
    if len(content) != len(names) - 1:
        return None
    lists = 1 + count_lists(content)
    tensors = []
    for place in range(len(document["inputs"])):
        tensor = document["inputs"][place]
        fields = list(tensor)
        read = {field: plain(tensor[field]) for field in fields if field != "data"}
        lists += count_lists(read)
        if "data" in fields:
            read["data"] = data = _numbers(tensor["data"], read["shape"], read["datatype"])
            lists += lists_of(data)
        if len(read) != len(fields):
            return None
        tensors.append(read)
    return {**content, "inputs": tensors}, lists


def _numbers(data: Any, shape: list[int], datatype: str) -> Array:
    """Numbers in a row or of a shape, as an array of a datatype.

    Raises:
        ValueError, TypeError: they aren't such.
    """
    dtype = DATATYPES.get(datatype)
    if dtype is None or dtype.kind not in "fiu" or not isinstance(data, simdjson.Array):
        raise TypeError
    kind: Literal["d", "i", "u"] = "d" if dtype.kind == "f" else "u" if dtype.kind == "u" else "i"
    numbers = rectangle(data, kind)
    if numbers.shape not in ((math.prod(shape),), tuple(shape)):
        raise ValueError
    with np.errstate(over="ignore"):
        converted = numbers.astype(dtype)
    if kind != "d" and (converted != numbers).any():
        raise ValueError
    return converted
