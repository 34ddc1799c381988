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

from collections.abc import Mapping, Sequence

import tensorflow as tf

from app.spec.quantities import WeightSparsity
from app.spec.rates import Rate
from app.training.batches import Rows, State
from app.training.constraints import movement, pruning, timing
from app.training.constraints.addends import addend
from app.training.constraints.limit import LEARNING, Limit
from app.training.constraints.pruning import kernel_paths
from app.training.constraints.residuals import Residuals
from app.training.constraints.watching import initial_watch
from app.training.quantities import rate_counts, sample_values
from app.training.terms import Batch


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
            "active": tf.constant(not any(limit.method in LEARNING for limit in self.limits)),
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
            "fall": timing.initial_fall(),
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
        return movement.initial(residuals, shape, price)

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
                value, mean = addend(limit, residuals, own, part, batch, mean, self.newest_share)
                total += value
                moved.append(mean)
            following.append(moved)
        return tf.where(state["active"], total, 0.0), following

    def step_share(self, state: State) -> tf.Tensor:
        """How much of a step is taken, float32 `()`."""
        return timing.step_share(self.limits, state)

    def project(self, weights: Mapping[str, tf.Tensor], state: State) -> list[tf.Tensor]:
        """The weights after a step, those that were pruned zero again; in their order."""
        kept = state["kept"]
        return [weight * kept[path] if path in kept else weight for path, weight in weights.items()]

    # After an epoch

    def prune(
        self, weights: Mapping[str, tf.Tensor], state: State, epoch: tf.Tensor
    ) -> tuple[State, list[tf.Tensor]]:
        """Chooses anew which weights are zero, and makes them so.

        Args:
            weights: by path.
            state: before the epoch.
            epoch: its number, from 1.

        Returns:
            The state with the new choice; the weights in their order.
        """
        kept = pruning.chosen(self.limits, weights, state["kept"], epoch, state["epochs"])
        state = {**state, "kept": kept}
        return state, self.project(weights, state)

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
