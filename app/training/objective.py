"""The total that training minimises, as the sum of its terms.

    total = Σᵢ strengthᵢ · valueᵢ

The strengths are arguments of the compiled program, so that runs which differ in nothing else share one
compilation.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import tensorflow as tf

from app.training.proximal import soft_threshold
from app.training.terms import Batch, Term


class Evaluation(NamedTuple):
    """What the objective is on one batch.

    Attributes:
        total: float32 `()`, with gradient.
        parts: float32 `(terms,)`, each term's share of the total.
    """

    total: tf.Tensor
    parts: tf.Tensor


class Objective:
    """What is minimised.

    Args:
        terms: the terms of the total, in the order of their columns in the history.
        proximal: the l1 strength of each variable that is soft-thresholded after a step, by its path.
    """

    def __init__(self, terms: Sequence[Term], proximal: Mapping[str, float]) -> None:
        self.terms = tuple(terms)
        self.proximal = dict(proximal)

    @property
    def names(self) -> tuple[str, ...]:
        """The terms' names."""
        return tuple(term.name for term in self.terms)

    @property
    def layers(self) -> tuple[str, ...]:
        """The layers whose activations some term looks at, each once."""
        return tuple(dict.fromkeys(layer for term in self.terms for layer in term.layers))

    @property
    def strengths(self) -> list[float]:
        """The strengths, first the terms', then the proximal ones: the argument of the compiled program."""
        return [*(term.strength for term in self.terms), *self.proximal.values()]

    def evaluate(self, batch: Batch, strengths: tf.Tensor, extensive_scale: float = 1.0) -> Evaluation:
        """The total and its parts on one batch.

        Args:
            batch: what the terms look at.
            strengths: float32, as `strengths` gives them.
            extensive_scale: factor for the terms that grow with the number of samples in the batch;
                an evaluation over other batches than training's uses it to stay comparable.
        """
        parts = [
            strengths[i] * term.value(batch) * (extensive_scale if term.extensive else 1.0)
            for i, term in enumerate(self.terms)
        ]
        return Evaluation(tf.add_n(parts), tf.stack(parts))

    def proximal_step(
        self, weights: Mapping[str, tf.Tensor], strengths: tf.Tensor, learning_rate: tf.Tensor
    ) -> list[tf.Tensor]:
        """The weights after the soft threshold `learning_rate · l1`, in their order."""
        amounts = dict(zip(self.proximal, tf.unstack(strengths[len(self.terms) :]), strict=True))
        return [
            soft_threshold(weight, learning_rate * amounts[path]) if path in amounts else weight
            for path, weight in weights.items()
        ]
