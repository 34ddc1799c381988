"""Regularizers as terms of the total, each strength on its own.

    l1·Σ|w|,   l2·Σw²   (no ½),   factor·mean |cosine|

over a layer's kernel, bias, …, or over its activity, reduced over the batch as the document says. Term names
are `dense_kernel_l1`, `lstm_recurrent_l2`, `dense_activity_orthogonal`, ….
"""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import keras
import tensorflow as tf

from app.spec.graph import Graph, Node
from app.spec.layers.base import Layer
from app.spec.layers.core import ActivityRegularization
from app.spec.regularizers import L1L2, ActivityL1L2, ActivityOrthogonal, Orthogonal
from app.training.terms import Batch, Term

VARIABLES = {
    "recurrent": ("recurrent_kernel",),
    # Keras names the only kernel of a DepthwiseConv2D `kernel`, and that of a separable one by its part.
    "depthwise": ("depthwise_kernel", "kernel"),
    "pointwise": ("pointwise_kernel",),
}
"""Names of the variables that `{key}_regularizer` is about, where they aren't the key itself."""


class Regularized(NamedTuple):
    """A regularizer in its place.

    Attributes:
        node: the node of the graph whose layer it belongs to.
        part: `kernel`, `bias`, …, or `activity`.
        regularizer: the regularizer.
        pointer: JSON Pointer to it.
    """

    node: Node
    part: str
    regularizer: L1L2 | Orthogonal | ActivityL1L2 | ActivityOrthogonal
    pointer: str


def build_regularizer_terms(graph: Graph, model: keras.Model) -> list[Term]:
    """A term for each strength that isn't zero of each regularizer in the graph.

    A regularizer that is about several variables, as with MultiHeadAttention or Bidirectional, has one term
    for all of them. A proximal l1 is recorded, but has no gradient: the soft threshold stands for it.

    Args:
        graph: the resolved layers.
        model: the model built from it.
    """
    terms = []
    for found in regularizers_in(graph):
        if isinstance(found.regularizer, ActivityL1L2 | ActivityOrthogonal):
            terms += _activity_terms(found, found.regularizer)
        elif paths := variable_paths(found, model):
            terms += _weight_terms(found, found.regularizer, paths)
    return terms


def regularizers_in(graph: Graph) -> Iterator[Regularized]:
    """Every regularizer in the graph, in the order of its nodes; also those of wrapped layers."""
    for node in graph.nodes:
        yield from _regularizers_of(node, node.layer, node.pointer)


def _regularizers_of(node: Node, layer: Layer, pointer: str) -> Iterator[Regularized]:
    if isinstance(layer, ActivityRegularization):
        regularizer = ActivityL1L2(l1=layer.l1, l2=layer.l2, reduction=layer.reduction)
        yield Regularized(node, "activity", regularizer, pointer)
    for field, value in layer:
        if isinstance(value, L1L2 | Orthogonal | ActivityL1L2 | ActivityOrthogonal):
            yield Regularized(node, field.removesuffix("_regularizer"), value, f"{pointer}/{field}")
    for field, inner in layer.wrapped().items():
        yield from _regularizers_of(node, inner, f"{pointer}/{field}")


def variable_paths(found: Regularized, model: keras.Model) -> list[str]:
    """Paths of the trainable variables that a regularizer of weights is about; none without a bias, say."""
    names = VARIABLES.get(found.part, (found.part,))
    variables = model.get_layer(found.node.name).trainable_variables
    return [v.path for v in variables if v.path.rpartition("/")[2] in names]


