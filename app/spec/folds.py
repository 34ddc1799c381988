"""Cross-validation: which rows are a fold; as in scikit-learn's KFold, StratifiedKFold and GroupKFold."""

from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from app.errors import InvalidDocument
from app.spec.base import SpecModel
from app.spec.mistakes import mistake

Rows = NDArray[np.int64]


class Folds(SpecModel):
    """The rows in parts of about the same size, of which each validates once."""

    count: Annotated[int, Field(ge=2, le=1000)]
    """How many folds."""

    kind: Literal["plain", "stratified", "grouped"] = "plain"
    """`stratified` keeps the shares of the target's classes in each fold; `grouped` keeps each group of the
    dataset in one fold."""

    shuffle: bool = False
    """Whether the rows are in a random order first; not with `grouped`."""

    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0
    """Draws that order."""

    @model_validator(mode="after")
    def _check_shuffle(self) -> "Folds":
        if self.shuffle and self.kind == "grouped":
            raise mistake("Expected no shuffle with grouped folds; received true.", "shuffle")
        return self


class Fold(Folds):
    """One of several folds: it validates, all others train."""

    index: Annotated[int, Field(ge=0)] = 0
    """Which, from 0."""

    @model_validator(mode="after")
    def _check_index(self) -> "Fold":
        if self.index >= self.count:
            raise mistake(f"Expected an index below {self.count}; received {self.index}.", "index")
        return self


def fold_of_rows(
    folds: Folds, samples: int, targets: NDArray[Any] | None, groups: NDArray[Any] | None, pointer: str
) -> Rows:
    """The number of the fold that each row is in, `(samples,)`.

    Args:
        folds: how many, at most as many as rows, of which kind.
        samples: how many rows.
        targets: `(samples, …)`, whose different values are the classes.
        groups: `(samples,)`.
        pointer: to the folds in the client's document.

    Raises:
        InvalidDocument: there are too few of each class, or too few groups.
    """
    random = np.random.RandomState(folds.seed) if folds.shuffle else None
    if folds.kind == "plain":
        return _plain(folds.count, samples, random)
    if folds.kind == "stratified":
        assert targets is not None
        return _stratified(folds.count, targets.reshape(samples, -1), random, pointer)
    if groups is None:
        raise InvalidDocument.at(
            f"{pointer}/kind", "Expected a group of each sample in dataset; received none."
        )
    return _grouped(folds.count, groups, pointer)


def _plain(count: int, samples: int, random: np.random.RandomState | None) -> Rows:
    """Stretches of an order of the rows; the first ones are one longer where they can't be equal."""
    order = np.arange(samples)
    if random is not None:
        random.shuffle(order)
    fold = np.empty(samples, np.int64)
    for number, rows in enumerate(np.array_split(order, count)):
        fold[rows] = number
    return fold


def _stratified(
    count: int, targets: NDArray[Any], random: np.random.RandomState | None, pointer: str
) -> Rows:
    """Deals the rows of all classes, sorted by class, to the folds in turn; then, within each class, the rows
    that came first are in the first folds, or, with a shuffle, in any.
    """
    _, first, labels, sizes = np.unique(
        targets, axis=0, return_index=True, return_inverse=True, return_counts=True
    )
    labels = labels.reshape(-1)
    if sizes.max() < count:
        raise InvalidDocument.at(
            f"{pointer}/kind", f"Expected a class of at least {count} rows; received {sizes.max()} at most."
        )
    by_class = _ranks(first)[labels]  # classes numbered as they come
    dealt = np.sort(by_class)
    fold = np.empty(len(targets), np.int64)
    for number in range(len(sizes)):
        shares = np.bincount(np.flatnonzero(dealt == number) % count, minlength=count)
        folds_of_class = np.repeat(np.arange(count), shares)
        if random is not None:
            random.shuffle(folds_of_class)
        fold[by_class == number] = folds_of_class
    return fold


def _ranks(first: Rows) -> Rows:
    ranks = np.empty(len(first), np.int64)
    ranks[np.argsort(first)] = np.arange(len(first))
    return ranks


def _grouped(count: int, groups: NDArray[Any], pointer: str) -> Rows:
    """Gives the groups, the largest first, each to the fold that has the fewest rows so far."""
    _, labels, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    if len(sizes) < count:
        raise InvalidDocument.at(
            f"{pointer}/count", f"Expected at most {len(sizes)} folds, as there are groups; received {count}."
        )
    rows_of_fold = np.zeros(count, np.int64)
    fold_of_group = np.empty(len(sizes), np.int64)
    for group in np.argsort(sizes)[::-1]:
        smallest = int(np.argmin(rows_of_fold))
        rows_of_fold[smallest] += sizes[group]
        fold_of_group[group] = smallest
    return fold_of_group[labels]
