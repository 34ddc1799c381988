"""The look at all training samples after an epoch, by which multipliers move and the best epoch is found."""

import tensorflow as tf

from app.training.batches import Rows, Schedule, State, gather_batches, take
from app.training.constraints.after_epoch import updated
from app.training.constraints.calibration import measured_strengths
from app.training.constraints.enforcement import Enforcement
from app.training.forward import Forward
from app.training.objective import Objective
from app.training.terms import Batch

MOST_CALIBRATED = 1024
"""Training rows by which the strength of limits is measured."""


class Check:
    """Where the limits stand after an epoch.

    Args:
        enforcement: of the limits.
        forward: of the model.
        objective: the terms of the total.
        walk: how the training rows are walked.
        batch_size: training rows a step, which terms that aren't means know.
    """

    def __init__(
        self,
        enforcement: Enforcement,
        forward: Forward,
        objective: Objective,
        walk: Schedule,
        batch_size: int,
    ) -> None:
        self.enforcement = enforcement
        self.forward = forward
        self.objective = objective
        self.walk = walk
        self.batch_size = batch_size

    def __call__(
        self,
        state: State,
        trainable: list[tf.Tensor],
        rows: Rows,
        strengths: tf.Tensor,
        seed: tf.Tensor,
        validated: tf.Tensor | None,
    ) -> tuple[State, tf.Tensor]:
        """Looks at all training samples with the weights that would be served.

        Args:
            state: after the epoch's steps, its number not counted yet.
            trainable: those weights.
            rows: the training samples.
            strengths: of the terms.
            seed: the run's.
            validated: the loss of the validation rows, `()`; None where there are none.

        Returns:
            The new state of the constraints and the figures of the limits, float32 `(figures,)`.
        """
        non_trainable = state["non_trainable"]

        def look(index: tf.Tensor, size: int) -> State:
            batch_rows = take(rows, None, index * self.walk.batch_size, size)
            key = tf.stack([seed, index])
            batch, _ = self.forward(trainable, non_trainable, batch_rows, key, training=False)
            scale = min(self.batch_size, size) / size
            total, _ = self.objective.evaluate(batch, strengths, extensive_scale=scale)
            return {"loss": (total * size)[None], "limits": self.enforcement.measure(batch)}

        def calibrate(constraints: State) -> list[list[tf.Tensor]]:
            return self._strengths(constraints, trainable, non_trainable, rows, strengths)

        seen = gather_batches(self.walk, look)
        loss = tf.reduce_sum(seen["loss"]) / self.walk.samples
        return updated(
            self.enforcement.limits,
            state["constraints"],
            seen["limits"],
            loss if validated is None else validated,
            state["epoch"] + 1,
            trainable + non_trainable,
            calibrate,
        )

    def _strengths(
        self,
        constraints: State,
        trainable: list[tf.Tensor],
        non_trainable: list[tf.Tensor],
        rows: Rows,
        strengths: tf.Tensor,
    ) -> list[list[tf.Tensor]]:
        """How strongly each residual is pushed, measured on some of the training samples."""
        some = {**rows, "constraints": self.enforcement.by_row(constraints)}
        some = take(some, None, tf.constant(0), min(MOST_CALIBRATED, self.walk.samples))

        def batch_of(weights: list[tf.Tensor]) -> Batch:
            return self.forward(weights, non_trainable, some, tf.constant([0, 0]), training=False)[0]

        def total(batch: Batch) -> tf.Tensor:
            return self.objective.evaluate(batch, strengths).total

        limits = self.enforcement.limits
        return measured_strengths(limits, constraints, some["constraints"], batch_of, total, trainable)
