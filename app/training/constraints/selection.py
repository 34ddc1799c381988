"""Which epoch's weights are kept, and served in the end."""

from collections.abc import Sequence

import tensorflow as tf

from app.training.batches import State
from app.training.constraints.limit import Limit
from app.training.constraints.sums import sum_of_means


def selected(
    of: Sequence[Limit],
    best: State,
    loss: tf.Tensor,
    slacks: list[tf.Tensor],
    held: list[tf.Tensor],
    limits: list[list[State]],
    epoch: tf.Tensor,
    weights: Sequence[tf.Tensor],
) -> State:
    """Keeps the weights of the best epoch: lowest loss if all limits hold, else least violation.

    What an equality's tolerance would save is added to the loss, so that not its edge is kept.

    Args:
        of: the limits.
        best: what was kept so far.
        loss: by which epochs are compared, float32 `()`.
        slacks: of each limit, float32 `()`.
        held: whether each holds, bool `()`.
        limits: the states of their residuals.
        epoch: its number, from 1.
        weights: the variables that would be served.
    """
    found = tf.reduce_all(tf.stack(held))
    merit = loss
    violation = tf.constant(0.0)
    for limit, slack, states in zip(of, slacks, limits, strict=True):
        scale = max(abs(limit.constraint.limit), 1e-3)
        violation += tf.nn.relu(-slack) / scale
        for residuals, own in zip(limit.residuals, states, strict=True):
            if residuals.equality:
                off = 2 * tf.abs(own["multiplier"] * own["residual"])
                merit += sum_of_means(off)
    merit = tf.where(found, merit, violation)
    better = (found & ~best["found"]) | ((found == best["found"]) & (merit < best["merit"]))
    return {
        "found": found | best["found"],
        "merit": tf.where(better, merit, best["merit"]),
        "epoch": tf.where(better, epoch, best["epoch"]),
        "weights": [tf.where(better, new, old) for new, old in zip(weights, best["weights"], strict=True)],
    }
