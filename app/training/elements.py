"""Quantities as matrices: one row a sample, one column an element, to be added up as a penalty wants.

The formulas are those of `app.spec.quantities`; every one but the count has gradients. They are computed in
the predictions' own precision: float32 while training, float64 for a verdict.
"""

from collections.abc import Mapping

import tensorflow as tf

from app.spec import quantities
from app.spec.expressions import Node
from app.spec.quantities import Norm, WeightsOf
from app.spec.thresholds import Threshold
from app.training.expressions import evaluate, in_rank_of
from app.training.terms import Batch
from app.training.thresholds import threshold_values

PROBABILITY_FLOOR = 1e-7
"""Least probability in an entropy, Keras's epsilon."""


def measured_tensors(of: str | WeightsOf, batch: Batch) -> list[tf.Tensor]:
    """What a quantity is measured on: an output, a layer's activations, or a layer's kernels.

    Args:
        of: name of an output or a layer, or the layer whose weights are meant. An output's name wins.
        batch: holds them.

    Returns:
        One tensor `(batch_size, …)`, or the kernels.
    """
    if isinstance(of, WeightsOf):
        variables = [w for path, w in batch.weights.items() if path.startswith(f"{of.weights}/")]
        return [w for w in variables if w.shape.rank >= 2] or variables
    return [batch.y_pred[of] if of in batch.y_pred else batch.activations[of]]


def flat_rows(tensors: list[tf.Tensor], on_weights: bool) -> tf.Tensor:
    """Samples, or all weights together as one, as rows of elements: `(rows, elements)`."""
    if on_weights:
        return tf.concat([tf.reshape(w, (1, -1)) for w in tensors], axis=1)
    (values,) = tensors
    return tf.reshape(values, (-1, values.shape[1:].num_elements()))


def power(distance: tf.Tensor, norm: Norm) -> tf.Tensor:
    """`distance^p`, p = 1 for l1, 2 for l2; the distance isn't negative."""
    return tf.square(distance) if norm == "l2" else distance


def distance_above(rows: tf.Tensor, threshold: Threshold, columns: Mapping[str, tf.Tensor]) -> tf.Tensor:
    """`ŷ − τ` of each element, negative below the threshold; `(batch_size, elements)`."""
    return rows - threshold_values(threshold, rows, columns)


def element_values(quantity: quantities.Differentiable, of: str | WeightsOf, batch: Batch) -> tf.Tensor:
    """The quantity of each element, `(rows, elements)`; the sum of a row is that sample's.

    Quantities that have one value a sample give `(rows, 1)`; those measured on weights have one row.
    """
    tensors = measured_tensors(of, batch)
    match quantity:
        case quantities.TotalVariation():
            return neighbour_differences(tensors[0])
        case quantities.Orthogonality():
            return orthogonality(tensors, isinstance(of, WeightsOf))
        case quantities.ExpressionOf(node=node):
            y_true = batch.y_true.get(of) if isinstance(of, str) else None
            return expression_values(node, tensors[0], y_true)
    rows = flat_rows(tensors, isinstance(of, WeightsOf))
    match quantity:
        case quantities.ExcessAbove(threshold=threshold, norm=norm):
            return power(tf.nn.relu(distance_above(rows, threshold, batch.columns)), norm)
        case quantities.ShortfallBelow(threshold=threshold, norm=norm):
            return power(tf.nn.relu(-distance_above(rows, threshold, batch.columns)), norm)
        case quantities.Bounds(lower=lower, upper=upper, norm=norm):
            values = tf.zeros_like(rows)
            if lower is not None:
                values += power(tf.nn.relu(-distance_above(rows, lower, batch.columns)), norm)
            if upper is not None:
                values += power(tf.nn.relu(distance_above(rows, upper, batch.columns)), norm)
            return values
        case quantities.Linear(coefficients=coefficients):
            return tf.linalg.matmul(rows, tf.constant(coefficients, rows.dtype)[:, None])
        case quantities.SumTo(value=value, norm=norm):
            return power(tf.abs(tf.reduce_sum(rows, axis=1, keepdims=True) - value), norm)
        case quantities.NormOf(norm=norm):
            return power(tf.abs(rows), norm)
        case quantities.Entropy():
            return -rows * tf.math.log(tf.clip_by_value(rows, PROBABILITY_FLOOR, 1.0))


def expression_values(node: Node, y_pred: tf.Tensor, y_true: tf.Tensor | None) -> tf.Tensor:
    """The expression's values, a row for each sample, or a single row if it sums over the batch.

    Args:
        node: the expression.
        y_pred: `(batch_size, …)`.
        y_true: float32 `(batch_size, …)`, None where there is none.
    """
    variables = {"y_pred": tf.cast(y_pred, tf.float32)}
    if y_true is not None:
        variables["y_true"] = in_rank_of(y_pred, y_true)
    values = tf.cast(evaluate(node, variables), y_pred.dtype)
    if values.shape.rank == 0:
        return tf.reshape(values, (1, 1))
    return tf.reshape(values, (-1, values.shape[1:].num_elements()))


def neighbour_differences(values: tf.Tensor) -> tf.Tensor:
    """`|difference|` of neighbours along every axis but the batch's and the channels'.

    Args:
        values: `(batch_size, n)`, a signal; or `(batch_size, …, channels)`.

    Returns:
        `(batch_size, pairs)`.
    """
    rank = values.shape.rank
    axes = range(1, max(rank - 1, 2))
    differences = []
    for axis in axes:
        length = values.shape[axis]
        after = tf.gather(values, tf.range(1, length), axis=axis)
        before = tf.gather(values, tf.range(length - 1), axis=axis)
        differences.append(flat_rows([tf.abs(after - before)], on_weights=False))
    return tf.concat(differences, axis=1)


def orthogonality(tensors: list[tf.Tensor], on_weights: bool) -> tf.Tensor:
    """`‖AAᵀ − I‖²` of each sample's matrix `(…, features)`, or of the kernels as `(units, inputs)`.

    Returns:
        `(batch_size, 1)`, or `(1, 1)` for weights.
    """
    matrices = []
    for values in tensors:
        features = values.shape[-1]
        if on_weights:
            matrices.append(tf.transpose(tf.reshape(values, (-1, features)))[None])
        else:
            matrices.append(tf.reshape(values, (-1, values.shape[1:-1].num_elements(), features)))
    deviations = []
    for matrix in matrices:
        gram = tf.linalg.matmul(matrix, matrix, transpose_b=True)  # (rows, vectors, vectors)
        deviation = tf.square(gram - tf.eye(gram.shape[-1], dtype=gram.dtype))
        deviations.append(tf.reduce_sum(deviation, axis=(1, 2))[:, None])
    return tf.add_n(deviations)
