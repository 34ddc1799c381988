"""How the state of a limit's residuals moves after an epoch: what is exempt, multipliers, ρ, margins."""

from typing import NamedTuple

import tensorflow as tf

from app.training.batches import State
from app.training.constraints import multipliers
from app.training.constraints.calibration import STRENGTH
from app.training.constraints.exemptions import must_hold
from app.training.constraints.limit import PENALTIES, Limit
from app.training.constraints.residuals import Residuals
from app.training.constraints.sums import count_true, sum_of_means

LEAST_BEND = 0.1
"""Of the curvature that ρ stands for; one that is measured lower may be an accident of a flat direction."""

PACE_DECAY = 0.8
"""Of the running mean of the residuals' change."""

MARGIN, LEAST_MARGIN, MOST_MARGIN = 1e-3, 1e-5, 0.3
"""How far inside its limit a residual is driven, over its root mean square when ρ is measured."""

LEAST_SIZE = 1e-3
"""Of residuals, where they are all nearly 0 when ρ is measured."""

GROWTH, MOST_GROWTH = 0.3, 1000.0
"""Of ρ, while a violation doesn't fall, in an epoch in which λ moves all the way by ρ·e; and in all."""

FIRST_WEIGHT, RISING, FALLING = 0.1, 1.04, 0.99
"""The weight that an exact penalty begins with, over what ρ makes of residuals of the usual size; its factors
after an epoch that breaks the limit and after one that holds it."""

FIRST_WEIGHT_IN_TURNS, FALLING_IN_TURNS = 0.3, 0.92
"""The same where samples take turns in breaking the limit. The weight then rises the more slowly the fewer of
them do: soon it is too large for the loss, long before it stops the last of them."""

LEAST_RISE = 0.25
"""Of the pace at which it rises, however few they are."""

BEHIND = 0.05
"""Of the residuals, as many may lag behind a gradual limit before its weight rises."""

RESERVE_PACE, MOST_RESERVE = 1.5, 0.3
"""Of the residuals that an exact penalty exempts, the share that must hold after all: how far it rises in as
many epochs as a run has, and the most. Where samples take turns in breaking a limit, a few always do."""

FORCE_DECAY = 0.9
"""Of the running mean of what an exact penalty pushes with."""

WIDENING, NARROWING = 1.1, 0.97
"""Of the margin, after an epoch that breaks the limit and after one that holds it."""


class Moment(NamedTuple):
    """Where a run is after an epoch; scalar tensors.

    Attributes:
        sets_in: whether limits set in with this epoch.
        active: whether they have.
        chooses: whether it is chosen anew which residuals are exempt.
        relief: of a gradual limit.
        rate: of the way that multipliers go in an epoch.
        elapsed: epochs since limits set in.
        late: whether a limit that is still broken needs a reserve.
        epochs: of the run.
    """

    sets_in: tf.Tensor
    active: tf.Tensor
    chooses: tf.Tensor
    relief: tf.Tensor
    rate: tf.Tensor
    elapsed: tf.Tensor
    late: tf.Tensor
    epochs: tf.Tensor


def initial(residuals: Residuals, shape: tuple[int, int], price: float) -> State:
    """The state before the first epoch.

    Args:
        residuals: whose.
        shape: `(samples, units)`, or `(1, units)` of an aggregate.
        price: the multiplier of each.
    """
    state = {
        "multiplier": tf.fill(shape, price),
        "held": tf.ones(shape),
        "residual": tf.zeros(shape),
        "pace": tf.zeros(shape),
        "strength": tf.constant(0.0),
        "curvature": tf.constant(0.0),
        "measured": tf.constant(0.0),
        "usual": tf.constant(0.0),
        "size": tf.constant(0.0),
        "margin": tf.constant(0.0),
        "mean": tf.zeros((2,)),
        "reserve": tf.constant(0.0, tf.float64),
    }
    remembers = residuals.gradual or residuals.takes_turns
    return {**state, "broken": tf.constant(0.0, tf.float64)} if remembers else state