def _activity_terms(found: Regularized, regularizer: ActivityL1L2 | ActivityOrthogonal) -> list[Term]:
    name = found.node.name

    def reduced(norm: Callable[[tf.Tensor], tf.Tensor]) -> Callable[[Batch], tf.Tensor]:
        def value(batch: Batch) -> tf.Tensor:
            activity = batch.activations[name]
            rows = tf.reshape(activity, (-1, activity.shape[1:].num_elements()))
            total = norm(rows)  # (batch_size, elements) to ()
            if regularizer.reduction == "sum":
                return total
            return total / tf.cast(tf.shape(rows)[0], total.dtype)

        return value

    return [
        Term(
            name=f"{name}_activity_{kind}",
            strength=strength,
            value=reduced(norm),
            pointer=found.pointer,
            layers=(name,),
            extensive=regularizer.reduction == "sum",
        )
        for kind, strength, norm in _norms(regularizer)
    ]


def _weight_terms(found: Regularized, regularizer: L1L2 | Orthogonal, paths: list[str]) -> list[Term]:
    def summed(norm: Callable[[tf.Tensor], tf.Tensor]) -> Callable[[Batch], tf.Tensor]:
        return lambda batch: tf.add_n([norm(batch.weights[path]) for path in paths])

    def without_gradient(value: Callable[[Batch], tf.Tensor]) -> Callable[[Batch], tf.Tensor]:
        return lambda batch: tf.stop_gradient(value(batch))

    proximal = isinstance(regularizer, L1L2) and regularizer.proximal
    return [
        Term(
            name=f"{found.node.name}_{found.part}_{kind}",
            strength=strength,
            value=without_gradient(summed(norm)) if proximal and kind == "l1" else summed(norm),
            pointer=found.pointer,
        )
        for kind, strength, norm in _norms(regularizer)
    ]


def _norms(
    regularizer: L1L2 | Orthogonal | ActivityL1L2 | ActivityOrthogonal,
) -> list[tuple[str, float, Callable[[tf.Tensor], tf.Tensor]]]:
    """Name, strength and formula of each part of a regularizer whose strength isn't zero."""
    if isinstance(regularizer, Orthogonal):
        columns = regularizer.mode == "columns"
        norms = [("orthogonal", regularizer.factor, lambda w: mean_absolute_cosine(w, columns))]
    else:
        norms = [("l1", regularizer.l1, sum_of_absolutes), ("l2", regularizer.l2, sum_of_squares)]
    return [(kind, strength, norm) for kind, strength, norm in norms if strength]


def sum_of_absolutes(values: tf.Tensor) -> tf.Tensor:
    """`Σ|v|`, float32 `()`."""
    return _sum(tf.abs(values))


def sum_of_squares(values: tf.Tensor) -> tf.Tensor:
    """`Σv²`, float32 `()`."""
    return _sum(tf.square(values))


def _sum(values: tf.Tensor) -> tf.Tensor:
    """The sum of all values, as products with ones.

    XLA adds up a whole tensor one number after another on a CPU, which took more time than the rest of a
    dense layer's epoch; products with a vector use the processor's wide instructions.
    """
    rows = tf.reshape(values, (-1, values.shape[-1]))
    sums = tf.linalg.matvec(rows, tf.ones((rows.shape[-1],), rows.dtype))
    return tf.tensordot(sums, tf.ones_like(sums), axes=1)


def mean_absolute_cosine(values: tf.Tensor, columns: bool) -> tf.Tensor:
    """Mean of `|cosine|` between each two rows of a matrix, or columns; 0 if there is only one.

    As Keras's OrthogonalRegularizer with factor 1, and beyond it, values of more than two axes are
    flattened to `(…, last axis)`.

    Args:
        values: float32, two axes or more.
        columns: between columns instead of rows.
    """
    matrix = tf.reshape(values, (-1, values.shape[-1]))
    vectors = tf.math.l2_normalize(tf.transpose(matrix) if columns else matrix, axis=1)
    cosines = tf.linalg.matmul(vectors, vectors, transpose_b=True)
    count = tf.cast(tf.shape(vectors)[0], cosines.dtype)
    between = tf.reduce_sum(tf.abs(tf.linalg.set_diag(cosines, tf.zeros_like(vectors[:, 0]))))
    return tf.math.divide_no_nan(between, count * (count - 1.0))
