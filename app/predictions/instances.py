"""From the `instances` of a request to the arrays that a model takes.

Three forms are read: rows, `[[…], […]]`, for a model of one input; an object of such rows by input name;
and a list of objects, each one sample's values by input name. All numbers are converted at once; only where
that fails are they walked through for the one to blame.
"""

import struct
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from app.errors import InvalidDocument
from app.predictions.features import RowPointer, by_column, encode_rows, joined
from app.predictions.sessions import Array, ModelInput
from app.spec.parsing import expected_one_of
from app.spec.pointers import join, received

_STRUCT_FORMATS = {
    np.dtype(np.float32): "f",
    np.dtype(np.float64): "d",
    np.dtype(np.int32): "i",
    np.dtype(np.int64): "q",
}
"""`struct`'s letters for the dtypes that inputs mostly have; the others take the longer way."""


def read_instances(
    instances: Any, inputs: Sequence[ModelInput], *, maybe_booleans: bool, pointer: str = "/instances"
) -> dict[str, Array]:
    """The arrays by input name, each (n, …) of its input's dtype, n ≥ 1.

    Args:
        instances: parsed JSON.
        inputs: what the model takes.
        maybe_booleans: whether a boolean may stand among the numbers, where it would be taken for 0 or 1;
            the type of each element is then looked at.
        pointer: JSON Pointer of `instances` in the client's document.

    Raises:
        InvalidDocument: a name, a shape or a number isn't one that the model takes.
    """
    named = instances[0] if isinstance(instances, list) and instances else instances
    columns = by_column(inputs, named) if isinstance(named, dict) else None
    if columns is not None:
        arrays = read_instances(instances, columns, maybe_booleans=maybe_booleans, pointer=pointer)
        return joined(arrays, inputs)
    if isinstance(instances, dict):
        return _read_named(instances, inputs, maybe_booleans, pointer)
    if isinstance(named, dict):
        return _read_objects(instances, inputs, maybe_booleans, pointer)
    if len(inputs) == 1:
        (model_input,) = inputs
        check_rows(instances, pointer)
        rows = read_rows(instances, model_input, maybe_booleans, lambda row: f"{pointer}/{row}")
        return {model_input.name: rows}
    expected = f"rows for each of the inputs {_listing(inputs)}, by name"
    raise InvalidDocument.at(pointer, f"Expected {expected}; received {received(instances)}.")


def _read_named(
    named: dict[str, Any], inputs: Sequence[ModelInput], maybe_booleans: bool, pointer: str
) -> dict[str, Array]:
    """The form `{"input": rows, …}`."""
    _check_names(named, inputs, pointer)
    arrays = {}
    for model_input in inputs:
        start = join(pointer, model_input.name)
        rows = named[model_input.name]
        check_rows(rows, start)
        arrays[model_input.name] = read_rows(rows, model_input, maybe_booleans, rows_below(start))
    first = inputs[0].name
    for name, array in arrays.items():
        if len(array) != len(arrays[first]):
            message = f"Expected {len(arrays[first])} rows, as for {first}; received {len(array)}."
            raise InvalidDocument.at(join(pointer, name), message)
    return arrays


def rows_below(start: str) -> RowPointer:
    """Pointers to the rows of the list at `start`."""
    return lambda row: f"{start}/{row}"


def _read_objects(
    objects: list[Any], inputs: Sequence[ModelInput], maybe_booleans: bool, pointer: str
) -> dict[str, Array]:
    """The form `[{"input": values of one sample, …}, …]`."""
    for row, item in enumerate(objects):
        if not isinstance(item, dict):
            message = f"Expected an object, as the first instance is; received {received(item)}."
            raise InvalidDocument.at(f"{pointer}/{row}", message)
        _check_names(item, inputs, f"{pointer}/{row}")

    def read(model_input: ModelInput) -> Array:
        rows = [item[model_input.name] for item in objects]
        return read_rows(
            rows, model_input, maybe_booleans, lambda row: join(f"{pointer}/{row}", model_input.name)
        )

    return {model_input.name: read(model_input) for model_input in inputs}