def observed(limit: Limit, residuals: Residuals, own: State, measured: State, moment: Moment) -> State:
    """The residuals of all samples with their margin, and which of them must hold."""
    values = measured["value"]  # (samples, units)
    both = tf.zeros((2,))
    if residuals.aggregate:
        both = tf.stack([tf.reduce_mean(values), tf.reduce_mean(measured["truth"])])
        values = both[1][None, None]
        size = tf.where(moment.sets_in, tf.maximum(tf.abs(both[1]), LEAST_SIZE), own["size"])
        held = tf.ones_like(values)
    else:
        if limit.gradual:
            own = {**own, "broken": tf.where(moment.sets_in, count_true(values > 0), own["broken"])}
        held = _held(limit, residuals, own, measured, moment)
        size = tf.cond(moment.sets_in, lambda: _size_of(values, held), lambda: own["size"])
    margin = tf.where(moment.sets_in, MARGIN * size, own["margin"])
    if limit.method == "penalty":
        margin = tf.zeros_like(margin)
    if not residuals.equality:
        values = values + margin
    pace = own["pace"]
    if limit.method not in PENALTIES:  # these need none
        pace = PACE_DECAY * pace + (1 - PACE_DECAY) * (values - own["residual"])
        pace = tf.where(moment.sets_in, tf.zeros_like(pace), pace)
    return {
        **own,
        "held": held,
        "residual": values,
        "pace": pace,
        "size": size,
        "margin": margin,
        "mean": both,
    }


def _held(limit: Limit, residuals: Residuals, own: State, measured: State, moment: Moment) -> tf.Tensor:
    """1 for each residual that must hold, 0 for the others."""
    values, counted = measured["value"], measured.get("counted")
    if limit.gradual:
        # ρ is measured with what must hold in the end.
        relief = tf.where(moment.sets_in, 0.0, moment.relief)
        return must_hold(residuals, values, counted, relief, own["broken"])
    if limit.method in PENALTIES:
        off = tf.abs(values) if residuals.equality else values
        return must_hold(residuals, off, counted, reserve=own["reserve"])

    def choose() -> tf.Tensor:
        # Where the residual would be if nothing pushed it: what is pushed may deserve to be exempt.
        bend = tf.maximum(own["curvature"], LEAST_BEND * own["strength"] / STRENGTH)
        unpushed = values + tf.math.divide_no_nan(own["multiplier"], bend)
        return must_hold(residuals, tf.abs(unpushed) if residuals.equality else unpushed, counted)

    return tf.cond(moment.chooses, choose, lambda: own["held"])


def _size_of(values: tf.Tensor, held: tf.Tensor) -> tf.Tensor:
    """The root mean square of the residuals that break their limit, or of all if none does, `()`."""
    breaking = tf.nn.relu(values) * held
    broken = tf.reduce_sum(tf.cast(breaking > 0, tf.float32))
    mean_square = tf.where(
        broken > 0,
        tf.math.divide_no_nan(tf.reduce_sum(tf.square(breaking)), broken),
        tf.reduce_mean(tf.square(values)),
    )
    return tf.maximum(tf.sqrt(mean_square), LEAST_SIZE)


def measured_by(
    limit: Limit, residuals: Residuals, own: State, strength: tf.Tensor, sets_in: tf.Tensor
) -> State:
    """The state with ρ, or the weight of an exact penalty, as it was measured when the limits set in."""
    measured, curvature = strength[0], strength[1]
    first = measured
    if limit.method == "exact_penalty":
        share = FIRST_WEIGHT_IN_TURNS if residuals.takes_turns else FIRST_WEIGHT
        first = share * measured * own["size"]
    now = tf.where(sets_in, first, own["strength"])
    return {**own, "strength": now, "measured": measured, "curvature": curvature}


