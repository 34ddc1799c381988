"""Two rows that stand for all of a stored dataset, as they span its columns' ranges.

With them model, loss, metrics and limits are checked as with inline data, although no row is read.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from app.spec.dataset import Floats, RunData
from app.spec.described_dataset import (
    ColumnDescription,
    DatasetDescription,
    TargetElement,
    select,
    value_range,
)
from app.spec.features import Feature, encoded_shape
from app.spec.stored_dataset import StoredDataset


def representative(dataset: StoredDataset, described: DatasetDescription) -> RunData:
    """Two rows that span the ranges of the columns, encoded, and all groups.

    Raises:
        InvalidDocument: as `select` does.
    """
    selection = select(dataset, described)
    columns = {name: _ends(described.columns[name]) for name in dataset.columns}
    group = None if dataset.group is None else described.columns[dataset.group].categories
    return RunData(
        inputs={
            name: _input_ends(features, described.columns) for name, features in selection.features.items()
        },
        targets={name: _target_ends(elements) for name, elements in selection.targets.items()},
        group=None if group is None else np.array(group),
        columns=columns,
    )


def _ends(column: ColumnDescription) -> Floats:
    low, high = value_range(column)
    return np.stack([np.full(column.shape, end, np.float32) for end in (low, high)])


def _input_ends(features: Sequence[Feature], columns: Mapping[str, ColumnDescription]) -> Floats:
    """The ends of the ranges of what isn't scaled and of places of categories; else zeros."""
    if features[0].shape:
        (feature,) = features
        return (
            _ends(columns[feature.name])
            if feature.scaling is None
            else np.zeros((2, *feature.shape), np.float32)
        )
    ends = np.zeros((2, *encoded_shape(features)), np.float32)
    start = 0
    for feature in features:
        if feature.encoding == "integer":
            ends[1, start] = feature.codes - 1
        elif feature.categories is None and feature.scaling is None:
            ends[:, start] = value_range(columns[feature.name])
        start += feature.elements
    return ends


def _target_ends(elements: Sequence[TargetElement]) -> Floats:
    parts = []
    for element in elements:
        ends = [np.full(element.shape or (1,), end, np.float32) for end in (element.low, element.high)]
        if element.encoding == "one_hot":
            ends = [np.eye(int(element.high) + 1, dtype=np.float32)[int(end[0])] for end in ends]
        parts.append(np.stack(ends))
    return np.concatenate(parts, axis=-1) if len(parts) > 1 else parts[0]
