"""Which rows train, which validate and which test.

Parts are half-open ranges of rows, fractions of all rows drawn by a seed, or a fold of a cross-validation and
the others. Without a split all rows train.
"""

from itertools import pairwise
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BeforeValidator, Discriminator, Field, Tag, model_validator

from app.errors import InvalidDocument
from app.spec.base import SpecModel
from app.spec.dataset import RunData
from app.spec.folds import Fold, fold_of_rows
from app.spec.mistakes import mistake
from app.spec.pointers import received

PARTS = ("train", "validation", "test")

Range = Annotated[tuple[Annotated[int, Field(ge=0)], Annotated[int, Field(ge=0)]], Field(strict=False)]
"""`[first, end]`: the rows from `first` to before `end`, counted from 0."""


def _as_ranges(value: Any) -> Any:
    """A list of ranges, of which one range alone is an abbreviation."""
    if not isinstance(value, list | tuple) or not value or any(isinstance(v, list | tuple) for v in value):
        return value
    if len(value) != 2:
        raise mistake(f"Expected [first, end], or a list of such ranges; received {received(value)}.")
    for index, row in enumerate(value):
        if isinstance(row, bool) or not isinstance(row, int) or row < 0:
            raise mistake(f"Expected the number of a row, an integer >= 0; received {received(row)}.", index)
    return [value]


class RowsPart(SpecModel):
    """A part of the data by the numbers of its rows."""

    rows: Annotated[
        tuple[Range, ...],
        Field(strict=False, min_length=1),
        BeforeValidator(_as_ranges, json_schema_input_type=Range | list[Range]),
    ]
    """One half-open range `[first, end]`, or a list of them; no row twice."""

    @model_validator(mode="after")
    def _check_ranges(self) -> "RowsPart":
        for first, end in self.rows:
            if end <= first:
                raise mistake(
                    f"Expected a range [first, end] with first < end; received [{first}, {end}].", "rows"
                )
        for (_, end), (first, _) in pairwise(sorted(self.rows)):
            if first < end:
                raise mistake(f"Expected each row once; received row {first} in two ranges.", "rows")
        return self


class FractionPart(SpecModel):
    """A part of the data by its share."""

    fraction: Annotated[float, Field(gt=0, le=1)]
    """Share of all rows, above 0, at most 1; rounded to whole rows."""


def _kind(value: Any) -> str:
    names_fraction = "fraction" in value if isinstance(value, dict) else isinstance(value, FractionPart)
    return FractionPart.__name__ if names_fraction else RowsPart.__name__


Part = Annotated[
    Annotated[RowsPart, Tag(RowsPart.__name__)] | Annotated[FractionPart, Tag(FractionPart.__name__)],
    Discriminator(_kind),
]
"""A part by rows or by fraction, told apart by the field it has."""


class Split(SpecModel):
    """The parts of the data."""

    train: Part | None = None
    """What the model is fitted to; without it, all rows that no other part names."""

    validation: Part | None = None
    """What is measured each epoch, and what early stopping looks at."""

    test: Part | None = None
    """What is measured once, at the end."""

    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0
    """Draws the rows of fractions. Apart from the run's seed, so that repeated runs share their split."""

    stratified: bool = False
    """With fractions: keep the shares of the targets' classes the same in each part."""

    fold: Fold | None = None
    """Instead of parts: one fold of a cross-validation."""

    @property
    def parts(self) -> dict[str, Part]:
        """The parts that are named."""
        named = {part: getattr(self, part) for part in PARTS}
        return {name: part for name, part in named.items() if part is not None}

    @property
    def validates(self) -> bool:
        """Whether there are rows to validate."""
        return self.validation is not None or self.fold is not None

    @model_validator(mode="after")
    def _check_parts(self) -> "Split":
        parts = self.parts
        if self.fold is not None:
            if parts or self.stratified:
                name = next(iter(parts), "stratified")
                raise mistake("Expected no more beside fold; received some.", name)
            return self
        fractions = {name: part for name, part in parts.items() if isinstance(part, FractionPart)}
        if not fractions:
            if self.stratified:
                raise mistake("Expected parts by fraction with stratified; received rows.", "stratified")
            self._check_overlap()
        elif len(fractions) < len(parts):
            other = next(name for name in parts if name not in fractions)
            raise mistake("Expected a fraction, as the other parts are; received rows.", other)
        elif sum(part.fraction for part in fractions.values()) > 1 + 1e-9:
            total = sum(part.fraction for part in fractions.values())
            raise mistake(
                f"Expected fractions that sum to at most 1; received {total:g}.", next(iter(fractions))
            )
        return self

    def _check_overlap(self) -> None:
        ranges = [
            (first, end, name)
            for name, part in self.parts.items()
            if isinstance(part, RowsPart)
            for first, end in part.rows
        ]
        for (_, end, one), (first, _, other) in pairwise(sorted(ranges)):
            if first < end:
                raise mistake(
                    f"Expected no row in two parts; received row {first} in {one} too.", other, "rows"
                )


