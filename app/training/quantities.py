"""Quantities as they truly are: a count counts, whatever stands for it where gradients must flow.

The same operations serve the compiled loop, batch by batch in float32, and the final verdicts, where the
batch is a part of the data and predictions may be float64.
"""

from collections.abc import Iterable
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from app.spec.constraints import Quantity
from app.spec.quantities import ActivationSparsity, ElementsAbove, SampleQuantity, WeightsOf, WeightSparsity
from app.spec.rates import GroupName, Rate
from app.training.elements import distance_above, element_values, flat_rows, measured_tensors
from app.training.terms import Batch


def sample_values(quantity: SampleQuantity, of: str | WeightsOf, batch: Batch) -> tf.Tensor:
    """The quantity of each sample, or of the weights as if they were one sample.

    Args:
        quantity: any but a rate.
        of: what it is measured on.
        batch: holds that, `(batch_size, …)`.

    Returns:
        `(batch_size,)`, or `(1,)` where the quantity has one value in all.
    """
    match quantity:
        case ElementsAbove(threshold=threshold):
            rows = flat_rows(measured_tensors(of, batch), on_weights=False)
            above = distance_above(rows, threshold, batch.columns) > 0
            return tf.reduce_sum(tf.cast(above, rows.dtype), axis=1)
        case ActivationSparsity():
            return _share_of_zeros(flat_rows(measured_tensors(of, batch), on_weights=False))
        case WeightSparsity(of=layer):
            return _share_of_zeros(
                flat_rows(measured_tensors(WeightsOf(weights=layer), batch), on_weights=True)
            )
        case _:
            return tf.reduce_sum(element_values(quantity, of, batch), axis=1)


def _share_of_zeros(rows: tf.Tensor) -> tf.Tensor:
    return tf.reduce_mean(tf.cast(rows == 0, rows.dtype), axis=1)


def group_column(group: GroupName) -> str:
    """Name of the column of a batch that is 1 for the samples of a group and 0 for others."""
    return f"group {group!r}"


def group_columns(quantities: Iterable[Quantity], groups: NDArray[Any]) -> dict[str, NDArray[np.float32]]:
    """The columns that the rates among some quantities need to tell groups apart.

    Args:
        quantities: of a run's constraints.
        groups: the group of each sample, `(samples,)`.
    """
    named = {group for quantity in quantities if isinstance(quantity, Rate) for group in quantity.groups}
    return {group_column(group): (groups == group).astype(np.float32) for group in named}


def rate_counts(rate: Rate, of: str, batch: Batch) -> tf.Tensor:
    """How many decisions a rate is of, and how many of them count for it; batches' counts may be added up.

    Args:
        rate: the rate.
        of: the output.
        batch: with targets, and the columns of `group_columns`.

    Returns:
        `(groups, 2)`, numerator and denominator for each group, or for all samples if it names none; in the
        predictions' precision.
    """
    predicted, true = decisions(rate, batch.y_pred[of], batch.y_true[of])  # (batch_size, decisions)
    counting, considered = {
        "recall": (predicted & true, true),
        "precision": (predicted & true, predicted),
        "false_positive_rate": (predicted & ~true, ~true),
        "false_negative_rate": (~predicted & true, true),
        "positive_rate": (predicted, tf.ones_like(predicted)),
        "accuracy": (predicted == true, tf.ones_like(predicted)),
    }[rate.type]
    both = tf.cast(tf.stack([counting, considered]), batch.y_pred[of].dtype)
    by_sample = tf.reduce_sum(both, axis=2)  # (2, batch_size)
    if not rate.groups:
        return tf.reduce_sum(by_sample, axis=1)[None]
    members = tf.stack([batch.columns[group_column(group)] for group in rate.groups])  # (groups, batch_size)
    return tf.linalg.matmul(tf.cast(members, by_sample.dtype), by_sample, transpose_b=True)


def rate_of_counts(rate: Rate, counts: tf.Tensor) -> tf.Tensor:
    """The rate that counts `(groups, 2)` give, `()`: of all or of one group, or the difference of groups."""
    rates = tf.math.divide_no_nan(counts[:, 0], counts[:, 1])
    return rates[0] if rate.difference is None else tf.reduce_max(rates) - tf.reduce_min(rates)


def decisions(rate: Rate, y_pred: tf.Tensor, y_true: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """What was decided and what is true.

    Args:
        rate: says how to decide.
        y_pred: `(batch_size, …, elements)`.
        y_true: of the same shape, or integers `(batch_size, …)` or `(batch_size, …, 1)` for classes.

    Returns:
        Two bool tensors `(batch_size, decisions)`. Where classes are decided between for an accuracy, every
        decision is "this is its class", and true.
    """
    classes = y_pred.shape[-1]
    by_class = rate.class_index is not None or (rate.type == "accuracy" and classes > 1)
    if not by_class:
        elements = y_pred.shape[1:].num_elements()
        predicted = tf.reshape(y_pred, (-1, elements)) > tf.cast(
            tf.constant(rate.threshold, tf.float32), y_pred.dtype
        )
        return predicted, tf.reshape(y_true, (-1, elements)) > 0.5
    places = y_pred.shape[1:-1].num_elements()
    chosen = tf.reshape(tf.argmax(y_pred, axis=-1, output_type=tf.int32), (-1, places))
    if y_true.shape[1:].num_elements() == places:
        labels = tf.reshape(tf.cast(y_true, tf.int32), (-1, places))
    else:
        labels = tf.reshape(tf.argmax(y_true, axis=-1, output_type=tf.int32), (-1, places))
    if rate.class_index is not None:
        return chosen == rate.class_index, labels == rate.class_index
    return chosen == labels, tf.ones_like(labels, tf.bool)
