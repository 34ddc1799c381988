"""A model's forward pass with the values of its variables as arguments."""

import keras
import tensorflow as tf

from app.training.batches import Rows
from app.training.evaluation import input_of
from app.training.terms import Batch


class Forward:
    """What the objective looks at, from weights and rows.

    Args:
        model: the tapped model; its variables' values are not used, only their order and shapes.
    """

    def __init__(self, model: keras.Model) -> None:
        self.model = model
        self.weight_paths = [v.path for v in model.trainable_variables]

    def by_path(self, trainable: list[tf.Tensor]) -> dict[str, tf.Tensor]:
        """The values of the trainable variables by path, in their order."""
        return dict(zip(self.weight_paths, trainable, strict=True))

    def __call__(
        self,
        trainable: list[tf.Tensor],
        non_trainable: list[tf.Tensor],
        rows: Rows,
        seed: tf.Tensor,
        *,
        training: bool,
    ) -> tuple[Batch, list[tf.Tensor]]:
        """The batch after a forward pass, and the new non-trainable variables.

        Args:
            trainable: values of the model's trainable variables.
            non_trainable: values of the others.
            rows: the samples of one batch.
            seed: int32 `(2,)`, for the terms' random numbers.
            training: whether dropout, batch statistics and the like are at work.
        """
        inputs = input_of(self.model, rows["inputs"])
        predicted, updated = self.model.stateless_call(trainable, non_trainable, inputs, training=training)
        batch = Batch(
            y_true=rows["targets"],
            y_pred=predicted["outputs"],
            activations=predicted["activations"],
            weights=self.by_path(trainable),
            sample_weight=rows.get("sample_weight"),
            columns=rows["columns"],
            seed=seed,
        )
        return batch, list(updated)
