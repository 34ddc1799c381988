"""The columns of a stored dataset as the arrays of a run."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.datasets.description import PARQUET_FILE, TABLE_FILE
from app.datasets.tables import DatasetRow
from app.spec.dataset import RunData
from app.spec.described_dataset import ColumnDescription, DatasetDescription, TargetElement, select
from app.spec.features import Feature
from app.spec.space import Space, blocks
from app.spec.stored_dataset import StoredDataset

Array = NDArray[Any]


def describe(row: DatasetRow) -> DatasetDescription:
    """What the language knows of a dataset."""
    columns = [
        ColumnDescription(
            column["name"],
            column["type"],
            tuple(column["shape"]),
            column["missing"],
            column["first_missing"],
            column["min"],
            column["max"],
            None if column["categories"] is None else tuple(column["categories"]),
        )
        for column in row.columns
    ]
    return DatasetDescription(row.rows, {column.name: column for column in columns})


def read_run_data(
    dataset: StoredDataset, described: DatasetDescription, folder: Path, space: Space
) -> RunData:
    """The samples that a document takes of a stored dataset; inputs are raw, see `app.spec.features`.

    Args:
        dataset: which columns.
        described: the dataset.
        folder: where its files lie.
        space: where the arrays are to lie.

    Raises:
        InvalidDocument: a column isn't there, or isn't what it's named for.
        OSError: the files are gone, or the disk is full.
    """
    selection = select(dataset, described)
    columns = StoredColumns(described, folder)

    rows, features = described.rows, selection.features
    inputs = {
        name: space.inputs(rows, np.float64, partial(_raw_input, columns, parts))
        for name, parts in features.items()
    }
    targets = {
        name: space.filled(rows, np.float32, partial(_target, columns, parts))
        for name, parts in selection.targets.items()
    }
    others = {
        name: space.inputs(rows, np.float32, partial(columns.numbers, name)) for name in dataset.columns
    }
    weight = None
    if dataset.sample_weight is not None:
        weight = space.filled(rows, np.float32, partial(columns.numbers, dataset.sample_weight))
    incomplete: Array | None = None
    if dataset.missing is not None:
        lacking = [_lacks(inputs[name], _without_rule(parts)) for name, parts in features.items()]
        lacking += map(_lacks, [*targets.values(), *others.values(), *([] if weight is None else [weight])])
        incomplete = np.logical_or.reduce(lacking)
    group = None
    if dataset.group is not None:
        group, without = columns.groups(dataset.group)
        incomplete = without if incomplete is None else incomplete | without
    return RunData(
        inputs=inputs,
        targets=targets,
        sample_weight=weight,
        group=group,
        columns=others,
        features=features,
        incomplete=incomplete if incomplete is not None and incomplete.any() else None,
        space=space,
    )


def _without_rule(features: tuple[Feature, ...]) -> NDArray[np.bool_]:
    """Which features of an input have no rule of their own for missing values."""
    return np.array([feature.missing is None for feature in features])


def _lacks(array: Array, counted: NDArray[np.bool_] | bool = True) -> NDArray[np.bool_]:
    """The rows with a NaN, in the features that count; an input of arrays is one feature."""
    lacking = []
    for part in blocks(len(array), array[:1]):
        block = array[part]
        lacking.append((np.isnan(block).reshape(len(block), -1) & counted).any(1))
    return np.concatenate(lacking)


def _raw_input(columns: "StoredColumns", features: tuple[Feature, ...], part: slice) -> Array:
    if features[0].shape:
        return columns.numbers(features[0].name, part)
    raw = np.empty((part.stop - part.start, len(features)))
    for place, feature in enumerate(features):
        if feature.categories is None:
            raw[:, place] = columns.numbers(feature.name, part)
        else:
            codes = columns.codes(feature.name, feature.categories, part)
            missing = float(len(feature.categories)) if feature.missing == "category" else np.nan
            raw[:, place] = np.where(codes < 0, missing, codes)
    return raw


def _target(columns: "StoredColumns", elements: tuple[TargetElement, ...], part: slice) -> Array:
    parts = [_target_part(columns, element, part) for element in elements]
    return np.concatenate(parts, axis=1) if len(parts) > 1 else parts[0]


def _target_part(columns: "StoredColumns", element: TargetElement, part: slice) -> Array:
    if element.categories is None:
        numbers = columns.numbers(element.name, part)
        return numbers if element.shape else numbers.reshape(-1, 1)
    codes = columns.codes(element.name, element.categories, part)
    places = np.where(codes < 0, np.nan, codes)[:, None]
    if element.encoding == "integer":
        return places
    one_hot: Array = (places == np.arange(len(element.categories))).astype(np.float64)
    one_hot[codes < 0] = np.nan
    return one_hot


class StoredColumns:
    """The columns of a dataset, memory-mapped.

    Args:
        described: the dataset.
        folder: where its files lie.
    """

    def __init__(self, described: DatasetDescription, folder: Path) -> None:
        self.rows = described.rows
        self._columns: Mapping[str, ColumnDescription] = described.columns
        self._files = {name: folder / f"{place}.npy" for place, name in enumerate(described.columns)}
        self._table: Any = None
        if any((folder / name).exists() for name in (PARQUET_FILE, TABLE_FILE)):
            from app.datasets.table_file import open_table_file

            self._table = open_table_file(folder)

    def numbers(self, name: str, part: slice) -> Array:
        """Some rows of a column of numbers, float64 `(rows, …)`; NaN where a value is missing."""
        if self._table is None:
            stored: Array = np.load(self._files[name], mmap_mode="r", allow_pickle=False)
            return stored[part].astype(np.float64)
        shape = self._columns[name].shape
        column = self._part(name, part)
        for _ in shape:
            column = _flat(column)
        if self._columns[name].kind == "boolean":
            column = column.cast("int8")
        numbers: Array = column.to_numpy().astype(np.float64)
        return numbers.reshape(-1, *shape)

    def codes(self, name: str, categories: tuple[Any, ...], part: slice) -> Array:
        """The place of each row's value among the categories, int64 `(rows,)`; -1 for none of them."""
        if self._table is None:
            values: Array = np.load(self._files[name], mmap_mode="r", allow_pickle=False)[part]
            known = np.asarray(categories, values.dtype)
            places = np.minimum(np.searchsorted(known, values), len(known) - 1)
            codes: Array = np.where(known[places] == values, places, -1)
            return codes
        import pyarrow
        from pyarrow import compute

        column = self._part(name, part)
        places = compute.index_in(column, value_set=pyarrow.array(categories, column.type), skip_nulls=True)
        found: Array = places.fill_null(-1).to_numpy().astype(np.int64)
        return found

    def groups(self, name: str) -> tuple[Array, NDArray[np.bool_]]:
        """The group of each row, and whether it has none; then some group stands there."""
        categories = self._columns[name].categories
        assert categories is not None
        codes = self.codes(name, categories, slice(0, self.rows))
        return np.asarray(categories)[np.maximum(codes, 0)], codes < 0

    def _part(self, name: str, part: slice) -> Any:
        return self._table.column(name).slice(part.start, part.stop - part.start)


def _flat(column: Any) -> Any:
    """The elements of fixed-size lists; as many for a missing list as for others."""
    import pyarrow

    parts = []
    for chunk in column.chunks:
        if not chunk.null_count:
            parts.append(chunk.flatten())
            continue
        size = chunk.type.list_size
        values = chunk.values.slice(chunk.offset * size, len(chunk) * size)
        present = np.repeat(chunk.is_valid().to_numpy(zero_copy_only=False), size)
        nulls = pyarrow.nulls(len(values), values.type)
        parts.append(pyarrow.compute.if_else(pyarrow.array(present), values, nulls))
    return pyarrow.chunked_array(parts, column.type.value_type)
