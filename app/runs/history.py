"""The history of a run: stored in blocks, read as one matrix, given out as JSON or CSV."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby, islice
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import delete, or_, select
from sqlalchemy.orm import Session

from app.counters import count
from app.runs.tables import HistoryBlockRow, RunRow

_NUMBER = np.dtype("<i4")
_VALUE = np.dtype("<f4")

# As much as is read at once for those who follow runs.
_MOST_RUNS = 200
_MOST_BLOCKS = 256


@dataclass(frozen=True)
class History:
    """Recorded epochs of a run.

    Attributes:
        columns: `loss`, `val_loss`, … in the order of the matrix.
        epochs: their numbers, from 1, int32 `(epochs,)`.
        values: float32 `(epochs, columns)`.
    """

    columns: Sequence[str]
    epochs: NDArray[np.int32]
    values: NDArray[np.float32]

    def thinned(self, max_points: int) -> "History":
        """At most `max_points` of the epochs, evenly spread, the last one always among them."""
        count = len(self.epochs)
        if count <= max_points:
            return self
        if max_points == 1:
            chosen = np.array([count - 1])
        else:
            chosen = np.linspace(0, count - 1, max_points).round().astype(np.int64)
        return self.part(chosen)

    def after(self, epoch: int) -> "History":
        """The epochs after `epoch`."""
        return self.part(self.epochs > epoch)

    def part(self, chosen: slice | NDArray[Any]) -> "History":
        """Some of the epochs, by what indexes an array."""
        return History(self.columns, self.epochs[chosen], self.values[chosen])

    def series(self) -> dict[str, NDArray[np.float32]]:
        """The values of each column."""
        return {
            name: np.ascontiguousarray(self.values[:, position]) for position, name in enumerate(self.columns)
        }

    def csv(self) -> str:
        """A header and one line an epoch; a value that isn't finite is empty. Lines end as RFC 4180 says."""
        lines = [",".join(["epoch", *self.columns])]
        for epoch, row in zip(self.epochs.tolist(), self.values, strict=True):
            # str of a NumPy float32 is the shortest text that gives the same float32 back.
            cells = (str(value) if np.isfinite(value) else "" for value in row)
            lines.append(",".join([str(epoch), *cells]))
        return "\r\n".join(lines) + "\r\n"


def read_history(session: Session, run: RunRow, since_epoch: int = 0) -> History:
    """What is recorded of the epochs after `since_epoch`."""
    blocks = session.scalars(
        select(HistoryBlockRow)
        .where(HistoryBlockRow.run_id == run.id, HistoryBlockRow.last_epoch > since_epoch)
        .order_by(HistoryBlockRow.first_epoch)
    ).all()
    return _history_of(blocks, run.history_columns or []).after(since_epoch)


class NewEpochs(NamedTuple):
    """What came after an epoch.

    Attributes:
        history: what is recorded.
        last_epoch: up to which epoch that is all.
    """

    history: History
    last_epoch: int


def read_new_epochs(
    session: Session, since: Mapping[str, int], columns: Mapping[str, Sequence[str]]
) -> dict[str, NewEpochs]:
    """What came of several runs, by id, each after an epoch of its own; in one query.

    Of runs that are far ahead, that's some of it, and the rest when it's asked for again.

    Args:
        session: a transaction.
        since: by run, the epoch after which its history is wanted.
        columns: by run, its `history_columns`.
    """
    wanted = islice(since.items(), _MOST_RUNS)
    found = session.scalars(
        select(HistoryBlockRow)
        .where(
            or_(
                *(
                    (HistoryBlockRow.run_id == run_id) & (HistoryBlockRow.last_epoch > epoch)
                    for run_id, epoch in wanted
                )
            )
        )
        .order_by(HistoryBlockRow.run_id, HistoryBlockRow.first_epoch)
        .limit(_MOST_BLOCKS)
    ).all()
    new = {}
    for run_id, group in groupby(found, lambda block: block.run_id):
        blocks = list(group)
        new[run_id] = NewEpochs(_history_of(blocks, columns[run_id]), blocks[-1].last_epoch)
    return new


def _history_of(blocks: Sequence[HistoryBlockRow], columns: Sequence[str]) -> History:
    epochs = np.frombuffer(b"".join(block.epochs for block in blocks), _NUMBER)
    values = np.frombuffer(b"".join(block.values for block in blocks), _VALUE)
    return History(columns, epochs, values.reshape(len(epochs), len(columns)))


def append_block(
    session: Session,
    run: RunRow,
    covered: tuple[int, int],
    epochs: NDArray[np.int32],
    columns: Sequence[str],
    values: NDArray[np.float32],
) -> None:
    """Stores the next epochs of a run; only those that directly follow what is stored are taken.

    Args:
        session: a writing transaction.
        run: the run.
        covered: the first and the last epoch of the block.
        epochs: those of them that are recorded, int32 `(recorded,)`.
        columns: what the figures are.
        values: float32 `(recorded, columns)`.
    """
    first, last = covered
    if first != run.epoch + 1:
        raise ValueError(f"Expected the history from epoch {run.epoch + 1}; received it from {first}.")
    if run.history_columns is None:
        run.history_columns = list(columns)
    elif run.history_columns != list(columns):
        raise ValueError(f"Expected the columns {run.history_columns}; received {list(columns)}.")
    block = HistoryBlockRow(run_id=run.id, first_epoch=first, last_epoch=last)
    _fill(block, epochs, values)
    session.add(block)
    run.epoch = last
    count(session, "epochs", last - first + 1)


def cut_history(session: Session, run: RunRow, epoch: int) -> None:
    """Forgets what is stored of the epochs after `epoch`: they are trained, and recorded, again.

    Args:
        session: a writing transaction.
        run: the run.
        epoch: at most the run's last stored epoch.
    """
    blocks = HistoryBlockRow.run_id == run.id
    session.execute(delete(HistoryBlockRow).where(blocks, HistoryBlockRow.first_epoch > epoch))
    last = session.scalars(select(HistoryBlockRow).where(blocks, HistoryBlockRow.last_epoch > epoch)).first()
    if last is not None:
        epochs = np.frombuffer(last.epochs, _NUMBER)
        values = np.frombuffer(last.values, _VALUE).reshape(len(epochs), -1)
        last.last_epoch = epoch
        _fill(last, epochs[epochs <= epoch], values[epochs <= epoch])
    run.epoch = epoch


def _fill(block: HistoryBlockRow, epochs: NDArray[np.int32], values: NDArray[np.float32]) -> None:
    block.epochs = np.ascontiguousarray(epochs, _NUMBER).tobytes()
    block.values = np.ascontiguousarray(values, _VALUE).tobytes()
