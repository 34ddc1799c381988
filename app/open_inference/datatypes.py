"""The protocol's names of datatypes, and arrays of one as arrays of another."""

from typing import Any

import numpy as np

from app.errors import InvalidDocument
from app.predictions.sessions import Array

DATATYPES: dict[str, np.dtype[Any]] = {
    "BOOL": np.dtype("?"),
    "UINT8": np.dtype("<u1"),
    "UINT16": np.dtype("<u2"),
    "UINT32": np.dtype("<u4"),
    "UINT64": np.dtype("<u8"),
    "INT8": np.dtype("<i1"),
    "INT16": np.dtype("<i2"),
    "INT32": np.dtype("<i4"),
    "INT64": np.dtype("<i8"),
    "FP16": np.dtype("<f2"),
    "FP32": np.dtype("<f4"),
    "FP64": np.dtype("<f8"),
}
"""NumPy's dtypes, little-endian, as the protocol has numbers in binary. No model takes `BYTES`."""

_NAMES = {dtype: name for name, dtype in DATATYPES.items()}


def datatype_of(dtype: np.dtype[Any]) -> str:
    """The protocol's name of a dtype."""
    return _NAMES.get(dtype) or _NAMES[dtype.newbyteorder("<")]


def as_dtype(array: Array, dtype: np.dtype[Any], pointer: str) -> Array:
    """The array as a model takes it: floats are rounded to the nearest, integers stay what they are.

    Raises:
        InvalidDocument: a number isn't finite, or the dtype can't hold it.
    """
    if array.dtype.kind == "f" and not _is_finite(array):
        raise InvalidDocument.at(pointer, "Expected finite numbers; received NaN or Infinity.")
    if array.dtype == dtype:
        return array
    with np.errstate(over="ignore", invalid="ignore"):
        converted = array.astype(dtype)
    if dtype.kind != "f":
        fits = _is_same(array, converted)
    elif array.dtype.kind == "f":
        fits = bool(np.isfinite(converted).all())
    else:
        fits = _is_exact(array, dtype)
    if not fits:
        held = f"numbers that {datatype_of(dtype)} holds"
        received = f"others as {datatype_of(array.dtype)}"
        raise InvalidDocument.at(pointer, f"Expected {held}; received {received}.")
    return converted


def _is_finite(array: Array) -> bool:
    """Whether no number is NaN or infinite; `all()` of a few numbers would take several times as long."""
    return b"\0" not in np.isfinite(array).tobytes()


def _is_same(array: Array, whole: Array) -> bool:
    """Whether whole numbers are those that they were made of; float64 can't tell the largest apart."""
    if array.dtype.kind == "f":
        return bool((np.abs(array) <= 2.0**53).all() and (whole == array).all())
    return bool((whole == array).all() and ((whole < 0) == (array < 0)).all())


def _is_exact(whole: Array, dtype: np.dtype[Any]) -> bool:
    """Whether whole numbers are small enough that a dtype of floats tells each from the next."""
    largest = 2 ** (np.finfo(dtype).nmant + 1)
    return bool(-largest <= whole.min().item() and whole.max().item() <= largest)
