"""Whether training can move the weights at all, told before the first step.

A count, an `argmax` or a comparison has no gradient, or one that is zero everywhere. A total made of nothing
else would train to the last epoch without moving a weight.
"""

from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf

from app.errors import LossNotDifferentiable
from app.training.terms import Batch, Term

NUDGE = 0.1
"""Standard deviation of the noise on the weights for the second look."""

NUDGE_SEED = 7

SURROGATE = "a smooth form, such as sigmoid(10 * (y_pred - 0.5)) where y_pred > 0.5 is meant"
"""What to use instead where the term doesn't say."""

Gradient = list[tf.Tensor | None]
"""With respect to each weight; None where no path of derivatives leads to it."""


def check_differentiable(
    terms: Sequence[Term], forward: Callable[[list[tf.Tensor]], Batch], weights: Sequence[tf.Tensor]
) -> None:
    """Raises if no weight can be moved by the total, or if a term that names a surrogate needs it.

    A gradient may be zero by chance, at a minimum or where every unit is dead; so a zero is looked at once
    more, with noise on the weights.

    Args:
        terms: the terms of the total; those of strength 0 don't count.
        forward: the batch that these trainable weights give, by operations that have gradients.
        weights: the trainable weights, float32, in the order that `forward` takes them.

    Raises:
        LossNotDifferentiable: names the term to blame, points to it, and says what to use instead.
    """
    if not weights:
        raise LossNotDifferentiable("Expected a weight to train; the model has none.", "/model")
    counting = [term for term in terms if term.strength]
    gradients = _gradients(counting, forward, weights)
    for term, gradient in zip(counting, gradients, strict=True):
        if term.surrogate is not None and all(g is None for g in gradient):
            raise _not_differentiable(term, "has none")
    if _moves(counting, gradients):
        return
    nudged = [
        w + NUDGE * tf.random.stateless_normal(w.shape, (NUDGE_SEED, index))
        for index, w in enumerate(weights)
    ]
    if not _moves(counting, _gradients(counting, forward, nudged)):
        to_blame = next((term for term in counting if term.surrogate is not None), [*counting, *terms][0])
        raise _not_differentiable(to_blame, "has one that is zero everywhere")


def _gradients(
    terms: Sequence[Term], forward: Callable[[list[tf.Tensor]], Batch], weights: Sequence[tf.Tensor]
) -> list[Gradient]:
    """The gradient of each term with respect to the weights."""
    weights = list(weights)
    with tf.GradientTape(persistent=True, watch_accessed_variables=False) as tape:
        tape.watch(weights)
        batch = forward(weights)
        values = [term.value(batch) for term in terms]
    return [[_dense(g) for g in tape.gradient(value, weights)] for value in values]


def _dense(gradient: Any) -> tf.Tensor | None:
    """A gradient as a tensor; that of an embedding comes as the rows that were looked up."""
    return None if gradient is None else tf.convert_to_tensor(gradient)


def _moves(terms: Sequence[Term], gradients: Sequence[Gradient]) -> bool:
    """Whether the gradient of `Σ strength·value` isn't zero for some weight."""
    for by_term in zip(*gradients, strict=True):
        parts = [term.strength * g for term, g in zip(terms, by_term, strict=True) if g is not None]
        if parts and bool(tf.reduce_any(tf.add_n(parts) != 0)):
            return True
    return False


def _not_differentiable(term: Term, gradient: str) -> LossNotDifferentiable:
    return LossNotDifferentiable(
        f"Expected a gradient with respect to the weights; {term.name} {gradient}. "
        f"Use {term.surrogate or SURROGATE} instead.",
        term.pointer,
    )
