"""Runs a compiled program for all its epochs, coming back to Python a few times a second."""

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from app.errors import Diverged
from app.training import checkpoint
from app.training.batches import Rows, State
from app.training.program import HISTORY_ROWS, Program

SECONDS_A_CALL = 0.2
"""How long the compiled loop runs before it comes back: often enough to see a cancel at once."""


@dataclass(frozen=True)
class EpochBlock:
    """The history of some epochs in a row.

    Attributes:
        first_epoch: the number of the first epoch it covers, from 1; one more than the last of the block
            before.
        last_epoch: the number of the last one it covers.
        epochs: the numbers of those that are recorded, int32 `(recorded,)`; all, unless `record_every`
            says otherwise.
        columns: names of the figures.
        values: float32 `(recorded, columns)`.
    """

    first_epoch: int
    last_epoch: int
    epochs: NDArray[np.int32]
    columns: tuple[str, ...]
    values: NDArray[np.float32]


class Reporter(Protocol):
    """Who is told how the training goes, and may stop it."""

    def report(self, block: EpochBlock) -> None:
        """Takes the history of the epochs just done."""

    def save_checkpoint(self, epoch: int, payload: bytes) -> None:
        """Keeps the state after an epoch whose history was reported before."""

    def should_stop(self) -> bool:
        """Whether training is to stop at once, to be resumed or not."""


class Interrupted(Exception):
    """Training stopped because the reporter asked for it; a checkpoint was saved."""


class Pace:
    """How many epochs to ask for, so that a call takes about `SECONDS_A_CALL`.

    The first call, which also compiles, runs one epoch and says nothing about the speed; from then on the
    number follows the measured speed, growing eightfold at most.
    """

    def __init__(self) -> None:
        self._next = 1
        self._measured = False

    def next(self, left: int) -> int:
        """The number of epochs of the next call, at most `left`."""
        return min(self._next, left, HISTORY_ROWS)

    def measured(self, epochs: int, seconds: float) -> None:
        """Takes in how long a call took."""
        if self._measured and epochs:
            fitting = int(SECONDS_A_CALL * epochs / max(seconds, 1e-6))
            self._next = max(1, min(fitting, self._next * 8, HISTORY_ROWS))
        self._measured = True


@dataclass(frozen=True)
class LoopOptions:
    """When the loop ends and how often it saves.

    Attributes:
        epochs: the number of the last epoch.
        seed: the run's seed.
        time_limit_seconds: training ends after the call in which this is exceeded; None for no limit.
        seconds_before: how long the run was trained before it was interrupted, which counts, too.
        checkpoint_seconds: least time between two checkpoints.
        record_every: epochs between two entries of the history.
    """

    epochs: int
    seed: int
    time_limit_seconds: float | None
    seconds_before: float
    checkpoint_seconds: float
    record_every: int


def run_epochs(
    program: Program,
    state: State,
    rows: Mapping[str, Rows],
    strengths: list[float],
    options: LoopOptions,
    reporter: Reporter,
) -> State:
    """Trains until the last epoch, early stopping, the time limit or the reporter ends it.

    Returns:
        The state after the last epoch.

    Raises:
        Diverged: the loss of an epoch wasn't finite.
        Interrupted: the reporter asked to stop.
    """
    pace = Pace()
    seed = tf.constant(options.seed & 0x7FFFFFFF, tf.int32)
    weights = tf.constant(strengths, tf.float32, shape=(len(strengths),))
    saved = time.monotonic()
    began = saved - options.seconds_before  # as if it had been trained without a break
    limit = math.inf if options.time_limit_seconds is None else options.time_limit_seconds
    epoch = int(state["epoch"])
    late = options.seconds_before > limit
    while epoch < options.epochs and not late and not has_stopped(state):
        if reporter.should_stop():
            reporter.save_checkpoint(epoch, checkpoint.to_bytes(state, time.monotonic() - began))
            raise Interrupted
        asked = time.monotonic()
        count = tf.constant(pace.next(options.epochs - epoch), tf.int32)
        state, history, done = program.run(state, rows, weights, seed, count)
        values = history.numpy()[: int(done)]
        now = time.monotonic()
        pace.measured(len(values), now - asked)
        late = now - began > limit
        finite = bool(state["finite"])
        ends = late or not finite or has_stopped(state) or epoch + len(values) == options.epochs
        reporter.report(recorded(epoch, values, program.columns, options.record_every, ends))
        epoch += len(values)
        if not finite:
            raise Diverged(f"The loss of epoch {epoch} is not a finite number.")
        # Where time has ended it, training again from an earlier state would end it elsewhere.
        if late or now - saved > options.checkpoint_seconds:
            reporter.save_checkpoint(epoch, checkpoint.to_bytes(state, now - began))
            saved = now
    return state


def recorded(
    before: int, values: NDArray[np.float32], columns: tuple[str, ...], record_every: int, ends: bool
) -> EpochBlock:
    """The block of the epochs after epoch `before`: every `record_every`-th, and the run's last one."""
    epochs = np.arange(before + 1, before + len(values) + 1, dtype=np.int32)
    chosen = epochs % record_every == 0
    chosen[-1] |= ends
    return EpochBlock(before + 1, before + len(values), epochs[chosen], columns, values[chosen])


def has_stopped(state: State) -> bool:
    """Whether early stopping has ended the training."""
    return bool(state["early_stop"].get("stopped", False))
