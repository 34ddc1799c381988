"""What a part of the total may look at, and what it is.

Training minimises `Σᵢ strengthᵢ · valueᵢ`. A term is made once for a compiled program; its strength is an
argument of that program. Values are float32 scalars that work with and without XLA.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace

import tensorflow as tf

from app.spec.names import distinct


@dataclass(frozen=True)
class Batch:
    """One batch, after the model's forward pass.

    Attributes:
        y_true: targets by output name, `(batch_size, …)`.
        y_pred: predictions by output name, `(batch_size, …)`.
        activations: outputs of the layers that some term asked for, by layer name.
        weights: the model's trainable variables by path, such as `dense/kernel`.
        sample_weight: `(batch_size,)`, class weights multiplied in; None where every sample counts alike.
        columns: further columns of the dataset by name, `(batch_size, …)`.
        seed: int32 `(2,)`, another at each step, for stateless random operations.
    """

    y_true: dict[str, tf.Tensor]
    y_pred: dict[str, tf.Tensor]
    activations: dict[str, tf.Tensor]
    weights: dict[str, tf.Tensor]
    sample_weight: tf.Tensor | None
    columns: dict[str, tf.Tensor]
    seed: tf.Tensor


@dataclass(frozen=True)
class Term:
    """One part of the total.

    Attributes:
        name: the column of the history it is recorded under, as strength · value.
        strength: its weight in the total.
        value: the unweighted scalar, float32 `()`, with gradient.
        pointer: JSON Pointer to the part of the document it comes from.
        layers: the layers whose activations it needs.
        surrogate: what to use instead, in words, where the term turns out to have no gradient.
        extensive: whether the value grows with the number of samples in the batch (a sum over them).
    """

    name: str
    strength: float
    value: Callable[[Batch], tf.Tensor]
    pointer: str
    layers: tuple[str, ...] = ()
    surrogate: str | None = None
    extensive: bool = False


def unique_names(terms: Sequence[Term], taken: Collection[str] = ()) -> list[Term]:
    """The terms with `_1`, `_2`, … behind the names that came before, or are `taken` by other columns."""
    names = distinct([term.name for term in terms], taken)
    return [replace(term, name=name) for term, name in zip(terms, names, strict=True)]
