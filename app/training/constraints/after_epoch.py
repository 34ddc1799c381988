"""What follows from the look at all training samples after an epoch: the next state, and its figures."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import tensorflow as tf

from app.spec.rates import Rate
from app.training.batches import State
from app.training.constraints import movement, timing
from app.training.constraints.limit import Limit
from app.training.constraints.limits import is_held, slack_of, value_of
from app.training.constraints.selection import selected
from app.training.constraints.sums import sum_of_means
from app.training.constraints.watching import watched
from app.training.one_turn import in_one_turn
from app.training.quantities import rate_of_counts


class _Seen(NamedTuple):
    """What is seen after an epoch.

    Attributes:
        limits: the states of residuals, observed.
        slacks: of each limit, float32 `()`.
        held: whether each holds, bool `()`.
        fall: what is known of the loss.
        start: the epoch with which limits set in, int32 `()`.
        sets_in: whether it's this one, bool `()`.
    """

    limits: list[list[State]]
    slacks: list[tf.Tensor]
    held: list[tf.Tensor]
    fall: State
    start: tf.Tensor
    sets_in: tf.Tensor


def updated(
    limits: Sequence[Limit],
    state: State,
    measured: list[State],
    loss: tf.Tensor,
    epoch: tf.Tensor,
    weights: Sequence[tf.Tensor],
    calibrate: Callable[[State], list[list[tf.Tensor]]],
) -> tuple[State, tf.Tensor]:
    """The state after an epoch, and its figures.

    Args:
        limits: of the run.
        state: before the epoch.
        measured: of all training samples, from `Enforcement.measure`.
        loss: by which epochs that hold every limit are compared, float32 `()`.
        epoch: its number, from 1.
        weights: the variables that would be served.
        calibrate: ρ and the curvature for each kind of residuals, given the state; run once, when the
            limits set in.
    """
    # Outside a loop each of these dozens of numbers would be a kernel of its own.
    unknown = [tf.constant(0.0) for _ in limits]
    seen = in_one_turn(
        lambda: _see(limits, state, measured, loss, epoch),
        alike=_Seen(
            state["limits"], unknown, [u > 0 for u in unknown], state["fall"], state["start"], state["active"]
        ),
        always=epoch > 0,
    )
    strengths = tf.cond(
        seen.sets_in,
        lambda: calibrate({**state, "limits": seen.limits, "active": seen.sets_in}),
        lambda: [[tf.stack([own["measured"], own["curvature"]]) for own in states] for states in seen.limits],
    )
    return in_one_turn(
        lambda: _conclude(limits, state, seen, strengths, loss, epoch, weights),
        alike=(state, tf.zeros((2 * len(limits),))),
        always=epoch > 0,
    )


def _see(
    limits: Sequence[Limit], state: State, measured: list[State], loss: tf.Tensor, epoch: tf.Tensor
) -> _Seen:
    values = [_value(limit, m["true"]) for limit, m in zip(limits, measured, strict=True)]
    slacks = [slack_of(limit.constraint, v) for limit, v in zip(limits, values, strict=True)]
    held = [is_held(limit.constraint, s) for limit, s in zip(limits, slacks, strict=True)]
    fall, sets_in = timing.sets_in(limits, state, loss, epoch)
    start = tf.where(sets_in, epoch, state["start"])
    moment = _moment(state, sets_in, start, epoch)
    observed = [
        [
            movement.observed(limit, residuals, own, m, moment)
            for residuals, own, m in zip(limit.residuals, states, found["residuals"], strict=True)
        ]
        for limit, states, found in zip(limits, state["limits"], measured, strict=True)
    ]
    return _Seen(observed, slacks, held, fall, start, sets_in)


def _conclude(
    limits: Sequence[Limit],
    state: State,
    seen: _Seen,
    strengths: list[list[tf.Tensor]],
    loss: tf.Tensor,
    epoch: tf.Tensor,
    weights: Sequence[tf.Tensor],
) -> tuple[State, tf.Tensor]:
    moment = _moment(state, seen.sets_in, seen.start, epoch)
    moved = [
        [
            movement.moved(
                limit,
                residuals,
                movement.measured_by(limit, residuals, own, s, moment.sets_in),
                good,
                moment,
            )
            for residuals, own, s in zip(limit.residuals, states, found, strict=True)
        ]
        for limit, states, found, good in zip(limits, seen.limits, strengths, seen.held, strict=True)
    ]
    best = selected(limits, state["best"], loss, seen.slacks, seen.held, moved, epoch, weights)
    prices = [_price(states) for states in moved]
    figures = []
    for slack, multiplier in zip(seen.slacks, prices, strict=True):
        figures += [tf.nn.relu(-slack), multiplier]
    watch = [watched(*each) for each in zip(state["watch"], seen.held, prices, strict=True)]
    following = {
        **state,
        "epoch": epoch,
        "active": moment.active,
        "start": seen.start,
        "ready": moment.active & best["found"],
        "watch": watch,
        "fall": seen.fall,
        "limits": moved,
        "best": best,
    }
    return following, tf.stack(figures)


def _moment(state: State, sets_in: tf.Tensor, start: tf.Tensor, epoch: tf.Tensor) -> movement.Moment:
    epochs = state["epochs"]
    # When the limits set in, then now and then, in the end no more.
    frozen = tf.cast(epoch, tf.float32) > timing.FROZEN_SHARE * tf.cast(epochs, tf.float32)
    now_and_then = state["active"] & (epoch % timing.window_of(epochs) == 0) & ~frozen
    return movement.Moment(
        sets_in=sets_in,
        active=state["active"] | sets_in,
        chooses=sets_in | (epoch == 1) | now_and_then,
        relief=timing.relief_of(state, start, epoch),
        rate=tf.clip_by_value(20.0 / tf.cast(epochs - start + 1, tf.float32), 0.005, 0.5),
        elapsed=tf.cast(epoch - start, tf.float32),
        late=tf.cast(epoch, tf.float32) > timing.RESERVE_FROM * tf.cast(epochs, tf.float32),
        epochs=epochs,
    )


def _value(limit: Limit, true: tf.Tensor) -> tf.Tensor:
    quantity = limit.constraint.quantity
    if isinstance(quantity, Rate):
        return rate_of_counts(quantity, tf.reduce_sum(true, axis=0))
    return value_of(limit.constraint, true)


def _price(states: list[State]) -> tf.Tensor:
    """The multiplier of a limit, float32 `()`: the loss saved per unit by which its residuals are relaxed.

    For residuals of samples it's the mean over the samples of their sum. That of an equality has the sign of
    f + μ·h.
    """
    if not states:
        return tf.constant(0.0)
    return tf.add_n([sum_of_means(own["multiplier"]) for own in states])
