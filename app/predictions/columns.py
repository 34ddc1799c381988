"""From columns by name, as tables have them, to the arrays that a model takes.

The elements of an input are `x` where a sample has one, and `x_0`, `x_1`, … row by row where it has several;
an input may also have one column that holds all of them. An input that is made of a stored dataset's columns
has their names instead. To a model of one input the columns may have any
names, if there are as many as elements: then their order tells which is which.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from app.errors import InvalidDocument
from app.predictions.features import is_whole
from app.predictions.instances import check_rows, read_rows, rows_below
from app.predictions.numbers import fit_numbers
from app.predictions.sessions import Array, ModelInput
from app.spec.names import did_you_mean
from app.spec.pointers import join, received

MOST_NAMES = 10
"""Names that a message lists."""


def column_names(name: str, shape: Sequence[int | None]) -> list[str]:
    """Names of the columns of a tensor whose samples have this shape."""
    elements = math.prod(length or 1 for length in shape)
    return [name] if elements == 1 else [f"{name}_{number}" for number in range(elements)]


def assign_columns(names: Sequence[str], inputs: Sequence[ModelInput], pointer: str) -> dict[str, list[str]]:
    """Which columns make up each input, in the order of its elements.

    Args:
        names: of the columns that came.
        inputs: what the model takes.
        pointer: to the columns.

    Raises:
        InvalidDocument: a column is missing, or one too many.
    """
    assigned: dict[str, list[str]] = {}
    known = set(names)
    for model_input in inputs:
        whole = is_whole(model_input, known) or None in model_input.shape
        parts = [one.name for one in model_input.features]
        elements = [model_input.name] if whole else parts or column_names(model_input.name, model_input.shape)
        assigned[model_input.name] = elements
    expected = [name for elements in assigned.values() for name in elements]
    if known == set(expected):
        return assigned
    anonymous = len(inputs) == 1 and not inputs[0].features
    if anonymous and len(names) == len(expected) and not known & set(expected):
        return {inputs[0].name: list(names)}
    missing = next((name for name in expected if name not in known), None)
    listing = ", ".join(f'"{name}"' for name in expected[:MOST_NAMES])
    wanted = f"the columns {listing}{', …' if len(expected) > MOST_NAMES else ''}"
    if missing is not None:
        raise InvalidDocument.at(pointer, f'Expected {wanted}; received no "{missing}".')
    unknown = next(name for name in names if name not in expected)
    message = f"Expected {wanted}; received {received(unknown)}, too.{did_you_mean(unknown, expected)}"
    raise InvalidDocument.at(join(pointer, unknown), message)


def join_columns(
    columns: Mapping[str, Array], assigned: Sequence[str], model_input: ModelInput
) -> Array | None:
    """One input's array (n, …) of its columns; None where they can't be that.

    Args:
        columns: by name, each (n,) or, where an input has only one, also (n, …).
        assigned: names of the input's columns.
        model_input: the input.
    """
    first = columns[assigned[0]]
    if len(assigned) == 1 and first.ndim > 1:
        return first
    if any(columns[name].ndim > 1 for name in assigned) or (
        len(assigned) == 1 and not is_single(model_input)
    ):
        return None
    stacked = np.stack([columns[name] for name in assigned], axis=1)
    return stacked.reshape(len(stacked), *(length or 1 for length in model_input.shape))


def fit_columns(
    columns: Array | Mapping[str, Array], inputs: Sequence[ModelInput], pointer: str = "/columns"
) -> dict[str, Array] | None:
    """The arrays that a model takes, by input name; None where the columns don't hold such numbers.

    Args:
        columns: float64, by name.
        inputs: what the model takes.
        pointer: to the columns.

    Raises:
        InvalidDocument: a column is missing, or one too many.
    """
    if not isinstance(columns, Mapping):
        return None
    assigned = assign_columns(list(columns), inputs, pointer)
    if len({len(column) for column in columns.values()}) > 1:
        return None
    joined: dict[str, Array] = {}
    for model_input in inputs:
        array = join_columns(columns, assigned[model_input.name], model_input)
        if array is None:
            return None
        joined[model_input.name] = array
    return fit_numbers(joined, inputs)


def read_columns(
    columns: Any, inputs: Sequence[ModelInput], *, maybe_booleans: bool, pointer: str = "/columns"
) -> dict[str, Array]:
    """The arrays by input name, each (n, …) of its input's dtype, n ≥ 1.

    Args:
        columns: parsed JSON: lists by column name.
        inputs: what the model takes.
        maybe_booleans: whether a boolean may stand among the numbers.
        pointer: JSON Pointer of `columns` in the client's document.

    Raises:
        InvalidDocument: a name, a length or a number isn't one that the model takes.
    """
    if not isinstance(columns, dict):
        raise InvalidDocument.at(pointer, f"Expected an object of columns; received {received(columns)}.")
    assigned = assign_columns(list(columns), inputs, pointer)
    arrays: dict[str, Array] = {}
    rows: int | None = None
    for model_input in inputs:
        names = assigned[model_input.name]
        own: dict[str, Array] = {}
        for name in names:
            start = join(pointer, name)
            values = columns[name]
            check_rows(values, start)
            whole = len(names) == 1 and not (is_single(model_input) and not isinstance(values[0], list))
            element = model_input if whole else _element(model_input, name)
            own[name] = read_rows(values, element, maybe_booleans, rows_below(start))
            rows = len(values) if rows is None else rows
            if len(values) != rows:
                raise InvalidDocument.at(start, f"Expected {rows} values, as before; received {len(values)}.")
        joined = join_columns(own, names, model_input)
        assert joined is not None
        arrays[model_input.name] = joined
    return arrays


def _element(model_input: ModelInput, name: str) -> ModelInput:
    """A column of an input, as if it were one itself."""
    features = tuple(one for one in model_input.features if one.name == name)
    return model_input._replace(shape=(), features=features)


def is_single(model_input: ModelInput) -> bool:
    """Whether a sample has one element."""
    return all(length == 1 for length in model_input.shape)
