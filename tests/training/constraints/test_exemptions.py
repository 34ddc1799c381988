"""Which residuals are exempt: the largest of each row, of equals the first; or the largest of all."""

import numpy as np
import pytest
import tensorflow as tf

from app.training.constraints.exemptions import (
    MOST_COMPARED,
    largest_in_rows,
    threshold_with_at_most,
)
from app.training.constraints.sums import largest, least


@pytest.mark.parametrize("elements", [1, 6, MOST_COMPARED, MOST_COMPARED + 1, 500])
@pytest.mark.parametrize("count", [1, 3, 31, 499, 500])
def test_the_largest_are_those_that_a_stable_sort_puts_first(elements: int, count: int) -> None:
    values = np.random.default_rng(elements).normal(size=(20, elements)).round(1).astype(np.float32)
    values[0] = 0.0
    values[1, ::2] = -0.0  # equal to 0, though its bits aren't
    values[1, 1::2] = 0.0
    expected = np.zeros_like(values)
    np.put_along_axis(expected, np.argsort(-values, axis=1, kind="stable")[:, :count], 1.0, axis=1)

    found = tf.function(largest_in_rows, jit_compile=True)(tf.constant(values), count)
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("digits", [0, 1, 5])  # the fewer, the more of them are equal
@pytest.mark.parametrize("most", [0.0, 1.0, 7.9, 150.0, 599.0, 600.0, 1000.0])
def test_as_many_as_may_be_are_above_the_threshold(digits: int, most: float) -> None:
    values = np.random.default_rng(1).normal(size=(100, 6)).round(digits).astype(np.float32)
    find = tf.function(threshold_with_at_most, jit_compile=True)
    above = values > find(tf.constant(values), tf.constant(most, tf.float64)).numpy()

    assert above.sum() <= most
    if not above.all():
        next_ones = values == values[~above].max()  # equal values are on the same side
        assert above.sum() + next_ones.sum() > most


def test_the_extremes_of_a_matrix() -> None:
    values = np.random.default_rng(2).normal(size=(100, 6)).astype(np.float32)
    for matrix in (values, -np.abs(values)):
        assert tf.function(largest, jit_compile=True)(matrix) == matrix.max()
        assert tf.function(least, jit_compile=True)(matrix) == matrix.min()
