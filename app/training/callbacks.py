"""Early stopping and plateau reduction, inside the compiled loop.

Both follow Keras's callbacks of the same names to the epoch: the same comparison, the same patience.
Each is a pure function from its own state and the epoch's figures to its next state. Their `mode` is `min`
or `max`; `app.spec.columns.with_mode` has told which one `auto` is.
"""

import math
from collections.abc import Sequence

import tensorflow as tf

from app.spec.fit import EarlyStopping, ReduceLROnPlateau
from app.training.batches import State


def improves(value: tf.Tensor, reference: tf.Tensor, min_delta: float, rising: bool) -> tf.Tensor:
    """Whether `value` beats `reference` by more than `min_delta`; bool `()`."""
    if rising:
        return value - min_delta > reference
    return value + min_delta < reference


def keep(condition: tf.Tensor, new: Sequence[tf.Tensor], old: Sequence[tf.Tensor]) -> list[tf.Tensor]:
    """`new` where the scalar condition holds, else `old`, tensor by tensor."""
    return [tf.where(condition, a, b) for a, b in zip(new, old, strict=True)]


class EarlyStop:
    """Stops when the monitored figure hasn't improved for `patience` epochs."""

    def __init__(self, spec: EarlyStopping, column: int) -> None:
        self.spec = spec
        self.column = column
        self.rising = spec.mode == "max"

    def initial(self, weights: Sequence[tf.Tensor]) -> State:
        """The state before the first epoch."""
        worst = -math.inf if self.rising else math.inf
        return {
            "best": tf.constant(worst, tf.float32),
            "epoch": tf.constant(0, tf.int32),
            "wait": tf.constant(0, tf.int32),
            "stopped": tf.constant(False),
            "weights": list(weights) if self.spec.restore_best_weights else [],
        }

    def update(
        self,
        state: State,
        row: tf.Tensor,
        epoch: tf.Tensor,
        weights: Sequence[tf.Tensor],
        ready: tf.Tensor | None = None,
    ) -> State:
        """The state after an epoch.

        Args:
            state: the state before it.
            row: the epoch's figures, float32 `(columns,)`.
            epoch: its number, from 1, int32 `()`.
            weights: the model's variables at its end.
            ready: whether the epoch counts at all, bool `()`; None for yes.
        """
        spec = self.spec
        value = row[self.column]
        counts = epoch > spec.start_from_epoch
        if ready is not None:
            counts &= ready
        better = counts & improves(value, state["best"], spec.min_delta, self.rising)
        first = counts & (state["epoch"] == 0)
        resets = better
        if spec.baseline is not None:
            resets = better & improves(value, tf.constant(spec.baseline), spec.min_delta, self.rising)
        wait = tf.where(resets, 0, state["wait"] + tf.cast(counts, tf.int32))
        kept = state["weights"]
        return {
            "best": tf.where(better, value, state["best"]),
            "epoch": tf.where(better | first, epoch, state["epoch"]),
            "wait": wait,
            "stopped": counts & ~better & (wait >= spec.patience) & (epoch > 1),
            "weights": keep(better | first, weights, kept) if kept else [],
        }


class Plateau:
    """Multiplies the learning rate by `factor` when the monitored figure has stalled."""

    def __init__(self, spec: ReduceLROnPlateau, column: int) -> None:
        self.spec = spec
        self.column = column
        self.rising = spec.mode == "max"

    def initial(self) -> State:
        """The state before the first epoch."""
        worst = -math.inf if self.rising else math.inf
        return {
            "best": tf.constant(worst, tf.float32),
            "wait": tf.constant(0, tf.int32),
            "cooldown": tf.constant(0, tf.int32),
        }

    def update(self, state: State, row: tf.Tensor, learning_rate: tf.Tensor) -> tuple[State, tf.Tensor]:
        """The state and the learning rate, float32 `()`, after an epoch."""
        spec = self.spec
        value = row[self.column]
        cooldown = tf.maximum(state["cooldown"] - 1, 0)
        cooling = state["cooldown"] > 0
        better = improves(value, state["best"], spec.min_delta, self.rising)
        wait = tf.where(cooling, 0, state["wait"])
        waiting = ~better & (cooldown == 0)
        wait = tf.where(better, 0, wait + tf.cast(waiting, tf.int32))
        reduces = waiting & (wait >= spec.patience) & (learning_rate > spec.min_lr)
        lower = tf.maximum(learning_rate * spec.factor, spec.min_lr)
        next_state = {
            "best": tf.where(better, value, state["best"]),
            "wait": tf.where(reduces, 0, wait),
            "cooldown": tf.where(reduces, spec.cooldown, cooldown),
        }
        return next_state, tf.where(reduces, lower, learning_rate)
