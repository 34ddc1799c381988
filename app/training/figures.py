"""The figures of a pass over a split: its loss, the parts of that, and metrics."""

from collections.abc import Sequence

import tensorflow as tf

from app.training.batches import State
from app.training.metrics import BuiltMetric
from app.training.objective import Objective
from app.training.terms import Batch


class Figures:
    """Adds up figures, batch by batch.

    Args:
        objective: the terms of the total; a single one is the loss itself and has no figure of its own.
        metrics: what is reported beside them.
    """

    def __init__(self, objective: Objective, metrics: Sequence[BuiltMetric]) -> None:
        parts = objective.names if len(objective.names) > 1 else ()
        self.names = ("loss", *parts, *(metric.name for metric in metrics))
        self._terms = len(objective.terms)
        self._metrics = tuple(metrics)
        self._fresh = [[tf.constant(v.numpy()) for v in built.metric.variables] for built in metrics]

    def initial(self) -> State:
        """The sums before the first batch."""
        return {"parts": tf.zeros((self._terms,)), "metrics": self._fresh}

    def updated(self, sums: State, batch: Batch, parts: tf.Tensor, size: int) -> State:
        """The sums after a batch of `size` rows; `parts` are the values of its terms, `(terms,)`."""
        metrics = [
            list(
                built.metric.stateless_update_state(
                    values, batch.y_true[built.output], batch.y_pred[built.output]
                )
            )
            for built, values in zip(self._metrics, sums["metrics"], strict=True)
        ]
        return {"parts": sums["parts"] + parts * size, "metrics": metrics}

    def of(self, sums: State, samples: int) -> tf.Tensor:
        """The figures of a pass over `samples` rows, float32 `(names,)`."""
        parts = sums["parts"] / samples
        results = [
            tf.cast(built.metric.stateless_result(values), tf.float32)
            for built, values in zip(self._metrics, sums["metrics"], strict=True)
        ]
        loss = tf.reduce_sum(parts)[None]
        shown = [loss, parts] if self._terms > 1 else [loss]
        return tf.concat([*shown, tf.stack(results)] if results else shown, axis=0)
