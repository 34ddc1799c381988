"""Quantities of predictions in NumPy, against those that training counts with TensorFlow."""

from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from app.predictions.limits import quantity_values
from app.spec.constraints import Constraint
from app.spec.parsing import parse
from app.spec.rates import Rate
from app.training.quantities import rate_counts, rate_of_counts, sample_values
from app.training.terms import Batch

PREDICTIONS = (
    np.random.default_rng(3).uniform(-0.2, 1.2, size=(6, 3, 2)).astype(np.float32).astype(np.float64)
)

QUANTITIES: list[dict[str, Any]] = [
    {"type": "elements_above", "threshold": 0.4},
    {"type": "elements_above", "threshold": [0.1, 0.2, 0.3, 0.4, 0.5, 0.6]},
    {"type": "elements_above", "threshold": {"quantile": 0.8}},
    {"type": "excess_above", "threshold": {"mean_plus_std": 0.5}},
    {"type": "excess_above", "norm": "l2"},
    {"type": "shortfall_below", "threshold": 0.3, "norm": "l2"},
    {"type": "bounds", "lower": 0.1, "upper": 0.9},
    {"type": "bounds", "upper": [0.1, 0.2, 0.3, 0.4, 0.5, 0.6], "norm": "l2"},
    {"type": "linear", "coefficients": [1, -2, 3, 0.5, 0, 1]},
    {"type": "sum_to", "value": 2, "norm": "l2"},
    {"type": "norm", "norm": "l1"},
    {"type": "norm", "norm": "l2"},
    {"type": "total_variation"},
    {"type": "entropy"},
    {"type": "orthogonality"},
    {"type": "positive_rate", "threshold": 0.4},
    {"type": "positive_rate", "class_index": 1},
]


@pytest.mark.parametrize("quantity", QUANTITIES, ids=lambda quantity: quantity["type"])
def test_a_quantity_is_that_of_training(quantity: dict[str, Any]) -> None:
    parsed = parse(Constraint, {"quantity": quantity, "at_most": 0.5}).quantity
    batch = Batch(
        y_true={"out": tf.zeros((6, 3, 1), tf.int32) if "class_index" in quantity else tf.zeros((6, 3, 2))},
        y_pred={"out": tf.constant(PREDICTIONS)},
        activations={},
        weights={},
        sample_weight=None,
        columns={},
        seed=tf.constant([0, 0]),
    )
    if isinstance(parsed, Rate):
        expected = rate_of_counts(parsed, rate_counts(parsed, "out", batch)).numpy()
    else:
        expected = sample_values(parsed, "out", batch).numpy()
    values = quantity_values(parsed, PREDICTIONS)
    assert values is not None
    assert values.shape == (6,)
    if isinstance(parsed, Rate):
        values = values.mean()
    np.testing.assert_allclose(values, expected, rtol=1e-12)


@pytest.mark.parametrize(
    "quantity",
    [
        {"type": "recall"},
        {"type": "positive_rate", "where": "a"},
        {"type": "elements_above", "threshold": {"column": "c"}},
        {"type": "bounds", "lower": 0, "upper": {"column": "c"}},
        {"type": "expression", "expression": "y_pred - y_true"},
        {"type": "weight_sparsity", "of": "dense"},
        {"type": "activation_sparsity", "of": "dense"},
    ],
    ids=lambda quantity: quantity["type"],
)
def test_what_predictions_alone_do_not_tell(quantity: dict[str, Any]) -> None:
    parsed = parse(Constraint, {"quantity": quantity, "at_most": 0.5}).quantity
    assert quantity_values(parsed, PREDICTIONS) is None
