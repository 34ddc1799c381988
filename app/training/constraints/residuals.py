"""Residuals that gradients flow through: a limit holds when all of them that count are at most 0."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import tensorflow as tf

from app.spec.constraints import Constraint, OverQuantile
from app.training.constraints.sums import count_true
from app.training.terms import Batch

ROUNDING = 1e-9
"""A share times a number of samples may be this far below the integer that is meant."""

Matrix = Callable[[Batch], tf.Tensor]
"""From a batch to `(batch_size, units)`."""

Allowance = Callable[[tf.Tensor, tf.Tensor], tf.Tensor]
"""How many residuals of all samples may be positive, float64 `()`, from the values of all,
`(samples, units)`, and which of them the limit is about, bool of that shape."""


@dataclass(frozen=True)
class Residuals:
    """Residuals of one kind.

    Attributes:
        value: with gradient, `(batch_size, units)`; at most 0 where the limit holds.
        counted: which of them the limit is about, bool of that shape; None for all.
        may_break_in_row: how many of a sample's may be positive.
        must_hold_in_row: how many of a sample's must not be, in place of that; None if that counts.
        share_in_row: the share of a sample's that may be positive, in place of both.
        may_break: how many of all samples' may be; None for none.
        gradual: whether more of them may be at first, as what is left must learn to do without the others.
        takes_turns: whether those near their limit break it by turns, so that a weight must rise slowly.
        rows_that_may_break: samples all of whose residuals may be.
        equality: whether they must be 0.
        aggregate: whether their mean over the samples is meant, and not each of them.
        truth: where `value` only stands for it, what is truly meant, `(batch_size, units)`.
    """

    value: Matrix
    counted: Matrix | None = None
    may_break_in_row: int = 0
    must_hold_in_row: int | None = None
    share_in_row: float | None = None
    may_break: Allowance | None = None
    gradual: bool = False
    takes_turns: bool = False
    rows_that_may_break: int = 0
    equality: bool = False
    aggregate: bool = False
    truth: Matrix | None = None

    def breaking_in_row(self, units: int) -> int:
        """How many of the `units` residuals of a sample may be positive."""
        if self.share_in_row is not None:
            return math.floor(self.share_in_row * units + ROUNDING)
        if self.must_hold_in_row is not None:
            return max(units - self.must_hold_in_row, 0)
        return self.may_break_in_row


def exempt_rows(constraint: Constraint, samples: int) -> int:
    """How many samples needn't hold a limit over a quantile."""
    if not isinstance(constraint.over, OverQuantile):
        return 0
    return samples - math.ceil(constraint.over.quantile * samples - ROUNDING)


def at_most_share(share: float) -> Allowance:
    """This share of those that the limit is about."""
    return lambda _, about: tf.math.floor(share * count_true(about) + ROUNDING)


def all_but(share: float) -> Allowance:
    """All that the limit is about, but this share of them."""
    return lambda _, about: count_true(about) - tf.math.ceil(share * count_true(about) - ROUNDING)


def negative(matrix: Matrix) -> Matrix:
    """The same with the other sign."""
    return lambda batch: -matrix(batch)
