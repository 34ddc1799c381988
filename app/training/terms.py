"""The terms of the total that a run minimises.

The total is Σ strengthᵢ·valueᵢ over losses, penalties and regularizers. A term is built once for each
compiled program; its strength is an argument of that program, so runs that differ only in strengths
share one compilation.
"""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

import tensorflow as tf


@dataclass(frozen=True)
class Batch:
    """What a term may look at: one mini-batch and what the model made of it.

    Attributes:
        y_true: targets by output name, each `(batch_size, …)`.
        y_pred: predictions by output name, each `(batch_size, …)`.
        activations: outputs of the layers named in `Term.layers`, by layer name.
        weights: the model's variables by path, such as `dense/kernel`.
        sample_weight: `(batch_size,)`, class weights multiplied in; None where all count the same.
        columns: further columns of the dataset by name, each `(batch_size, …)`.
        seed: int32 `(2,)`, different at each step; for stateless random operations.
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
        name: under which it is recorded, such as `binary_crossentropy` or `dense_l1`.
        strength: its weight in the total.
        value: from a batch to the unweighted value, a float32 scalar with a gradient.
        pointer: JSON Pointer to the part of the document that it comes from.
        layers: layers whose activations it needs.
        surrogate: what to use instead, should it turn out to have no gradient.
    """

    name: str
    strength: float
    value: Callable[[Batch], tf.Tensor]
    pointer: str
    layers: tuple[str, ...] = ()
    surrogate: str | None = None


def unique_names(terms: Iterable[Term]) -> list[Term]:
    """The same terms in the same order; a name that was taken gets `_1`, `_2`, … as Keras does."""
    taken: set[str] = set()
    repeats: Counter[str] = Counter()
    named = []
    for term in terms:
        name = term.name
        while name in taken:
            repeats[term.name] += 1
            name = f"{term.name}_{repeats[term.name]}"
        taken.add(name)
        named.append(term if name == term.name else replace(term, name=name))
    return named
