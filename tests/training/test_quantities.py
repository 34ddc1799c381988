"""True quantities against independent NumPy and scikit-learn counts."""

import numpy as np
import pytest
import tensorflow as tf
from sklearn import metrics

from app.spec.base import SpecModel
from app.spec.constraints import Quantity
from app.spec.parsing import parse
from app.spec.quantities import WeightsOf
from app.training.quantities import group_columns, rate_counts, rate_of_counts, sample_values
from app.training.terms import Batch


class Measured(SpecModel):
    quantity: Quantity


def read(quantity: dict) -> Quantity:
    return parse(Measured, {"quantity": quantity}).quantity


RNG = np.random.default_rng(5)
SAMPLES = 40
Y = RNG.uniform(size=(SAMPLES, 6)).astype(np.float32)
ACTIVATIONS = np.maximum(RNG.normal(size=(SAMPLES, 2, 5)), 0).astype(np.float32)
KERNEL = RNG.normal(size=(5, 6)).astype(np.float32) * (RNG.uniform(size=(5, 6)) < 0.4)
GROUPS = RNG.choice(["a", "b", "c"], SAMPLES)


def batch_of(y_pred=Y, y_true=None, dtype=tf.float64, columns=()) -> Batch:
    return Batch(
        y_true={} if y_true is None else {"y": tf.constant(y_true, tf.float32)},
        y_pred={"y": tf.cast(tf.constant(y_pred), dtype)},
        activations={"hidden": tf.cast(tf.constant(ACTIVATIONS), dtype)},
        weights={"out/kernel": tf.cast(tf.constant(KERNEL), dtype), "out/bias": tf.zeros(6, dtype)},
        sample_weight=None,
        columns={name: tf.constant(array) for name, array in dict(columns).items()},
        seed=tf.constant([0, 0]),
    )


def values_of(quantity: dict, of="y", **batch) -> np.ndarray:
    """In float64 as for a verdict; in the compiled loop's float32 they are the same but for rounding."""
    measured = read(quantity)
    values = sample_values(measured, of, batch_of(**batch)).numpy()
    for jit in (False, True):
        compiled = tf.function(
            lambda: sample_values(measured, of, batch_of(**batch, dtype=tf.float32)),
            jit_compile=jit,
            autograph=False,
        )
        np.testing.assert_allclose(compiled(), values, rtol=1e-5, atol=1e-6)
    return values


Y64 = Y.astype(np.float64)
COEFFICIENTS = np.array([1, -2, 3, 0, 0.5, 1])


@pytest.mark.parametrize(
    ("quantity", "expected"),
    [
        ({"type": "elements_above", "threshold": 0.4}, np.greater(Y, np.float32(0.4)).sum(axis=1)),
        (
            {"type": "elements_above", "threshold": {"quantile": 0.6}},
            np.greater(Y, np.quantile(Y, 0.6, axis=1)[:, None]).sum(axis=1),
        ),
        ({"type": "excess_above", "norm": "l2"}, (np.maximum(Y64 - 0.5, 0) ** 2).sum(axis=1)),
        ({"type": "shortfall_below"}, np.maximum(0.5 - Y64, 0).sum(axis=1)),
        (
            {"type": "bounds", "lower": 0.25, "upper": 0.75},
            (np.maximum(0.25 - Y64, 0) + np.maximum(Y64 - 0.75, 0)).sum(axis=1),
        ),
        ({"type": "linear", "coefficients": COEFFICIENTS.tolist()}, Y64 @ COEFFICIENTS),
        ({"type": "sum_to", "value": 2, "norm": "l2"}, (Y64.sum(axis=1) - 2) ** 2),
        ({"type": "norm"}, Y64.sum(axis=1)),
        ({"type": "total_variation"}, np.abs(np.diff(Y64, axis=1)).sum(axis=1)),
        ({"type": "entropy"}, -(Y64 * np.log(Y64)).sum(axis=1)),
        ({"type": "expression", "expression": "sum(y_pred > 0.5, axis=-1)"}, (Y > 0.5).sum(axis=1)),
    ],
)
def test_the_value_of_each_sample(quantity, expected):
    np.testing.assert_allclose(values_of(quantity), expected, rtol=1e-6)


def test_above_is_strictly_greater():
    y = np.array([[0.5, 0.1, 0.7], [0.5, 0.50001, 0.4]], np.float32)
    np.testing.assert_array_equal(values_of({"type": "elements_above"}, y_pred=y), [1, 1])
    np.testing.assert_array_equal(values_of({"type": "elements_above", "threshold": 0.1}, y_pred=y), [2, 3])


def test_activation_sparsity_is_the_share_of_exact_zeros():
    values = values_of({"type": "activation_sparsity", "of": "hidden"}, of="hidden")
    np.testing.assert_allclose(values, (ACTIVATIONS == 0).mean(axis=(1, 2)))


def test_weight_sparsity_is_that_of_the_kernel():
    values = values_of({"type": "weight_sparsity", "of": "out"}, of="out")
    np.testing.assert_allclose(values, [(KERNEL == 0).mean()])


