"""What is done to raw values, as Keras operations that a saved model takes with it.

The same as `app.spec.features.encode`, in the precision of the raw values.
"""

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any

import keras
import numpy as np

from app.spec.features import FittedFeature

ops = keras.ops


def raw_model(model: keras.Model, fitted: Mapping[str, Sequence[FittedFeature]]) -> keras.Model:
    """The model behind what makes of raw values what it takes.

    Args:
        model: the trained one; the result shares its weights.
        fitted: the columns of the inputs that take raw values, by input name.

    Returns:
        A model with the same names of inputs and outputs; those inputs are float64 `(samples, columns)`, or
        of the shape that the column's arrays have. The model itself if there are none.
    """
    if not fitted:
        return model
    entries = {}
    for tensor in model.inputs:
        columns = fitted.get(tensor.name)
        if columns is None:
            entries[tensor.name] = keras.Input(tensor.shape[1:], name=tensor.name, dtype=tensor.dtype)
        else:
            shape = columns[0].feature.shape or (len(columns),)
            entries[tensor.name] = keras.Input(shape, name=tensor.name, dtype="float64")
    taken = {
        name: _preprocess(entry, fitted[name]) if name in fitted else entry for name, entry in entries.items()
    }
    several = len(entries) > 1
    # Not `model(…)`, which would put the whole model behind one layer, and its outputs under that one's name.
    outputs = model.call(taken if several else next(iter(taken.values())))
    return keras.Model(entries if several else next(iter(entries.values())), outputs, name=model.name)


def _preprocess(raw: Any, columns: Sequence[FittedFeature]) -> Any:
    if columns[0].feature.shape:
        return _scaled(raw, columns)
    parts = []
    start = 0
    for is_number, stretch in groupby(columns, key=lambda column: column.feature.categories is None):
        these = list(stretch)
        if is_number:
            parts.append(_scaled(raw[:, start : start + len(these)], these))
        else:
            parts += [
                _encoded(raw[:, start + place : start + place + 1], column)
                for place, column in enumerate(these)
            ]
        start += len(these)
    return ops.concatenate(parts, axis=-1) if len(parts) > 1 else parts[0]


def _scaled(raw: Any, columns: Sequence[FittedFeature]) -> Any:
    """`(x − offset) · factor`, with what stands for missing values."""
    if any(column.fill is not None for column in columns):
        fill = np.concatenate([np.zeros_like(c.offset) if c.fill is None else c.fill for c in columns])
        raw = ops.where(ops.isnan(raw), fill, raw)
    offset = np.concatenate([column.offset for column in columns])
    factor = np.concatenate([column.factor for column in columns])
    return ops.cast((raw - offset) * factor, "float32")


def _encoded(codes: Any, column: FittedFeature) -> Any:
    if column.feature.encoding == "integer":
        return ops.cast(codes, "float32")
    return ops.cast(ops.equal(codes, np.arange(column.feature.codes, dtype=np.float64)), "float32")