def moved(limit: Limit, residuals: Residuals, own: State, good: tf.Tensor, moment: Moment) -> State:
    """The multipliers and the margin after an epoch; `good` is whether it held the limit."""
    if limit.method == "penalty":
        return own
    factor = tf.where(good, NARROWING, WIDENING)
    margin = tf.clip_by_value(own["margin"] * factor, LEAST_MARGIN * own["size"], MOST_MARGIN * own["size"])
    own = {**own, "margin": tf.where(moment.active, margin, own["margin"])}
    moving = _weighed if limit.method == "exact_penalty" else _priced
    changed = moving(limit, residuals, own, good, moment)
    return {**own, **{name: tf.where(moment.active, new, own[name]) for name, new in changed.items()}}


def _weighed(limit: Limit, residuals: Residuals, own: State, good: tf.Tensor, moment: Moment) -> State:
    """The weight of an exact penalty, and the running mean of what it pushes with."""
    values = own["residual"]
    behind = count_true((values - own["margin"]) * own["held"] > 0)
    if limit.gradual:
        in_time = behind <= BEHIND * tf.cast(tf.size(values), tf.float64)
        good = tf.where(moment.relief > 0, in_time, good)
    rising, falling, more = RISING, FALLING, {}
    if residuals.takes_turns:
        first = tf.where(moment.sets_in, behind, own["broken"])
        pace = tf.clip_by_value(tf.math.divide_no_nan(behind, first), LEAST_RISE, 1.0)
        rising, falling = tf.pow(RISING, tf.cast(pace, tf.float32)), FALLING_IN_TURNS
        more = {"broken": first}
    strength = own["strength"] * tf.where(good, falling, rising)
    breaks = tf.sign(values) if residuals.equality else tf.cast(values > 0, tf.float32)
    force = FORCE_DECAY * own["multiplier"] + (1 - FORCE_DECAY) * strength * breaks
    reserve = _reserved(own, good, moment)
    return {"multiplier": force * own["held"], "strength": strength, "reserve": reserve, **more}


def _reserved(own: State, good: tf.Tensor, moment: Moment) -> tf.Tensor:
    """The reserve after an epoch: it rises after late ones that break the limit, half as fast it falls."""
    pace = RESERVE_PACE / tf.cast(moment.epochs, tf.float64)
    rise = tf.where(moment.late, pace, tf.zeros_like(pace))
    most = tf.constant(MOST_RESERVE, tf.float64)
    return tf.clip_by_value(own["reserve"] + tf.where(good, -pace / 2, rise), tf.zeros_like(most), most)


def _priced(limit: Limit, residuals: Residuals, own: State, good: tf.Tensor, moment: Moment) -> State:
    """Multipliers by ascent, and ρ."""
    values, multiplier = own["residual"], own["multiplier"]
    waits = multipliers.follows(values, own["pace"], 10.0 + 0.5 * moment.elapsed)
    breaking = (tf.abs(values) if residuals.equality else tf.nn.relu(values)) * own["held"]
    amount = sum_of_means(breaking) / breaking.shape[1]
    usual = tf.where(own["usual"] > 0, own["usual"] + 0.05 * (amount - own["usual"]), amount)
    rises = tf.where(amount > 0.8 * usual, 1 + moment.rate * GROWTH, 1.0)
    growth = tf.where(good, 1 - moment.rate * GROWTH, rises)
    strength = tf.clip_by_value(own["strength"] * growth, own["measured"], MOST_GROWTH * own["measured"])
    step = moment.rate * strength
    if limit.method == "lagrangian":
        # The pace is the change of the residuals' running mean, ν = PACE_DECAY.
        after = multipliers.controlled(multiplier, values, own["pace"], step, equality=residuals.equality)
    else:
        after = multipliers.ascended(multiplier, values, step, residuals.equality)
    after = tf.where(waits, multiplier, after) * own["held"]
    return {"multiplier": after, "strength": strength, "usual": usual}
