"""Holds declared limits while the loop trains.

    an epoch:   steps on   f(θ) + Σ aug(λᵢ, ρ, eᵢ(θ))                     λ fixed for each residual eᵢ
                eᵢ, and every limit as truly counted, on all training samples
                λᵢ ← max(0, λᵢ + κ·ρ·eᵢ), unless eᵢ is on its way to 0 by itself
                the weights are kept if every limit holds and the loss is lower than before

An exact penalty has one weight w in place of the λᵢ, f(θ) + w·Σ max(0, eᵢ(θ)), which rises after epochs that
break the limit and falls after those that hold it.

For a while at first the model fits freely, so that the residuals that break a limit by most, which are exempt
from it, are the right ones. Then ρ is measured: it is the curvature of f on the way to where the limits hold,
and so has the units of the loss over those of the limit squared, whatever they are.

Everything that changes is in the state, a nest of tensors of fixed shapes.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import tensorflow as tf

from app.spec.quantities import ActivationSparsity, ElementsAbove, WeightSparsity
from app.spec.rates import Rate
from app.training.batches import Rows
from app.training.constraints import multipliers, pruning
from app.training.constraints.calibration import STRENGTH, strength_of
from app.training.constraints.exemptions import must_hold
from app.training.constraints.limit import Limit
from app.training.constraints.limits import is_held, slack_of, value_of
from app.training.constraints.pruning import kernel_paths
from app.training.constraints.residuals import Residuals
from app.training.constraints.selection import selected
from app.training.constraints.sums import sum_of_means
from app.training.constraints.watching import initial_watch, watched
from app.training.quantities import rate_counts, rate_of_counts, sample_values
from app.training.terms import Batch

State = dict[str, Any]

FREE_SHARE, FREE_SHARE_TO_CHOOSE = 0.2, 0.4
"""Of the epochs, at most; the model fits freely for so long. The longer time is for exact penalties, for
counts, and for limits that exempt samples: what is exempt should be right."""

LOOK_SHARE = 0.05
"""Of the epochs; so often it is looked whether free fitting has come to rest."""

AT_REST = 0.002
"""Of all that the loss has fallen by; a window that adds less is rest."""

FROZEN_SHARE = 0.7
"""Of the epochs; then it no longer changes which residuals are exempt."""

SETTLING_SHARE, LAST_STEP = 0.1, 0.02
"""Of the epochs, the last, in which steps get shorter; and how much of a step is left in the end."""

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

FIRST_WEIGHT = 0.1
"""The weight that an exact penalty begins with, over what ρ makes of residuals of the usual size."""

RISING, FALLING = 1.05, 0.99
"""Of that weight, after an epoch that breaks the limit and after one that holds it."""

FORCE_DECAY = 0.9
"""Of the running mean of what an exact penalty pushes with."""

WIDENING, NARROWING = 1.1, 0.97
"""Of the margin, after an epoch that breaks the limit and after one that holds it."""


class Enforcement:
    """The limits of a run.

    Args:
        limits: at least one.
        samples: rows that train.
        batch_size: rows a step.
    """

    def __init__(self, limits: Sequence[Limit], samples: int, batch_size: int) -> None:
        self.limits = tuple(limits)
        self.samples = samples
        # A running mean over about an epoch; of a single batch an epoch, that batch itself.
        self.newest_share = 2 * batch_size / (samples + batch_size)

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the figures of an epoch."""
        return tuple(f"{limit.name}_{what}" for limit in self.limits for what in ("violation", "multiplier"))

    # State

    def initial(
        self, example: Batch, epochs: int, weights: Sequence[tf.Tensor], prices: Sequence[float]
    ) -> State:
        """The state before the first epoch.

        Args:
            example: some samples, to see shapes by.
            epochs: of the run.
            weights: the model's variables.
            prices: the multiplier that each limit begins with; not those of `limits`, as runs with other
                weights share the program.
        """
        return {
            "epochs": tf.constant(epochs, tf.int32),
            "epoch": tf.constant(0, tf.int32),
            "active": tf.constant(not any(limit.method in _LEARNING for limit in self.limits)),
            "start": tf.constant(0, tf.int32),
            "ready": tf.constant(False),
            "warm": tf.constant(False),
            "watch": [initial_watch() for _ in self.limits],
            "kept": {
                path: tf.ones_like(example.weights[path])
                for limit in self.limits
                if isinstance(limit.constraint.quantity, WeightSparsity)
                for path in kernel_paths(limit.constraint.quantity.of, example.weights)
            },
            "fall": {
                "sum": tf.constant(0.0),
                "first": tf.constant(0.0),
                "last": tf.constant(float("inf")),
            },
            "limits": [
                [self._initial(residuals, example, price) for residuals in limit.residuals]
                for limit, price in zip(self.limits, prices, strict=True)
            ],
            "best": {
                "found": tf.constant(False),
                "merit": tf.constant(float("inf")),
                "epoch": tf.constant(0, tf.int32),
                "weights": list(weights),
            },
        }

    def _initial(self, residuals: Residuals, example: Batch, price: float) -> State:
        units = 1 if residuals.aggregate else residuals.value(example).shape[1]
        shape = (1 if residuals.aggregate else self.samples, units)
        return {
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
        }

    # A step

    def by_row(self, state: State) -> list[list[Rows]]:
        """What a step needs of each of its samples, to be taken with them."""
        return [
            [
                {} if residuals.aggregate else {"multiplier": own["multiplier"], "held": own["held"]}
                for residuals, own in zip(limit.residuals, states, strict=True)
            ]
            for limit, states in zip(self.limits, state["limits"], strict=True)
        ]

    def estimates(self, state: State) -> list[list[tf.Tensor]]:
        """The running means with which an epoch begins."""
        return [[own["residual"][0, 0] for own in states] for states in state["limits"]]

    def term(
        self, batch: Batch, rows: list[list[Rows]], estimates: list[list[tf.Tensor]], state: State
    ) -> tuple[tf.Tensor, list[list[tf.Tensor]]]:
        """What the model minimises beside the loss, and the next estimates.

        Args:
            batch: with gradients.
            rows: of `by_row`, those of the batch's samples.
            estimates: running means of the aggregate residuals.
            state: as the epoch began.
        """
        total = tf.constant(0.0)
        following = []
        for limit, states, parts, means in zip(self.limits, state["limits"], rows, estimates, strict=True):
            moved = []
            for residuals, own, part, mean in zip(limit.residuals, states, parts, means, strict=True):
                value, mean = self._addend(limit, residuals, own, part, mean, batch)
                total += value
                moved.append(mean)
            following.append(moved)
        return tf.where(state["active"], total, 0.0), following

    def _addend(
        self,
        limit: Limit,
        residuals: Residuals,
        own: State,
        part: Rows,
        mean: tf.Tensor,
        batch: Batch,
    ) -> tuple[tf.Tensor, tf.Tensor]:
        values = residuals.value(batch)
        equality = residuals.equality
        margin = 0.0 if equality else own["margin"]
        strength = tf.maximum(own["strength"], 1e-12) if limit.method != "lagrangian" else tf.constant(1e-12)
        if residuals.aggregate:
            truth = residuals.truth(batch) if residuals.truth else values
            now = tf.stop_gradient(tf.reduce_mean(truth)) + margin
            mean += self.newest_share * (now - mean)
            multiplier = own["multiplier"][0, 0]
            if limit.method in _PENALTIES:
                weight = multiplier if limit.method == "penalty" else own["strength"]
                force = weight * (tf.sign(mean) if equality else tf.cast(mean > 0, tf.float32))
            else:
                force = multipliers.augmented_force(multiplier, mean, strength, equality)
            return tf.stop_gradient(force) * tf.reduce_mean(values), mean
        values += margin
        if limit.method in _PENALTIES:
            weight = part["multiplier"] if limit.method == "penalty" else own["strength"]
            price = weight * (tf.abs(values) if equality else tf.nn.relu(values))
        elif limit.method == "lagrangian":
            price = part["multiplier"] * values
        else:
            price = multipliers.augmented_value(part["multiplier"], values, strength, equality)
        return sum_of_means(price * part["held"]), mean

    def step_share(self, state: State) -> tf.Tensor:
        """How much of a step is taken, float32 `()`: less and less of it in the last epochs.

        What limits push to and fro, and batches, comes to rest so, as it can't with steps of one length.
        """
        left = 1 - tf.cast(state["epoch"], tf.float32) / tf.cast(state["epochs"], tf.float32)
        way = tf.clip_by_value(1 - left / SETTLING_SHARE, 0.0, 1.0)
        return LAST_STEP + (1 - LAST_STEP) * 0.5 * (1 + tf.cos(math.pi * way))

    def project(self, weights: Mapping[str, tf.Tensor], state: State) -> list[tf.Tensor]:
        """The weights after a step, those that were pruned zero again; in their order."""
        kept = state["kept"]
        return [weight * kept[path] if path in kept else weight for path, weight in weights.items()]

    # After an epoch

    def prune(
        self, weights: Mapping[str, tf.Tensor], state: State, epoch: tf.Tensor
    ) -> tuple[State, list[tf.Tensor]]:
        """Chooses anew which weights are zero, and makes them so.

        Their share rises to the limit's in the first half of the epochs, fast at first (Zhu, Gupta 2017), so
        that those that remain can take over.

        Args:
            weights: by path.
            state: before the epoch.
            epoch: its number, from 1.

        Returns:
            The state with the new choice; the weights in their order.
        """
        kept = dict(state["kept"])
        progress = tf.cast(epoch, tf.float64) / tf.cast(tf.maximum(1, state["epochs"] // 2), tf.float64)
        ramp = 1 - tf.pow(1 - tf.minimum(progress, 1.0), 3)
        for limit in self.limits:
            if isinstance(limit.constraint.quantity, WeightSparsity):
                share = max(limit.constraint.allowed.low, 0.0)
                chosen = kernel_paths(limit.constraint.quantity.of, weights)
                kept |= pruning.kept({path: weights[path] for path in chosen}, share, ramp)
        state = {**state, "kept": kept}
        return state, self.project(weights, state)

    def strengths(
        self,
        state: State,
        rows: list[list[Rows]],
        batch_of: Callable[[list[tf.Tensor]], Batch],
        total: Callable[[Batch], tf.Tensor],
        weights: list[tf.Tensor],
    ) -> list[list[tf.Tensor]]:
        """ρ of each kind of residuals.

        Args:
            state: with the residuals that must hold.
            rows: of `by_row`, for the samples of the batch.
            batch_of: the batch that trainable weights give.
            total: f on a batch.
            weights: the trainable weights.
        """

        def deviation(residuals: Residuals, own: State, part: Rows, batch: Batch) -> tf.Tensor:
            values = residuals.value(batch)
            if residuals.aggregate:
                return 0.5 * tf.square(tf.reduce_mean(values))
            values += own["margin"]
            breaking = tf.nn.relu(values) * part["held"]
            any_breaks = tf.reduce_max(breaking) > 0
            counting = values if residuals.equality else tf.where(any_breaks, breaking, values)
            return 0.5 * sum_of_means(tf.square(counting) * part["held"])

        with tf.GradientTape(persistent=True, watch_accessed_variables=False) as tape:
            tape.watch(weights)
            batch = batch_of(weights)
            before = total(batch)
            squares = [
                [
                    deviation(r, own, part, batch)
                    for r, own, part in zip(limit.residuals, states, parts, strict=True)
                ]
                for limit, states, parts in zip(self.limits, state["limits"], rows, strict=True)
            ]
        zero = tf.UnconnectedGradients.ZERO
        slope = tape.gradient(before, weights, unconnected_gradients=zero)

        def strength(square: tf.Tensor) -> tf.Tensor:
            normal = tape.gradient(square, weights, unconnected_gradients=zero)
            return strength_of(lambda moved: total(batch_of(moved)), before, slope, square, normal, weights)

        return [[strength(square) for square in by_limit] for by_limit in squares]

    def measure(self, batch: Batch) -> list[State]:
        """What is truly counted on the samples of a batch, and their residuals."""
        found = []
        for limit in self.limits:
            quantity = limit.constraint.quantity
            size = next(iter(batch.y_pred.values())).shape[0]
            if isinstance(quantity, Rate):
                assert isinstance(limit.of, str)
                true = rate_counts(quantity, limit.of, batch)[None]
            else:
                true = tf.broadcast_to(sample_values(quantity, limit.of, batch), (size,))
            found.append({"true": true, "residuals": [_measured(r, batch) for r in limit.residuals]})
        return found

    def update(
        self,
        state: State,
        measured: list[State],
        loss: tf.Tensor,
        epoch: tf.Tensor,
        weights: Sequence[tf.Tensor],
        calibrate: Callable[[State], list[list[tf.Tensor]]],
    ) -> tuple[State, tf.Tensor]:
        """The state after an epoch, and its figures.

        Args:
            state: before it.
            measured: of all training samples, from `measure`.
            loss: by which epochs that hold every limit are compared, float32 `()`.
            epoch: its number, from 1.
            weights: the variables that would be served.
            calibrate: ρ and the curvature for each kind of residuals, given the state; run once, when the
                limits set in.
        """
        values = [self._value(limit, m["true"]) for limit, m in zip(self.limits, measured, strict=True)]
        slacks = [slack_of(limit.constraint, v) for limit, v in zip(self.limits, values, strict=True)]
        held = [is_held(limit.constraint, s) for limit, s in zip(self.limits, slacks, strict=True)]
        fall, sets_in = self._sets_in(state, loss, epoch)
        # When the limits set in, then now and then, in the end no more.
        frozen = tf.cast(epoch, tf.float32) > FROZEN_SHARE * tf.cast(state["epochs"], tf.float32)
        window = tf.maximum(1, tf.cast(LOOK_SHARE * tf.cast(state["epochs"], tf.float32), tf.int32))
        chooses = sets_in | (epoch == 1) | (state["active"] & (epoch % window == 0) & ~frozen)
        limits = [
            [
                self._observed(limit, residuals, own, m, sets_in, chooses)
                for residuals, own, m in zip(limit.residuals, states, found["residuals"], strict=True)
            ]
            for limit, states, found in zip(self.limits, state["limits"], measured, strict=True)
        ]
        active = state["active"] | sets_in
        start = tf.where(sets_in, epoch, state["start"])
        strengths = tf.cond(
            sets_in,
            lambda: calibrate({**state, "limits": limits, "active": sets_in}),
            lambda: [[tf.stack([own["measured"], own["curvature"]]) for own in states] for states in limits],
        )
        elapsed = tf.cast(epoch - start, tf.float32)
        rate = tf.clip_by_value(20.0 / tf.cast(state["epochs"] - start + 1, tf.float32), 0.005, 0.5)
        limits = [
            [
                self._moved(
                    limit,
                    residuals,
                    _measured_by(limit, own, s, sets_in),
                    active,
                    good,
                    rate,
                    elapsed,
                )
                for residuals, own, s in zip(limit.residuals, states, found, strict=True)
            ]
            for limit, states, found, good in zip(self.limits, limits, strengths, held, strict=True)
        ]
        best = selected(self.limits, state["best"], loss, slacks, held, limits, epoch, weights)
        prices = [price(states) for states in limits]
        figures = []
        for slack, multiplier in zip(slacks, prices, strict=True):
            figures += [tf.nn.relu(-slack), multiplier]
        watch = [watched(*each) for each in zip(state["watch"], held, prices, strict=True)]
        following = {
            **state,
            "epoch": epoch,
            "active": active,
            "start": start,
            "ready": active & best["found"],
            "watch": watch,
            "fall": fall,
            "limits": limits,
            "best": best,
        }
        return following, tf.stack(figures)

    def _value(self, limit: Limit, true: tf.Tensor) -> tf.Tensor:
        quantity = limit.constraint.quantity
        if isinstance(quantity, Rate):
            return rate_of_counts(quantity, tf.reduce_sum(true, axis=0))
        return value_of(limit.constraint, true)

    def _sets_in(self, state: State, loss: tf.Tensor, epoch: tf.Tensor) -> tuple[State, tf.Tensor]:
        """Whether free fitting ends with this epoch, by the means of the loss over windows of epochs."""
        fall = state["fall"]
        total = tf.cast(state["epochs"], tf.float32)
        window = tf.maximum(1, tf.cast(LOOK_SHARE * total, tf.int32))
        closes = epoch % window == 0
        sum_now = fall["sum"] + loss
        mean = sum_now / tf.cast(window, tf.float32)
        first = tf.where(epoch == 1, loss, fall["first"])
        gained = fall["last"] - mean
        rests = closes & (epoch > window) & (gained <= AT_REST * (first - mean))
        chooses = any(
            limit.method == "exact_penalty"
            or isinstance(limit.constraint.quantity, ElementsAbove | ActivationSparsity)
            or any(r.rows_that_may_break for r in limit.residuals)
            for limit in self.limits
        )
        share = FREE_SHARE_TO_CHOOSE if chooses else FREE_SHARE
        late = tf.cast(epoch, tf.float32) >= tf.floor(share * total)
        following = {
            "sum": tf.where(closes, 0.0, sum_now),
            "first": first,
            "last": tf.where(closes, mean, fall["last"]),
        }
        return following, (rests | late | state["warm"]) & ~state["active"]

    def _observed(
        self,
        limit: Limit,
        residuals: Residuals,
        own: State,
        measured: State,
        sets_in: tf.Tensor,
        chooses: tf.Tensor,
    ) -> State:
        """The residuals of all samples with their margin, and which of them must hold."""
        values = measured["value"]  # (samples, units)
        if residuals.aggregate:
            both = tf.stack([tf.reduce_mean(values), tf.reduce_mean(measured["truth"])])
            values = both[1][None, None]
            size = tf.where(sets_in, tf.maximum(tf.abs(both[1]), LEAST_SIZE), own["size"])
            held = tf.ones_like(values)
        else:
            both = tf.zeros((2,))

            def choose() -> tf.Tensor:
                # Where the residual would be if nothing pushed it: what is pushed may deserve to be exempt.
                bend = tf.maximum(own["curvature"], LEAST_BEND * own["strength"] / STRENGTH)
                pushed = tf.math.divide_no_nan(own["multiplier"], bend)
                unpushed = values if limit.method in _PENALTIES else values + pushed
                return must_hold(
                    residuals, tf.abs(unpushed) if residuals.equality else unpushed, measured.get("counted")
                )

            held = choose() if limit.method in _PENALTIES else tf.cond(chooses, choose, lambda: own["held"])
            size = tf.cond(sets_in, lambda: _size_of(values, held), lambda: own["size"])
        margin = tf.where(sets_in, MARGIN * size, own["margin"])
        if limit.method == "penalty":
            margin = tf.zeros_like(margin)
        if not residuals.equality:
            values = values + margin
        pace = PACE_DECAY * own["pace"] + (1 - PACE_DECAY) * (values - own["residual"])
        return {
            **own,
            "held": held,
            "residual": values,
            "pace": tf.where(sets_in, tf.zeros_like(pace), pace),
            "size": size,
            "margin": margin,
            "mean": both,
        }

    def _moved(
        self,
        limit: Limit,
        residuals: Residuals,
        own: State,
        active: tf.Tensor,
        good: tf.Tensor,
        rate: tf.Tensor,
        elapsed: tf.Tensor,
    ) -> State:
        """The multipliers and the margin after an epoch."""
        if limit.method == "penalty":
            return own
        factor = tf.where(good, NARROWING, WIDENING)
        margin = tf.clip_by_value(
            own["margin"] * factor, LEAST_MARGIN * own["size"], MOST_MARGIN * own["size"]
        )
        own = {**own, "margin": tf.where(active, margin, own["margin"])}
        values, multiplier = own["residual"], own["multiplier"]
        if limit.method == "exact_penalty":
            strength = own["strength"] * tf.where(good, FALLING, RISING)
            breaks = tf.sign(values) if residuals.equality else tf.cast(values > 0, tf.float32)
            moved = FORCE_DECAY * multiplier + (1 - FORCE_DECAY) * strength * breaks
            moved *= own["held"]
            return {
                **own,
                "multiplier": tf.where(active, moved, multiplier),
                "strength": tf.where(active, strength, own["strength"]),
            }
        waits = multipliers.follows(values, own["pace"], 10.0 + 0.5 * elapsed)
        breaking = (tf.abs(values) if residuals.equality else tf.nn.relu(values)) * own["held"]
        amount = sum_of_means(breaking) / breaking.shape[1]
        usual = tf.where(own["usual"] > 0, own["usual"] + 0.05 * (amount - own["usual"]), amount)
        growth = tf.where(good, 1 - rate * GROWTH, tf.where(amount > 0.8 * usual, 1 + rate * GROWTH, 1.0))
        strength = tf.clip_by_value(own["strength"] * growth, own["measured"], MOST_GROWTH * own["measured"])
        step = rate * strength
        if limit.method == "lagrangian":
            # The pace is the change of the residuals' running mean, ν = PACE_DECAY.
            moved = multipliers.controlled(multiplier, values, own["pace"], step, equality=residuals.equality)
        else:
            moved = multipliers.ascended(multiplier, values, step, residuals.equality)
        moved = tf.where(waits, multiplier, moved) * own["held"]
        return {
            **own,
            "multiplier": tf.where(active, moved, multiplier),
            "strength": tf.where(active, strength, own["strength"]),
            "usual": tf.where(active, usual, own["usual"]),
        }


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


def _measured_by(limit: Limit, own: State, strength: tf.Tensor, sets_in: tf.Tensor) -> State:
    """The state with ρ, or the weight of an exact penalty, as it was measured when the limits set in."""
    measured, curvature = strength[0], strength[1]
    first = FIRST_WEIGHT * measured * own["size"] if limit.method == "exact_penalty" else measured
    now = tf.where(sets_in, first, own["strength"])
    return {**own, "strength": now, "measured": measured, "curvature": curvature}


def price(states: list[State]) -> tf.Tensor:
    """The multiplier of a limit, float32 `()`: the loss saved per unit by which its residuals are relaxed.

    For residuals of samples it's the mean over the samples of their sum. That of an equality has the sign of
    f + μ·h.
    """
    if not states:
        return tf.constant(0.0)
    return tf.add_n([sum_of_means(own["multiplier"]) for own in states])


_LEARNING = ("lagrangian", "augmented_lagrangian", "exact_penalty")

_PENALTIES = ("penalty", "exact_penalty")


def _measured(residuals: Residuals, batch: Batch) -> Mapping[str, tf.Tensor]:
    value = residuals.value(batch)
    size = next(iter(batch.y_pred.values())).shape[0]
    if value.shape[0] != size:  # of weights, or of an expression that sums over the batch
        value = tf.repeat(value, size, axis=0)
    found = {"value": value}
    if residuals.counted is not None:
        found["counted"] = residuals.counted(batch)
    if residuals.aggregate:
        found["truth"] = residuals.truth(batch) if residuals.truth else value
    return found
