"""Penalties as terms of the total.

value = reduction over the batch of the elements' values;   share of the total = weight · value
"""

from collections.abc import Sequence

import tensorflow as tf

from app.spec.graph import Graph
from app.spec.penalties import ElementsAbovePenalty, ExpressionPenalty, Penalty, Reduction
from app.spec.quantities import WeightsOf
from app.training.elements import distance_above, element_values, flat_rows, measured_tensors
from app.training.policy_gradient import count_with_policy_gradient
from app.training.surrogates import hinge_count, sigmoid_count, top_k_excess
from app.training.terms import Batch, Term

SMOOTH = "a smooth form, such as sigmoid(10 * (y_pred - 0.5)) for y_pred > 0.5, or the penalty elements_above"
"""What to use instead of an expression without gradient."""


def build_penalty_terms(penalties: Sequence[Penalty], graph: Graph) -> list[Term]:
    """A term for each penalty, named as its type and in the order of the document.

    Args:
        penalties: as the document has them; what their `of` names is in the graph.
        graph: the resolved model.
    """
    return [_term(penalty, graph, index) for index, penalty in enumerate(penalties)]


def _term(penalty: Penalty, graph: Graph, index: int) -> Term:
    of = measured(penalty.of, graph)

    def value(batch: Batch) -> tf.Tensor:
        if isinstance(penalty, ElementsAbovePenalty):
            values = count_values(penalty, of, batch, index)
        else:
            values = element_values(penalty, of, batch)
        return reduced(values, penalty.reduction)

    return Term(
        name=penalty.type,
        strength=penalty.weight,
        value=value,
        pointer=f"/penalties/{index}",
        layers=layers_of(of, graph),
        surrogate=SMOOTH if isinstance(penalty, ExpressionPenalty) else None,
        extensive=penalty.reduction == "sum" and not isinstance(of, WeightsOf),
    )


def measured(of: str | WeightsOf | None, graph: Graph) -> str | WeightsOf:
    """What `of` stands for: by default the model's only output."""
    if of is not None:
        return of
    (output,) = graph.outputs
    return output


def layers_of(of: str | WeightsOf, graph: Graph) -> tuple[str, ...]:
    """The layers whose activations are needed to measure `of`."""
    return () if isinstance(of, WeightsOf) or of in graph.outputs else (of,)


def count_values(penalty: ElementsAbovePenalty, of: str | WeightsOf, batch: Batch, stream: int) -> tf.Tensor:
    """Each element's share of the count, with the gradient that the penalty asks for.

    Args:
        penalty: as the document has it.
        of: what it measures.
        batch: holds the elements.
        stream: keeps the random numbers of several penalties apart.

    Returns:
        float32 `(batch_size, elements)`.
    """
    rows = flat_rows(measured_tensors(of, batch), on_weights=False)
    distance = distance_above(rows, penalty.threshold, batch.columns)
    if penalty.method == "policy_gradient":
        seed = tf.random.experimental.stateless_fold_in(batch.seed, stream)
        return count_with_policy_gradient(distance, penalty.stddev, penalty.samples, seed)
    if penalty.surrogate == "top_k_excess":
        assert penalty.k is not None
        return top_k_excess(distance, penalty.k)
    surrogate = sigmoid_count if penalty.surrogate == "sigmoid" else hinge_count
    return surrogate(distance, penalty.slope)


def reduced(values: tf.Tensor, reduction: Reduction) -> tf.Tensor:
    """One number of the elements' values.

    Args:
        values: float32 `(rows, elements)`.
        reduction: `sum` and `mean` over all elements, `per_sample` the mean over rows of each row's sum.
    """
    if reduction == "sum":
        return tf.reduce_sum(values)
    if reduction == "mean":
        return tf.reduce_mean(values)
    return tf.reduce_mean(tf.reduce_sum(values, axis=1))
