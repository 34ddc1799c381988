"""Quantiles of rows against NumPy's."""

import numpy as np
import pytest
import tensorflow as tf

from app.training.thresholds import quantile, threshold_values


@pytest.mark.parametrize("q", [0.0, 0.1, 0.5, 0.77, 1.0])
@pytest.mark.parametrize("n", [1, 2, 3, 10])
def test_quantile_is_numpys(n, q):
    rows = np.random.default_rng(n).normal(size=(6, n)).astype(np.float32)
    expected = np.quantile(rows, q, axis=1)[:, None]
    for jit in (False, True):
        found = tf.function(lambda x: quantile(x, q), jit_compile=jit, autograph=False)(tf.constant(rows))
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


def test_a_number_is_compared_as_float32_in_any_precision():
    """A prediction of 0.1, which float32 stores as slightly more, isn't above a threshold of 0.1."""
    for dtype in (tf.float32, tf.float64):
        prediction = tf.cast(tf.constant([[0.1]], tf.float32), dtype)
        assert not bool(prediction > threshold_values(0.1, prediction, {}))
