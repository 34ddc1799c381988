"""Losses on tensors, as terms of the total.

Keras's losses are Keras's own objects, so that they are what `model.compile` would use, with Keras's way to
mask, weigh and reduce; Kerb's own are put into the same frame.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import keras
import tensorflow as tf

from app.spec.expressions import Shape, shape_of, variables_of
from app.spec.losses import Expression, Loss, LossSpec, Part, loss_parts
from app.training import own_losses
from app.training.differentiability import SURROGATE
from app.training.expressions import evaluate, in_rank_of
from app.training.terms import Batch, Term, unique_names

Weighted = Callable[[tf.Tensor, tf.Tensor, tf.Tensor | None], tf.Tensor]
"""From targets and predictions, `(batch_size, …)`, and sample weights, `(batch_size,)`, to a scalar."""

_OWN: Mapping[str, Callable[..., tf.Tensor]] = {
    "weighted_binary_crossentropy": own_losses.weighted_binary_crossentropy,
    "asymmetric_squared_error": own_losses.asymmetric_squared_error,
    "pinball": own_losses.pinball,
    "smooth_l1": own_losses.smooth_l1,
    "iou": own_losses.iou,
    "giou": own_losses.giou,
    "diou": own_losses.diou,
}


_SURROGATES = {
    "expression": SURROGATE,
    "iou": "giou or diou, which have a gradient where boxes don't overlap,",
}


def build_loss_terms(loss: LossSpec, outputs: Sequence[str], pointer: str = "/loss") -> list[Term]:
    """The terms of a document's loss: one for each single loss on each output.

    Args:
        loss: the `loss` field of the document.
        outputs: the names of the model's outputs.
        pointer: JSON Pointer to `loss`.
    """
    return unique_names([_term(part) for part in loss_parts(loss, outputs, pointer)])


def class_weights(y_true: tf.Tensor, weights: Mapping[int, float]) -> tf.Tensor:
    """How much each sample counts by its class.

    Args:
        y_true: classes as `(batch_size,)` or `(batch_size, 1)`, or one-hot as `(batch_size, classes)`.
        weights: from a class to its weight; other classes count 1.

    Returns:
        float32 `(batch_size,)`.
    """
    one_hot = y_true.shape.rank > 1 and y_true.shape[-1] != 1
    labels = tf.argmax(y_true, axis=-1, output_type=tf.int32) if one_hot else tf.cast(y_true, tf.int32)
    classes = tf.constant(list(weights), tf.int32)
    excess = tf.constant([weight - 1.0 for weight in weights.values()], tf.float32)
    matches = tf.cast(tf.equal(tf.reshape(labels, (-1, 1)), classes), tf.float32)  # (batch_size, classes)
    return 1.0 + tf.linalg.matvec(matches, excess)


def _term(part: Part) -> Term:
    loss = part.loss
    weighted = _of_expression(loss) if isinstance(loss, Expression) else _of_arrays(loss)

    def value(batch: Batch) -> tf.Tensor:
        y_true, y_pred = batch.y_true[part.output], batch.y_pred[part.output]
        weight = batch.sample_weight
        if loss.class_weight:
            by_class = class_weights(y_true, loss.class_weight)
            weight = by_class if weight is None else weight * by_class
        return weighted(y_true, y_pred, weight)

    return Term(
        part.name,
        part.weight,
        value,
        part.pointer,
        surrogate=_SURROGATES.get(loss.type),
        extensive=loss.reduction == "sum",
    )


def _of_arrays(loss: Loss) -> Weighted:
    """Any loss but an expression."""
    arguments = {name: _as_tuple(value) for name, value in loss.arguments().items()}
    axis = arguments.get("axis", -1)
    frame: keras.losses.Loss
    if loss.type in _OWN:
        frame = _Frame(loss.type, partial(_OWN[loss.type], **arguments), loss.reduction)
    else:
        frame = getattr(keras.losses, type(loss).__name__)(**arguments, reduction=loss.reduction)

    def weighted(y_true: tf.Tensor, y_pred: tf.Tensor, weight: tf.Tensor | None) -> tf.Tensor:
        y_true = _beside(y_pred, y_true)
        if weight is None:
            return frame(y_true, y_pred)
        summed = _axes(axis, y_pred.shape.rank)
        if 0 in summed:
            # One value for the batch: the samples can't be weighed apart.
            mean = 1.0 if loss.reduction == "mean_with_sample_weight" else tf.reduce_mean(weight)
            return frame(y_true, y_pred) * mean
        shape = tf.shape(y_pred)
        kept = [shape[place] for place in range(y_pred.shape.rank) if place not in summed]
        spread = tf.reshape(weight, [-1, *[1] * (len(kept) - 1)])
        return frame(y_true, y_pred, sample_weight=tf.broadcast_to(spread, kept))

    return weighted


def _of_expression(loss: Expression) -> Weighted:
    node = loss.node
    weighs_itself = "sample_weight" in variables_of(node)
    frame = _Frame(loss.type, lambda _, values: values, loss.reduction)

    def weighted(y_true: tf.Tensor, y_pred: tf.Tensor, weight: tf.Tensor | None) -> tf.Tensor:
        by_sample = tf.ones(tf.shape(y_pred)[0]) if weight is None else weight
        given = {"y_true": y_true, "y_pred": y_pred, "sample_weight": by_sample}
        variables = {name: in_rank_of(y_pred, values) for name, values in given.items()}
        values = evaluate(node, variables)
        shapes: dict[str, Shape] = {name: (None, *array.shape[1:]) for name, array in variables.items()}
        if shape_of(node, shapes)[:1] != (None,):  # the samples were summed over
            return tf.reduce_mean(values)
        losses = tf.reduce_mean(values, axis=list(range(1, values.shape.rank)))  # (batch_size,)
        return frame(losses, losses, sample_weight=None if weighs_itself else weight)

    return weighted


class _Frame(keras.losses.Loss):
    """A function of targets and predictions as one of Keras's losses.

    Args:
        name: of the loss.
        function: from two tensors `(batch_size, …)` to the losses, `(batch_size, …)`.
        reduction: Keras's.
    """

    def __init__(
        self, name: str, function: Callable[[tf.Tensor, tf.Tensor], tf.Tensor], reduction: str
    ) -> None:
        super().__init__(name=name, reduction=reduction)
        self._function = function

    def call(self, y_true: tf.Tensor, y_pred: tf.Tensor) -> tf.Tensor:
        return self._function(y_true, y_pred)


def _beside(y_pred: tf.Tensor, y_true: tf.Tensor) -> tf.Tensor:
    """Targets with the axis of length 1 that they lack, or without the one that they have too many."""
    if y_true.shape.rank == y_pred.shape.rank - 1 and y_pred.shape[-1] == 1:
        return tf.expand_dims(y_true, axis=-1)
    if y_true.shape.rank == y_pred.shape.rank + 1 and y_true.shape[-1] == 1:
        return tf.squeeze(y_true, axis=-1)
    return y_true


def _axes(axis: int | tuple[int, ...] | None, rank: int) -> set[int]:
    """The places, from 0, of the axes that a loss sums over."""
    if axis is None:
        return set(range(rank))
    return {place % rank for place in (axis if isinstance(axis, tuple) else (axis,))}


def _as_tuple(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value
