"""When limits set in, how far gradual ones have got, and how long steps are.

For a while at first the model fits freely, so that the residuals that break a limit by most, which are exempt
from it, are the right ones. A gradual limit sets in at once and exempts fewer and fewer instead.
"""

import math
from collections.abc import Sequence

import tensorflow as tf

from app.spec.quantities import ElementsAbove
from app.training.batches import State
from app.training.constraints.limit import Limit

FREE_SHARE, FREE_SHARE_TO_CHOOSE = 0.2, 0.4
"""Of the epochs, at most; the model fits freely for so long. The longer time is for exact penalties, for
counts, and for limits that exempt samples: what is exempt should be right."""

LOOK_SHARE = 0.05
"""Of the epochs; so often it is looked whether free fitting has come to rest."""

AT_REST = 0.002
"""Of all that the loss has fallen by; a window that adds less is rest."""

FROZEN_SHARE = 0.7
"""Of the epochs; then it no longer changes which residuals are exempt."""

RESERVE_FROM = 0.5
"""Of the epochs; an exact penalty that still breaks its limit then exempts fewer residuals."""

GRADUAL_SHARE = 0.5
"""Of the epochs from when a gradual limit sets in; then it exempts no more than it may."""

SETTLING_SHARE, LAST_STEP = 0.1, 0.02
"""Of the epochs, the last, in which steps get shorter; and how much of a step is left in the end."""


def initial_fall() -> State:
    """What `sets_in` knows of the loss before the first epoch."""
    return {"sum": tf.constant(0.0), "first": tf.constant(0.0), "last": tf.constant(float("inf"))}


def window_of(epochs: tf.Tensor) -> tf.Tensor:
    """Epochs between two looks, int32 `()`."""
    return tf.maximum(1, tf.cast(LOOK_SHARE * tf.cast(epochs, tf.float32), tf.int32))


def sets_in(
    limits: Sequence[Limit], state: State, loss: tf.Tensor, epoch: tf.Tensor
) -> tuple[State, tf.Tensor]:
    """Whether free fitting ends with this epoch, by the means of the loss over windows of epochs.

    Args:
        limits: of the run.
        state: before the epoch.
        loss: of the epoch, float32 `()`.
        epoch: its number, from 1.

    Returns:
        What is known of the loss then; bool `()`.
    """
    fall = state["fall"]
    window = window_of(state["epochs"])
    closes = epoch % window == 0
    sum_now = fall["sum"] + loss
    mean = sum_now / tf.cast(window, tf.float32)
    first = tf.where(epoch == 1, loss, fall["first"])
    gained = fall["last"] - mean
    rests = closes & (epoch > window) & (gained <= AT_REST * (first - mean))
    following = {
        "sum": tf.where(closes, 0.0, sum_now),
        "first": first,
        "last": tf.where(closes, mean, fall["last"]),
    }
    late = tf.cast(epoch, tf.float32) >= tf.floor(_free_share(limits) * tf.cast(state["epochs"], tf.float32))
    return following, (rests | late | state["warm"]) & ~state["active"]


def _free_share(limits: Sequence[Limit]) -> float:
    if all(limit.gradual for limit in limits):
        return 0.0
    chooses = any(
        (limit.method == "exact_penalty" and not limit.gradual)
        or isinstance(limit.constraint.quantity, ElementsAbove)
        or any(residuals.rows_that_may_break for residuals in limit.residuals)
        for limit in limits
    )
    return FREE_SHARE_TO_CHOOSE if chooses else FREE_SHARE


def relief_of(state: State, start: tf.Tensor, epoch: tf.Tensor) -> tf.Tensor:
    """Of what a gradual limit exempted beyond its share when it set in, how much still is, float32 `()`.

    From 1 to 0, fast at first (Zhu, Gupta 2017), so that what remains can take over.

    Args:
        state: of the constraints.
        start: the epoch with which limits set in.
        epoch: that which has ended.
    """
    begun, total = tf.cast(start, tf.float32), tf.cast(state["epochs"], tf.float32)
    way = (tf.cast(epoch, tf.float32) - begun) / (GRADUAL_SHARE * (total - begun) + 1.0)
    return tf.pow(1 - tf.clip_by_value(way, 0.0, 1.0), 3)


def step_share(limits: Sequence[Limit], state: State) -> tf.Tensor:
    """How much of a step is taken, float32 `()`: less and less of it in the last epochs.

    What limits push to and fro, and batches, comes to rest so, as it can't with steps of one length. A
    gradual limit needs all epochs.
    """
    if all(limit.gradual for limit in limits):
        return tf.constant(1.0)
    left = 1 - tf.cast(state["epoch"], tf.float32) / tf.cast(state["epochs"], tf.float32)
    way = tf.clip_by_value(1 - left / SETTLING_SHARE, 0.0, 1.0)
    return LAST_STEP + (1 - LAST_STEP) * 0.5 * (1 + tf.cos(math.pi * way))
