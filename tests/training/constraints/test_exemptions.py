"""Which residuals are exempt: the largest of each row, of equals the first."""

import numpy as np
import pytest
import tensorflow as tf

from app.training.constraints.exemptions import MOST_COMPARED, largest_in_rows


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
