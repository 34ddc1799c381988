"""The soft threshold, and what it makes of gradient descent."""

import numpy as np
import pytest
import tensorflow as tf
from sklearn.linear_model import ElasticNet

from app.training.proximal import soft_threshold
from tests.support.training import Recorder, fit


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


RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 8))
Y = X @ np.array([2, 0, 0, -1, 0, 0.5, 0, 0]) + 0.1 * RNG.normal(size=60)
ALPHA, L1_RATIO = 0.1, 0.7
# scikit-learn halves the mean squared error.
ELASTIC = {"l1": 2 * ALPHA * L1_RATIO, "l2": ALPHA * (1 - L1_RATIO)}


def fitted_linear_model(regularizer: dict, optimizer: dict) -> tuple[np.ndarray, Recorder]:
    layer = {"type": "Dense", "units": 1, "use_bias": False, "kernel_regularizer": regularizer}
    fitted, recorder = fit(
        {
            "dataset": {"inline": {"x": X.tolist(), "y": Y.tolist()}},
            "model": {"layers": [layer]},
            "loss": "mean_squared_error",
            "optimizer": optimizer,
            "fit": {"epochs": 500, "batch_size": 60},
        }
    )
    return fitted.model.get_weights()[0][:, 0], recorder


def test_a_run_with_plain_sgd_is_the_elastic_net():
    net = ElasticNet(alpha=ALPHA, l1_ratio=L1_RATIO, fit_intercept=False, tol=1e-10).fit(X, Y)
    weights, recorder = fitted_linear_model(
        {**ELASTIC, "proximal": True}, {"type": "SGD", "learning_rate": 0.1}
    )
    np.testing.assert_allclose(weights, net.coef_, atol=1e-5)
    np.testing.assert_array_equal(weights == 0, net.coef_ == 0)
    assert 0 < (weights == 0).sum() < 8
    # The l1 part is recorded, though no gradient flows through it.
    recorded = recorder.series("dense_kernel_l1")[-1]
    assert recorded == pytest.approx(ELASTIC["l1"] * np.abs(net.coef_).sum(), rel=1e-4)


def test_only_the_soft_threshold_makes_true_zeros_with_adam():
    adam = {"type": "Adam", "learning_rate": 0.02}
    proximal, _ = fitted_linear_model({**ELASTIC, "proximal": True}, adam)
    by_gradient, _ = fitted_linear_model(ELASTIC, adam)
    assert (proximal == 0).sum() >= 1
    assert (by_gradient == 0).sum() == 0