def test_a_norm_of_weights_has_one_value():
    of = WeightsOf(weights="out")
    values = values_of({"type": "norm", "norm": "l2", "of": {"weights": "out"}}, of=of)
    np.testing.assert_allclose(values, [np.square(KERNEL, dtype=np.float64).sum()])


TRUE = RNG.integers(0, 2, (SAMPLES, 1))
SCORES = np.clip(0.3 * TRUE + RNG.uniform(size=(SAMPLES, 1)) * 0.7, 0, 1).astype(np.float32)
SKLEARN = {
    "recall": lambda t, p: metrics.recall_score(t, p),
    "precision": lambda t, p: metrics.precision_score(t, p),
    "false_positive_rate": lambda t, p: 1 - metrics.recall_score(t, p, pos_label=0),
    "false_negative_rate": lambda t, p: 1 - metrics.recall_score(t, p),
    "positive_rate": lambda t, p: p.mean(),
    "accuracy": lambda t, p: metrics.accuracy_score(t, p),
}


def rate_of(quantity: dict, y_pred, y_true, groups=GROUPS, parts: int = 1) -> float:
    """The rate, from the counts of a few batches added up."""
    rate = read(quantity)
    columns = group_columns([rate], groups)
    rows = np.array_split(np.arange(len(y_pred)), parts)
    counts = tf.add_n(
        [
            rate_counts(
                rate, "y", batch_of(y_pred[r], y_true[r], columns={n: c[r] for n, c in columns.items()})
            )
            for r in rows
        ]
    )
    return float(rate_of_counts(rate, counts))


@pytest.mark.parametrize("parts", [1, 3])
@pytest.mark.parametrize("kind", SKLEARN)
def test_rates_are_scikit_learns(kind, parts):
    expected = SKLEARN[kind](TRUE[:, 0], SCORES[:, 0] > 0.45)
    assert rate_of({"type": kind, "threshold": 0.45}, SCORES, TRUE, parts=parts) == pytest.approx(expected)


@pytest.mark.parametrize("kind", SKLEARN)
def test_rates_of_a_group_and_their_difference(kind):
    members = {group: np.equal(GROUPS, group) for group in "abc"}
    by_group = {g: SKLEARN[kind](TRUE[rows, 0], SCORES[rows, 0] > 0.5) for g, rows in members.items()}
    assert rate_of({"type": kind, "where": "b"}, SCORES, TRUE) == pytest.approx(by_group["b"])
    two = rate_of({"type": kind, "difference": ["a", "c"]}, SCORES, TRUE)
    assert two == pytest.approx(abs(by_group["a"] - by_group["c"]))
    three = rate_of({"type": kind, "difference": ["a", "b", "c"]}, SCORES, TRUE)
    assert three == pytest.approx(max(by_group.values()) - min(by_group.values()))


def test_groups_may_be_integers():
    groups = (GROUPS == "a").astype(np.int64)
    expected = (SCORES[GROUPS == "a"] > 0.5).mean()
    assert rate_of({"type": "positive_rate", "where": 1}, SCORES, TRUE, groups) == pytest.approx(expected)


LABELS = RNG.integers(0, 6, (SAMPLES, 1))
ONE_HOT = np.eye(6)[LABELS[:, 0]]


@pytest.mark.parametrize("y_true", [LABELS, LABELS[:, 0], ONE_HOT])
def test_classes_are_decided_by_the_largest_output(y_true):
    chosen = Y.argmax(axis=1)
    accuracy = metrics.accuracy_score(LABELS, chosen)
    assert rate_of({"type": "accuracy"}, Y, y_true) == pytest.approx(accuracy)
    recall = metrics.recall_score(LABELS, chosen, labels=[2], average=None)[0]
    assert rate_of({"type": "recall", "class_index": 2}, Y, y_true) == pytest.approx(recall)


def test_several_labels_are_as_many_decisions():
    y_true = RNG.integers(0, 2, Y.shape)
    expected = metrics.precision_score(y_true.ravel(), Y.ravel() > 0.5)
    assert rate_of({"type": "precision"}, Y, y_true) == pytest.approx(expected)


@pytest.mark.parametrize("kind", SKLEARN)
def test_a_rate_of_nothing_is_zero(kind):
    """No sample is in the group."""
    assert rate_of({"type": kind, "where": "z"}, SCORES, TRUE) == 0


def test_counts_are_the_same_in_the_compiled_loop():
    rate = read({"type": "recall", "difference": ["a", "b"]})
    columns = group_columns([rate], GROUPS)
    exact = rate_counts(rate, "y", batch_of(SCORES, TRUE, columns=columns))
    compiled = tf.function(
        lambda: rate_counts(rate, "y", batch_of(SCORES, TRUE, tf.float32, columns)),
        jit_compile=True,
        autograph=False,
    )
    np.testing.assert_array_equal(compiled(), exact)
