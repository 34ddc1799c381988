import numpy as np
import pytest

from app.statistics import weight_sparsity

WEIGHTS = {
    "dense/kernel": np.array([[0.0, 0.0], [3.0, 0.0], [0.0005, -4.0]], dtype=np.float32),
    "dense/bias": np.array([0.0, 1.0], dtype=np.float32),
    "batch_normalization/gamma": np.array([1.0, 0.0]),
    "batch_normalization/beta": np.array([0.0, 0.0]),
}


def test_a_layer_is_covered_by_its_kernels() -> None:
    dense = weight_sparsity(WEIGHTS, 0.001)["dense"]
    assert dense["zero_fraction"] == pytest.approx(3 / 6)
    assert dense["near_zero_fraction"] == pytest.approx(4 / 6)
    assert dense["l1_norm"] == pytest.approx(7.0005)
    assert dense["l2_norm"] == pytest.approx(5.0, rel=1e-6)
    assert dense["unused_input_features"] == [0]


def test_each_variable_stands_for_itself_too() -> None:
    variables = weight_sparsity(WEIGHTS, 0.001)["dense"]["variables"]
    assert variables["bias"] == {
        "zero_fraction": 0.5,
        "near_zero_fraction": 0.5,
        "l1_norm": 1.0,
        "l2_norm": 1.0,
    }
    assert list(variables) == ["kernel", "bias"]


def test_a_layer_without_kernel_is_covered_by_all_its_variables() -> None:
    layer = weight_sparsity(WEIGHTS, 0.001)["batch_normalization"]
    assert layer["zero_fraction"] == 0.75
    assert "unused_input_features" not in layer


def test_a_recurrent_layer_uses_a_feature_if_one_direction_does() -> None:
    forward, backward = np.ones((3, 4)), np.ones((3, 4))
    forward[[0, 1]] = 0
    backward[[0, 2]] = 0
    weights = {
        "bidirectional/forward_lstm/lstm_cell/kernel": forward,
        "bidirectional/forward_lstm/lstm_cell/recurrent_kernel": np.zeros((1, 4)),
        "bidirectional/backward_lstm/lstm_cell/kernel": backward,
    }
    layer = weight_sparsity(weights, 0.001)["bidirectional"]
    assert layer["unused_input_features"] == [0]
    assert layer["zero_fraction"] == pytest.approx((8 + 8 + 4) / 28)


def test_figures_of_weights_that_are_not_finite_are_none() -> None:
    layer = weight_sparsity({"dense/kernel": np.array([[np.nan, 0.0]])}, 0.001)["dense"]
    assert [layer[name] for name in ("zero_fraction", "near_zero_fraction", "l1_norm", "l2_norm")] == [
        None
    ] * 4
