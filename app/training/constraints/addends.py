"""What the model minimises for residuals beside the loss, in a step."""

import tensorflow as tf

from app.training.batches import Rows, State
from app.training.constraints import multipliers
from app.training.constraints.limit import PENALTIES, Limit
from app.training.constraints.residuals import Residuals
from app.training.constraints.sums import sum_of_means
from app.training.terms import Batch


def addend(
    limit: Limit,
    residuals: Residuals,
    own: State,
    part: Rows,
    batch: Batch,
    mean: tf.Tensor,
    newest_share: float,
) -> tuple[tf.Tensor, tf.Tensor]:
    """The addend of one kind of residuals, float32 `()`, and their next running mean.

    Args:
        limit: whose.
        residuals: of the limit.
        own: their state as the epoch began.
        part: of it, what belongs to the batch's samples.
        batch: with gradients.
        mean: the running mean of aggregate residuals, `()`; others leave it.
        newest_share: of the batch's mean in it.
    """
    values = residuals.value(batch)
    equality = residuals.equality
    margin = 0.0 if equality else own["margin"]
    strength = tf.maximum(own["strength"], 1e-12) if limit.method != "lagrangian" else tf.constant(1e-12)
    if residuals.aggregate:
        truth = residuals.truth(batch) if residuals.truth else values
        now = tf.stop_gradient(tf.reduce_mean(truth)) + margin
        mean += newest_share * (now - mean)
        multiplier = own["multiplier"][0, 0]
        if limit.method in PENALTIES:
            weight = multiplier if limit.method == "penalty" else own["strength"]
            force = weight * (tf.sign(mean) if equality else tf.cast(mean > 0, tf.float32))
        else:
            force = multipliers.augmented_force(multiplier, mean, strength, equality)
        return tf.stop_gradient(force) * tf.reduce_mean(values), mean
    values += margin
    if limit.method in PENALTIES:
        weight = part["multiplier"] if limit.method == "penalty" else own["strength"]
        price = weight * (tf.abs(values) if equality else tf.nn.relu(values))
    elif limit.method == "lagrangian":
        price = part["multiplier"] * values
    else:
        price = multipliers.augmented_value(part["multiplier"], values, strength, equality)
    return sum_of_means(price * part["held"]), mean
