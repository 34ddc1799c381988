"""The soft threshold, and what it makes of gradient descent."""

import numpy as np
import pytest
import tensorflow as tf
from sklearn.linear_model import ElasticNet

from app.training.proximal import soft_threshold


def test_soft_threshold_moves_towards_zero_and_stops_there():
    weight = tf.constant([[-3.0, -0.5, -0.2, 0.0], [0.2, 0.4, 0.5, 2.0]])
    expected = [[-2.6, -0.1, 0.0, 0.0], [0.0, 0.0, 0.1, 1.6]]
    for jit in (False, True):
        moved = tf.function(soft_threshold, jit_compile=jit)(weight, tf.constant(0.4))
        np.testing.assert_allclose(moved, expected, atol=1e-6)


def test_soft_threshold_minimises_its_definition():
    candidates = np.linspace(-2, 2, 4001)
    for w in (-1.3, -0.2, 0.05, 0.7):
        objective = 0.5 * (candidates - w) ** 2 + 0.3 * np.abs(candidates)
        best = candidates[objective.argmin()]
        assert float(soft_threshold(tf.constant(w), tf.constant(0.3))) == pytest.approx(best, abs=1e-3)


def test_gradient_descent_with_it_is_the_elastic_net():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(60, 8))
    y = x @ np.array([2, 0, 0, -1, 0, 0.5, 0, 0]) + 0.1 * rng.normal(size=60)
    alpha, l1_ratio = 0.1, 0.7
    exact = ElasticNet(alpha=alpha, l1_ratio=l1_ratio, fit_intercept=False, tol=1e-10).fit(x, y).coef_
    # scikit-learn halves the mean squared error.
    l1, l2, rate = 2 * alpha * l1_ratio, alpha * (1 - l1_ratio), 0.1
    w = tf.zeros(8)
    for _ in range(400):
        gradient = 2 / 60 * x.T @ (x @ w.numpy() - y) + 2 * l2 * w.numpy()
        w = soft_threshold(w - rate * tf.constant(gradient, tf.float32), tf.constant(rate * l1))
    np.testing.assert_allclose(w, exact, atol=1e-4)
    np.testing.assert_array_equal(w.numpy() == 0, exact == 0)
    assert 0 < (exact == 0).sum() < 8
