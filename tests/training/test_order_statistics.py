"""The k-th largest against NumPy's sort."""

import numpy as np
import pytest
import tensorflow as tf

from app.training.order_statistics import kth_largest

RNG = np.random.default_rng(6)
ROWS = {
    "both signs": RNG.normal(size=(20, 37)),
    "negative": -RNG.exponential(size=(5, 8)),
    "tiny and huge": RNG.choice([-1, 1], (6, 30)) * 10.0 ** RNG.uniform(-37, 38, (6, 30)),
    "ties": RNG.integers(-2, 3, (10, 12)),
    "zeros of both signs": np.array([[0.0, -0.0, 0.0, -1.0]]),
    "infinite": np.array([[np.inf, 1.0, -np.inf, np.inf]]),
    "one element": np.array([[3.0], [-4.0]]),
}


@pytest.mark.parametrize("kind", ROWS)
def test_it_is_the_one_that_sorting_gives(kind):
    rows = ROWS[kind].astype(np.float32)
    n = rows.shape[1]
    for k in {1, 2, n // 2, n - 1, n} & set(range(1, n + 1)):
        expected = np.sort(rows, axis=1)[:, n - k, None]
        for dtype in (tf.float32, tf.float64):
            found = kth_largest(tf.cast(tf.constant(rows), dtype), k)
            assert found.dtype == dtype
            np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("jit", [False, True])
def test_compiled_it_is_the_same_and_has_no_gradient(jit):
    rows = tf.constant(ROWS["both signs"], tf.float32)

    def value_and_gradient(rows):
        with tf.GradientTape() as tape:
            tape.watch(rows)
            value = tf.reduce_sum(rows * kth_largest(rows, 5))
        return kth_largest(rows, 5), tape.gradient(value, rows)

    value, gradient = tf.function(value_and_gradient, jit_compile=jit, autograph=False)(rows)
    np.testing.assert_array_equal(value, np.sort(rows, axis=1)[:, -5, None])
    np.testing.assert_array_equal(gradient, np.broadcast_to(value, rows.shape))
