"""Values of a stored dataset's columns, as they are stored, to the numbers that a model's file takes.

A category becomes its code, a missing value NaN; `signature.json` says which there are. An input that is made
of columns may come as rows in their order, or by the columns' names, as if each were an input of its own.
"""

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from app.artifacts import FeatureSignature
from app.errors import InvalidDocument
from app.predictions.sessions import Array, ModelInput
from app.spec.parsing import expected_one_of
from app.spec.pointers import join

RowPointer = Callable[[int], str]
"""From the number of a row to its JSON Pointer."""

NOT_SEEN = -1
"""What the file takes for a category that it hasn't learned."""


def by_column(inputs: Sequence[ModelInput], names: Collection[str]) -> Sequence[ModelInput] | None:
    """The inputs with each column as one of its own; None where none is made of columns, or none is named.

    Args:
        inputs: what the model takes.
        names: of what came.
    """
    made = [model_input for model_input in inputs if model_input.features and model_input.shape]
    if not made or any(is_whole(model_input, names) for model_input in made):
        return None
    return [
        part
        for model_input in inputs
        for part in (
            [ModelInput(one.name, (), model_input.dtype, (one,)) for one in model_input.features]
            or [model_input]
        )
    ]


def is_whole(model_input: ModelInput, names: Collection[str]) -> bool:
    """Whether what came by name has an input as a whole, and not a column of the same name."""
    return model_input.name in names and all(one.name != model_input.name for one in model_input.features)


def joined(arrays: Mapping[str, Array], inputs: Sequence[ModelInput]) -> dict[str, Array]:
    """The inputs' arrays of those of `by_column`."""
    return {
        model_input.name: np.stack([arrays[one.name] for one in model_input.features], axis=1)
        if model_input.features
        else arrays[model_input.name]
        for model_input in inputs
    }


def has_categories(inputs: Sequence[ModelInput]) -> bool:
    """Whether some numbers in rows would be categories, and not what the file takes."""
    return any(one.categories is not None for model_input in inputs for one in model_input.features)


def features_of(inputs: Sequence[ModelInput]) -> dict[str, FeatureSignature]:
    """The columns that inputs are made of, by name."""
    return {one.name: one for model_input in inputs for one in model_input.features}


def encode_rows(rows: list[Any], model_input: ModelInput, pointers: RowPointer) -> list[Any]:
    """Rows of values as rows of numbers; what can't be values of a row stays as it is.

    Args:
        rows: lists of values, or values where the input is a single column.
        model_input: with features.
        pointers: from the number of a row to its JSON Pointer.

    Raises:
        InvalidDocument: a category that the model doesn't know.
    """
    features = model_input.features
    special = [place for place, one in enumerate(features) if one.fills_missing or one.categories is not None]
    if not special:
        return rows
    if not model_input.shape:
        return [_encode(value, features[0], pointers, row) for row, value in enumerate(rows)]
    encoded: list[Any] = []
    for row, values in enumerate(rows):
        if isinstance(values, list) and len(values) == len(features):
            values = list(values)
            for place in special:
                values[place] = _encode(values[place], features[place], pointers, row, place)
        encoded.append(values)
    return encoded


def _encode(value: Any, feature: FeatureSignature, pointers: RowPointer, row: int, *place: int) -> Any:
    if feature.categories is None:
        return math.nan if value is None else value
    if isinstance(value, str | bool | int | float | None):
        code = _codes(feature).get((isinstance(value, bool), value))
        if code is not None:
            return code
        if feature.ignores_unknown and value is not None:
            return NOT_SEEN
    known = [str(category) for category in feature.categories if category is not None]
    expected = expected_one_of(f"categories of {feature.name!r}", known, value)
    raise InvalidDocument.at(join(pointers(row), *place), expected)


@lru_cache(maxsize=1024)
def _codes(feature: FeatureSignature) -> dict[tuple[bool, Any], int]:
    """The code of each category; True isn't 1."""
    categories = zip(feature.categories or (), feature.codes, strict=True)
    return {(isinstance(category, bool), category): code for category, code in categories}