def _check_names(named: Iterable[str], inputs: Sequence[ModelInput], pointer: str) -> None:
    names = [model_input.name for model_input in inputs]
    for name in named:
        if name not in names:
            raise InvalidDocument.at(join(pointer, name), expected_one_of("inputs", names, name))
    for name in names:
        if name not in named:
            raise InvalidDocument.at(join(pointer, name), f'Expected the input "{name}"; received nothing.')


def _listing(inputs: Sequence[ModelInput]) -> str:
    return ", ".join(f'"{model_input.name}"' for model_input in inputs)


def check_rows(rows: Any, pointer: str) -> None:
    """Raises unless there is a list with at least one row."""
    if not isinstance(rows, list) or not rows:
        raise InvalidDocument.at(pointer, f"Expected a list of at least one row; received {received(rows)}.")


def read_rows(
    rows: list[Any], model_input: ModelInput, maybe_booleans: bool, row_pointer: RowPointer
) -> Array:
    """Nested lists as an array (n, …) of the input's shape and dtype, n ≥ 1."""
    if model_input.features:
        rows = encode_rows(rows, model_input, row_pointer)
    array = _pack(rows, model_input, maybe_booleans)
    if array is None:
        shape = _full_shape(model_input.shape, rows)
        for row, values in enumerate(rows):
            _check_values(values, shape, row_pointer(row))
        array = _to_dtype(np.array(rows), model_input.dtype, row_pointer)
    return array


def _pack(rows: list[Any], model_input: ModelInput, maybe_booleans: bool) -> Array | None:
    """The array, if the lists are just what the input takes.

    `struct` refuses what isn't a number, or more than the dtype holds, and takes a third of the time of
    NumPy, which would make numbers of text, and would have to be asked for their range.
    """
    lengths, values = [len(rows)], rows
    try:
        for wanted in model_input.shape:
            (length,) = set(map(len, values))
            if wanted not in (length, None):
                return None
            lengths.append(length)
            values = _joined(values)
        if maybe_booleans and bool in set(map(type, values)):
            return None
        packed = struct.pack(f"={len(values)}{_STRUCT_FORMATS[model_input.dtype]}", *values)
    except (KeyError, TypeError, ValueError, OverflowError, struct.error):
        return None
    return np.frombuffer(packed, model_input.dtype).reshape(lengths)


def _joined(lists: Iterable[Any]) -> list[Any]:
    """The elements of all lists in one; by whole lists, which is quicker than one element at a time."""
    joined: list[Any] = []
    for elements in lists:
        joined += elements
    return joined


def _full_shape(shape: tuple[int | None, ...], rows: list[Any]) -> tuple[int, ...]:
    """The shape, with axes of any length as long as they are at the first row's first elements."""
    full = []
    first = rows[0]
    for length in shape:
        full.append(length if length is not None else len(first) if isinstance(first, list) else 1)
        first = first[0] if isinstance(first, list) and first else None
    return tuple(full)


def _check_values(value: Any, shape: tuple[int, ...], pointer: str) -> None:
    """Raises at the first element of `value`, in the document's order, that isn't as `shape` has it."""
    if not shape:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise InvalidDocument.at(pointer, f"Expected a number; received {received(value)}.")
        return
    if not isinstance(value, list) or not value or len(value) != shape[0]:
        thing = "number" if len(shape) == 1 else "list"
        things = f"{shape[0] or 'at least one'} {thing}{'s' if shape[0] > 1 else ''}"
        raise InvalidDocument.at(pointer, f"Expected a list of {things}; received {received(value)}.")
    for index, item in enumerate(value):
        _check_values(item, shape[1:], f"{pointer}/{index}")


def _to_dtype(array: Array, dtype: np.dtype[Any], row_pointer: RowPointer) -> Array:
    """The array of numbers in another dtype, if that can hold all of them."""
    if dtype.kind == "f":
        misfits = np.abs(array) > float(np.finfo(dtype).max)
    else:
        misfits = (array < np.iinfo(dtype).min) | (array > np.iinfo(dtype).max) | (array != np.floor(array))
    if not misfits.any():
        return array.astype(dtype)
    row, *index = (int(i) for i in np.argwhere(misfits)[0])
    number = "a number" if dtype.kind == "f" else "a whole number"
    message = f"Expected {number} that {dtype} holds; received {received(array[row, *index].item())}."
    raise InvalidDocument.at(join(row_pointer(row), *index), message)