Rows = NDArray[np.int64]


def split_rows(split: Split | None, data: RunData) -> dict[str, Rows]:
    """The row numbers of each part, in ascending order; the same for the same split and data.

    Returns:
        `train` and, where they are named, `validation` and `test`; without the rows that are incomplete.

    Raises:
        InvalidDocument: a range ends after the last row, a part would be empty, or the targets have no
            classes to stratify by.
    """
    samples = data.samples
    check_split(split, samples)
    if split is not None and split.fold is not None:
        rows = _fold(split.fold, data)
    elif split is None or not split.parts:
        rows = {"train": np.arange(samples)}
    elif any(isinstance(part, FractionPart) for part in split.parts.values()):
        rows = _draw(split, data)
    else:
        rows = {name: _rows_of(part) for name, part in split.parts.items() if isinstance(part, RowsPart)}
    if "train" not in rows:
        others = np.concatenate(list(rows.values()))
        rows = {"train": np.setdiff1d(np.arange(samples), others), **rows}
    return rows if data.incomplete is None else _complete(rows, data.incomplete)


def _fold(fold: Fold, data: RunData) -> dict[str, Rows]:
    targets = np.concatenate([y.reshape(len(y), -1) for y in data.targets.values()], axis=1)
    numbers = fold_of_rows(fold, data.samples, targets, data.group, "/split/fold")
    return {
        "train": np.flatnonzero(numbers != fold.index),
        "validation": np.flatnonzero(numbers == fold.index),
    }


def check_split(split: Split | None, samples: int) -> None:
    """Checks that the parts of that many samples aren't empty.

    Raises:
        InvalidDocument: a range ends after the last row, or a part would be empty.
    """
    if split is None:
        return
    if split.fold is not None and split.fold.count > samples:
        message = f"Expected at most {samples} folds, as there are rows; received {split.fold.count}."
        raise InvalidDocument.at("/split/fold/count", message)
    if not split.parts:
        return
    named = 0
    for name, part in split.parts.items():
        if isinstance(part, RowsPart):
            for first, end in part.rows:
                if end > samples:
                    raise InvalidDocument.at(
                        f"/split/{name}/rows",
                        f"Expected rows up to the {samples} samples there are; received [{first}, {end}].",
                    )
                named += end - first
    for name, (start, end) in _shares(split, samples).items():
        if end == start:
            part = split.parts[name]
            assert isinstance(part, FractionPart)
            raise InvalidDocument.at(
                f"/split/{name}/fraction",
                f"Expected a share of at least one of {samples} rows; received {part.fraction:g}.",
            )
        named += end - start
    if split.train is None and named == samples:
        raise InvalidDocument.at("/split", f"Expected rows left to train; received parts with all {samples}.")


def _complete(rows: dict[str, Rows], incomplete: NDArray[np.bool_]) -> dict[str, Rows]:
    complete = {name: part[~incomplete[part]] for name, part in rows.items()}
    for name, part in complete.items():
        if not part.size:
            raise InvalidDocument.at(
                "/dataset/missing", f"Expected a row of {name} that lacks no value; received none."
            )
    return complete


def _rows_of(part: RowsPart) -> Rows:
    return np.concatenate([np.arange(first, end) for first, end in sorted(part.rows)])


def _shares(split: Split, samples: int) -> dict[str, tuple[int, int]]:
    """The stretch of each part by fraction in an order of all rows."""
    share, start, stretches = 0.0, 0, {}
    for name, part in split.parts.items():
        if isinstance(part, FractionPart):
            share += part.fraction
            stretches[name] = (start, round(share * samples))
            start = stretches[name][1]
    return stretches


def _draw(split: Split, data: RunData) -> dict[str, Rows]:
    """Deals the rows, in a random order, to the parts one after the other."""
    order = np.random.default_rng(split.seed).permutation(data.samples)
    if split.stratified:
        order = order[_class_by_class(data, order)]
    return {name: np.sort(order[start:end]) for name, (start, end) in _shares(split, data.samples).items()}


def _class_by_class(data: RunData, order: Rows) -> Rows:
    """An order in which every stretch has the classes in about the shares of the whole.

    A class's k-th row of n stands at (k + ½)/n of the way.
    """
    targets = np.concatenate([y.reshape(len(y), -1) for y in data.targets.values()], axis=1)[order]
    _, labels, counts = np.unique(targets, axis=0, return_inverse=True, return_counts=True)
    if counts.max() == 1:
        raise InvalidDocument.at(
            "/split/stratified", "Expected targets that repeat, as classes do; received only different ones."
        )
    by_class = np.argsort(labels, kind="stable")
    starts = np.cumsum(counts) - counts
    ranks = np.empty(len(order), np.int64)
    ranks[by_class] = np.arange(len(order)) - np.repeat(starts, counts)
    return np.argsort((ranks + 0.5) / counts[labels], kind="stable")
