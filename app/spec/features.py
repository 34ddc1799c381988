"""What becomes of the columns of a stored dataset before they enter the model.

An input's raw array holds the columns' values, float64 `(samples, columns)`, or `(samples, …)` where it is
one column of arrays; a category is its place in ascending order there, a missing value NaN. `fit_features`
looks at training rows only; `encode` makes of raw values what the model's first layer takes:

    number                  (x − offset) · factor
    category, integer       its place
    category, one_hot       1 at its place, else 0
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.errors import InvalidDocument
from app.spec.pointers import received
from app.spec.space import blocks
from app.spec.stored_dataset import Encoding, Fill, Scaling

Raw = NDArray[np.float64]

NOT_SEEN = -1.0
"""Stands for a category that no training row has."""


@dataclass(frozen=True)
class Feature:
    """A column of an input.

    Attributes:
        name: of the column.
        shape: of one row's value; empty for a single value.
        categories: in ascending order; None where it holds numbers.
        encoding: of categories.
        scaling: of numbers.
        missing: what stands for a missing value; None where there may be none.
        ignores_unknown: whether a category that no training row has is no error.
        pointer: to it in the run document.
    """

    name: str
    shape: tuple[int, ...]
    categories: tuple[Any, ...] | None
    encoding: Encoding | None
    scaling: Scaling | None
    missing: Fill | None
    ignores_unknown: bool
    pointer: str

    @property
    def codes(self) -> int:
        """How many categories there are, one for what is missing included; 0 of numbers."""
        return 0 if self.categories is None else len(self.categories) + (self.missing == "category")

    @property
    def elements(self) -> int:
        """How many elements of a flat input it makes."""
        return self.codes if self.encoding == "one_hot" else 1


@dataclass(frozen=True)
class FittedFeature:
    """A feature with what the training rows say.

    Attributes:
        feature: the feature.
        seen: of categories, the places of those that training rows have.
        fill: of numbers, what stands for missing ones, for each element of the last axis; None without rule.
        offset: of numbers, likewise.
        factor: of numbers, likewise.
    """

    feature: Feature
    seen: tuple[int, ...] = ()
    fill: Raw | None = None
    offset: Raw = field(default_factory=lambda: np.zeros(1))
    factor: Raw = field(default_factory=lambda: np.ones(1))


def encoded_shape(features: Sequence[Feature]) -> tuple[int, ...]:
    """The shape of one sample of an input of these columns, as the model's layers take it."""
    if features[0].shape:
        return features[0].shape
    return (sum(feature.elements for feature in features),)


def fit_features(features: Sequence[Feature], raw: Raw) -> tuple[FittedFeature, ...]:
    """What the training rows say of each column.

    Args:
        features: the input's columns.
        raw: their values in the training rows.

    Raises:
        InvalidDocument: a column has no value there to fill others with.
    """
    if features[0].shape:
        return (_fit_numbers(features[0], raw),)
    return tuple(
        _fit_numbers(feature, raw[:, place : place + 1])
        if feature.categories is None
        else FittedFeature(feature, tuple(int(code) for code in np.unique(raw[:, place])))
        for place, feature in enumerate(features)
    )


def _fit_numbers(feature: Feature, values: Raw) -> FittedFeature:
    """Of values `(samples, …, elements)`; scikit-learn's SimpleImputer, then its scalers."""
    values = values.reshape(-1, values.shape[-1])
    fill = None
    if feature.missing is not None:
        fill = _fill(feature, values)
        values = np.where(np.isnan(values), fill, values)
    offset, factor = np.zeros(values.shape[1]), np.ones(values.shape[1])
    if feature.scaling == "standard":
        offset, factor = values.mean(axis=0), _inverse(_deviation(values))
    elif feature.scaling == "min_max":
        offset = values.min(axis=0)
        factor = _inverse(values.max(axis=0) - offset)
    elif feature.scaling is not None:
        factor = np.full(values.shape[1], feature.scaling)
    return FittedFeature(feature, fill=fill, offset=offset, factor=factor)


def _fill(feature: Feature, values: Raw) -> Raw:
    if not isinstance(feature.missing, str):
        return np.full(values.shape[1], feature.missing)
    if np.isnan(values).all(axis=0).any():
        raise InvalidDocument.at(
            feature.pointer, f"Expected training rows with a value of {feature.name!r}; received none."
        )
    statistic: Raw = (np.nanmean if feature.missing == "mean" else np.nanmedian)(values, axis=0)
    return statistic


def _deviation(values: Raw) -> Raw:
    """Standard deviation (÷ n), 0 where it's only the rounding of the mean."""
    mean = values.mean(axis=0)
    squares = np.zeros_like(mean)
    for block in blocks(len(values), values):  # `values.std` would make an array of the same size
        squares += np.square(values[block] - mean).sum(axis=0)
    deviation = np.sqrt(squares / len(values))
    rounding = len(values) * np.finfo(np.float64).eps * np.abs(mean)
    return np.where(deviation <= rounding, 0.0, deviation)


def _inverse(width: Raw) -> Raw:
    return np.divide(1.0, width, out=np.ones_like(width), where=width > 0)


def encode(fitted: Sequence[FittedFeature], raw: Raw, rows: NDArray[np.int64]) -> NDArray[np.float32]:
    """What the model's layers take: float32 `(samples, …)`.

    Args:
        fitted: the input's columns.
        raw: their values.
        rows: numbers of the rows, for messages.

    Raises:
        InvalidDocument: a category that no training row has, and that isn't to be ignored.
    """
    if fitted[0].feature.shape:
        return _scale(fitted[0], raw)
    width = sum(one.feature.elements for one in fitted)
    encoded = np.empty((len(raw), width), np.float32)
    start = 0
    for place, one in enumerate(fitted):
        end = start + one.feature.elements
        values = raw[:, place : place + 1]
        encoded[:, start:end] = (
            _scale(one, values) if one.feature.categories is None else _encode_codes(one, values, rows)
        )
        start = end
    return encoded


def _scale(fitted: FittedFeature, values: Raw) -> NDArray[np.float32]:
    if fitted.fill is not None:
        values = np.where(np.isnan(values), fitted.fill, values)
    return ((values - fitted.offset) * fitted.factor).astype(np.float32)


def _encode_codes(fitted: FittedFeature, codes: Raw, rows: NDArray[np.int64]) -> NDArray[np.float32]:
    feature = fitted.feature
    strange = np.flatnonzero(~np.isin(codes[:, 0], fitted.seen))
    if strange.size and not feature.ignores_unknown:
        assert feature.categories is not None
        first = int(strange[0])
        code = int(codes[first, 0])
        value = feature.categories[code] if code < len(feature.categories) else None
        raise InvalidDocument.at(
            feature.pointer,
            f"Expected categories of {feature.name!r} that training rows have; received "
            f'{received(value)} in row {int(rows[first])}. "unknown": "ignore" makes all its elements 0.',
        )
    if feature.encoding == "integer":
        return codes.astype(np.float32)
    one_hot: NDArray[np.float32] = (codes == np.arange(feature.codes)).astype(np.float32)
    one_hot[strange] = 0.0
    return one_hot
