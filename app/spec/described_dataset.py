"""What a run takes of a stored dataset, told from the dataset's description alone: no row is read.

Columns are looked up, their types and missing values compared with what the document asks of them.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from app.errors import InvalidDocument
from app.spec.arrays import LARGEST
from app.spec.dataset import ONLY_INPUT, ONLY_TARGET
from app.spec.features import Feature
from app.spec.names import did_you_mean
from app.spec.pointers import join
from app.spec.stored_dataset import Encoding, FeatureColumn, StoredDataset, TargetColumn

Kind = Literal["number", "boolean", "text", "other"]


@dataclass(frozen=True)
class ColumnDescription:
    """A column of a stored dataset, as `app.datasets.schemas.Column` explains."""

    name: str
    type: str
    shape: tuple[int, ...]
    missing: int
    first_missing: int | None
    min: float | int | None
    max: float | int | None
    categories: tuple[Any, ...] | None

    @property
    def kind(self) -> Kind:
        """What its elements are."""
        if self.type.startswith(("int", "uint", "float", "double", "halffloat")):
            return "number"
        if self.type == "bool":
            return "boolean"
        return "text" if self.type.endswith("string") else "other"


@dataclass(frozen=True)
class DatasetDescription:
    """A stored dataset.

    Attributes:
        rows: how many samples.
        columns: by name.
    """

    rows: int
    columns: Mapping[str, ColumnDescription]


@dataclass(frozen=True)
class TargetElement:
    """A column of a target.

    Attributes:
        name: of the column.
        shape: of one row's value.
        categories: None where it holds numbers.
        encoding: of categories.
        low: least value, or place of a category.
        high: largest.
    """

    name: str
    shape: tuple[int, ...]
    categories: tuple[Any, ...] | None
    encoding: Encoding | None
    low: float
    high: float


@dataclass(frozen=True)
class Selection:
    """The columns that a run takes.

    Attributes:
        features: of each input, by its name.
        targets: of each output, by its name.
    """

    features: dict[str, tuple[Feature, ...]]
    targets: dict[str, tuple[TargetElement, ...]]


def select(dataset: StoredDataset, described: DatasetDescription) -> Selection:
    """The columns of a dataset that a document names.

    Raises:
        InvalidDocument: a column isn't there, or isn't what it's named for.
    """
    chooser = _Chooser(dataset, described)
    features = {
        name: chooser.features(columns, pointer)
        for name, columns, pointer in _named(dataset.features, "/dataset/features", ONLY_INPUT)
    }
    targets = {
        name: chooser.target(columns, pointer)
        for name, columns, pointer in _named(dataset.target, "/dataset/target", ONLY_TARGET)
    }
    chooser.check_others()
    return Selection(features, targets)


def _named(columns: Any, pointer: str, only: str) -> Iterator[tuple[str, Sequence[Any], str]]:
    if isinstance(columns, dict):
        yield from ((name, part, join(pointer, name)) for name, part in columns.items())
    else:
        yield only, columns, pointer


class _Chooser:
    """Looks up the columns of one document."""

    def __init__(self, dataset: StoredDataset, described: DatasetDescription) -> None:
        self._dataset = dataset
        self._described = described

    def features(self, columns: Sequence[FeatureColumn], pointer: str) -> tuple[Feature, ...]:
        found = tuple(self._feature(column, join(pointer, place)) for place, column in enumerate(columns))
        if len(found) > 1:
            for feature in found:
                if feature.shape:
                    raise InvalidDocument.at(
                        feature.pointer,
                        "Expected columns of single values, or one column of arrays for an input; received "
                        f"{feature.name!r}, arrays, among {len(found)} columns.",
                    )
        return found

    def _feature(self, column: FeatureColumn, pointer: str) -> Feature:
        described = self._find(column.column, pointer)
        encoding, scaling = column.encoding, column.scaling
        if described.kind == "text" and encoding is None:
            encoding = self._dataset.encoding
        if described.kind in ("number", "boolean") and encoding is None and scaling is None:
            scaling = self._dataset.scaling
        categories = self._categories(described, encoding, pointer)
        if categories is None:
            self._check_numbers(described, pointer)
        self._check_missing(described, pointer, column.missing is not None)
        return Feature(
            described.name,
            described.shape,
            categories,
            encoding,
            scaling,
            column.missing,
            column.unknown == "ignore",
            pointer,
        )

    def target(self, columns: Sequence[TargetColumn], pointer: str) -> tuple[TargetElement, ...]:
        elements = tuple(self._target(column, join(pointer, place)) for place, column in enumerate(columns))
        if len(elements) > 1 and any(element.shape for element in elements):
            raise InvalidDocument.at(
                pointer,
                "Expected columns of single values, or one column of arrays; received several of both.",
            )
        return elements

    def _target(self, column: TargetColumn, pointer: str) -> TargetElement:
        described = self._find(column.column, pointer)
        categories = self._categories(described, column.encoding, pointer)
        self._check_missing(described, pointer, has_rule=False)
        if categories is None:
            self._check_numbers(described, pointer)
            low, high = value_range(described)
        else:
            low, high = 0.0, float(len(categories) - 1)
        return TargetElement(described.name, described.shape, categories, column.encoding, low, high)

    def check_others(self) -> None:
        """That sample weights, groups and further columns are what they're named for."""
        dataset = self._dataset
        if dataset.sample_weight is not None:
            weights = self._numbers(dataset.sample_weight, "/dataset/sample_weight")
            if weights.shape:
                raise InvalidDocument.at(
                    "/dataset/sample_weight", "Expected one number a sample; received arrays."
                )
            low, high = value_range(weights)
            if low < 0 or high == 0:
                found = f"{low:g}" if low < 0 else "only zeros"
                raise InvalidDocument.at(
                    "/dataset/sample_weight", f"Expected numbers >= 0, not all 0; received {found}."
                )
        for place, name in enumerate(dataset.columns):
            self._numbers(name, join("/dataset/columns", place))
        if dataset.group is not None:
            group = self._find(dataset.group, "/dataset/group")
            self._check_missing(group, "/dataset/group", has_rule=False)
            is_group = group.kind == "text" or "int" in group.type
            if not is_group or group.categories is None:
                raise InvalidDocument.at(
                    "/dataset/group",
                    "Expected a column of texts or integers with at most 1000 groups; received "
                    f"{group.name!r}, {_of_kind(group)}.",
                )

    def _numbers(self, name: str, pointer: str) -> ColumnDescription:
        found = self._find(name, pointer)
        self._check_numbers(found, pointer)
        self._check_missing(found, pointer, has_rule=False)
        return found

    def _find(self, name: str, pointer: str) -> ColumnDescription:
        found = self._described.columns.get(name)
        if found is None:
            names = list(self._described.columns)
            shown = ", ".join(f'"{known}"' for known in names[:15]) + (", …" if len(names) > 15 else "")
            raise InvalidDocument.at(
                pointer,
                f'Expected a column of the dataset ({shown}); received "{name}".{did_you_mean(name, names)}',
            )
        return found

    @staticmethod
    def _categories(
        column: ColumnDescription, encoding: Encoding | None, pointer: str
    ) -> tuple[Any, ...] | None:
        if encoding is None:
            return None
        if column.categories is None:
            raise InvalidDocument.at(
                pointer,
                "Expected a column of at most 1000 texts, truth values or integers to encode; received "
                f"{column.name!r}, {_of_kind(column)}.",
            )
        return column.categories

    @staticmethod
    def _check_numbers(column: ColumnDescription, pointer: str) -> None:
        if column.kind == "boolean" and not column.shape:
            return
        if column.kind != "number":
            hint = ' Give it an "encoding".' if column.kind in ("text", "boolean") else ""
            raise InvalidDocument.at(
                pointer,
                f"Expected a column of numbers; received {column.name!r}, {_of_kind(column)}.{hint}",
            )
        low, high = value_range(column)
        if not (abs(low) <= LARGEST and abs(high) <= LARGEST):
            raise InvalidDocument.at(
                pointer,
                f"Expected finite numbers of at most {LARGEST:.3g}; received others in {column.name!r}.",
            )

    def _check_missing(self, column: ColumnDescription, pointer: str, has_rule: bool) -> None:
        if column.missing and not has_rule and self._dataset.missing is None:
            where = "" if column.first_missing is None else f", row {column.first_missing} (from 0) first"
            raise InvalidDocument.at(
                pointer,
                f"Expected a rule for missing values, as {column.missing} rows have none of {column.name!r}"
                f'{where}; received none. "missing" of a feature fills them, "missing": "drop" of the '
                "dataset leaves such rows out.",
            )


def _of_kind(column: ColumnDescription) -> str:
    shape = f" of shape {list(column.shape)}" if column.shape else ""
    return f"a column of {column.type}{shape}"


def value_range(column: ColumnDescription) -> tuple[float, float]:
    """Least and largest value; where they aren't told they aren't finite, unless all are missing."""
    if column.kind == "boolean":
        return 0.0, 1.0
    if column.min is None or column.max is None:
        return float("nan"), float("nan")
    return float(column.min), float(column.max)
