"""The numbers of large tensors in JSON straight to arrays, by simdjson.

As in `app.predictions.numbers`, only what is as it should be is read so; of anything else nothing is said,
and `app.open_inference.requests` reads it the longer way.
"""

import math
from typing import Any, Literal

import numpy as np

from app.open_inference.datatypes import DATATYPES
from app.predictions.numbers import DocumentReader, parsed
from app.predictions.sessions import Array


def read_tensors(body: bytes) -> dict[str, Any] | None:
    """The document in a body, the `data` of its inputs as arrays of their datatypes; None if it's unusual.

    Args:
        body: text that may be JSON.
    """
    return parsed(body, _read)


def _read(document: Any, reader: DocumentReader) -> dict[str, Any] | None:
    names = list(document)
    content = {name: reader.plain(document[name]) for name in names if name != "inputs"}
    if len(content) != len(names) - 1:
        return None
    reader.lists += 1
    tensors = []
    for place in range(len(document["inputs"])):
        tensor = document["inputs"][place]
        fields = list(tensor)
        read = {field: reader.plain(tensor[field]) for field in fields if field != "data"}
        if "data" in fields:
            read["data"] = _numbers(tensor["data"], read["shape"], read["datatype"], reader)
        if len(read) != len(fields):
            return None
        tensors.append(read)
    return {**content, "inputs": tensors}


def _numbers(data: Any, shape: list[int], datatype: str, reader: DocumentReader) -> Array:
    """Numbers in a row or of a shape, as an array of a datatype.

    Raises:
        ValueError, TypeError, RuntimeError, LookupError, OverflowError: they aren't such.
    """
    dtype = DATATYPES.get(datatype)
    if dtype is None or dtype.kind not in "fiu":
        raise TypeError
    kind: Literal["d", "i", "u"] = "d" if dtype.kind == "f" else "u" if dtype.kind == "u" else "i"
    numbers = reader.array(data, kind)
    if numbers.shape not in ((math.prod(shape),), tuple(shape)):
        raise ValueError
    with np.errstate(over="ignore"):
        converted = numbers.astype(dtype)
    if kind != "d" and (converted != numbers).any():
        raise ValueError
    return converted
