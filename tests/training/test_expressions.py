"""Expressions on tensors against NumPy, their gradients against finite differences."""

import numpy as np
import pytest
import tensorflow as tf

from app.spec.expressions import FUNCTIONS, parse_expression, shape_of
from app.spec.expressions.parser import _OPERATORS
from app.training.expressions import _FUNCTIONS, evaluate, in_rank_of

RNG = np.random.default_rng(5)
Y = RNG.normal(size=(5, 4)).astype(np.float32).astype(np.float64)
P = RNG.normal(size=(5, 4)).astype(np.float32).astype(np.float64)
W = RNG.uniform(0.5, 2, size=(5, 1)).astype(np.float32).astype(np.float64)
VARIABLES = ("y_true", "y_pred", "sample_weight")


def evaluated(text: str, y_true=Y, y_pred=P, sample_weight=W) -> tf.Tensor:
    arrays = {"y_true": y_true, "y_pred": y_pred, "sample_weight": sample_weight}
    tensors = {name: tf.convert_to_tensor(array, tf.float32) for name, array in arrays.items()}
    return evaluate(parse_expression(text, VARIABLES), tensors)


def gradient_of(text: str, y_pred) -> np.ndarray:
    y_pred = tf.convert_to_tensor(y_pred, tf.float32)
    with tf.GradientTape() as tape:
        tape.watch(y_pred)
        total = tf.reduce_sum(evaluated(text, y_pred=y_pred))
    return tape.gradient(total, y_pred).numpy()


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


CASES = [
    ("y_pred + 2 * y_true - 1", lambda y, p, w: p + 2 * y - 1),
    ("-y_pred / 4", lambda y, p, w: -p / 4),
    ("2 - 3 - y_pred", lambda y, p, w: -1 - p),
    ("y_pred ** 2", lambda y, p, w: p**2),
    ("y_pred ** 3", lambda y, p, w: p**3),
    ("abs(y_pred) ** 0.5", lambda y, p, w: np.abs(p) ** 0.5),
    ("abs(y_pred) ** -1.5", lambda y, p, w: np.abs(p) ** -1.5),
    ("square(y_pred)", lambda y, p, w: p**2),
    ("sqrt(abs(y_pred))", lambda y, p, w: np.sqrt(np.abs(p))),
    ("log(abs(y_pred))", lambda y, p, w: np.log(np.abs(p))),
    ("exp(y_pred)", lambda y, p, w: np.exp(p)),
    ("sigmoid(10 * (y_pred - 0.5))", lambda y, p, w: sigmoid(10 * (p - 0.5))),
    ("tanh(y_pred)", lambda y, p, w: np.tanh(p)),
    ("relu(y_pred)", lambda y, p, w: np.maximum(p, 0)),
    ("softplus(y_pred)", lambda y, p, w: np.log1p(np.exp(p))),
    ("maximum(y_pred, y_true)", lambda y, p, w: np.maximum(p, y)),
    ("minimum(y_pred, 0.1)", lambda y, p, w: np.minimum(p, 0.1)),
    ("clip(y_pred, -0.5, y_true)", lambda y, p, w: np.minimum(np.maximum(p, -0.5), y)),
    ("where(y_pred > y_true, y_pred, 3)", lambda y, p, w: np.where(p > y, p, 3)),
    ("(y_pred < 0) * y_pred", lambda y, p, w: np.where(p < 0, p, 0)),
    ("(y_pred >= 0) * y_pred", lambda y, p, w: np.where(p >= 0, p, 0)),
    ("(y_pred <= 0) * y_pred", lambda y, p, w: np.where(p <= 0, p, 0)),
    ("(y_pred == y_pred) * y_pred", lambda y, p, w: p),
    ("(y_pred != y_true) * y_pred", lambda y, p, w: p),
    ("sum(y_pred)", lambda y, p, w: p.sum()),
    ("sum(y_pred, axis=0)", lambda y, p, w: p.sum(0, keepdims=True)),
    ("mean(y_pred, axis=-1)", lambda y, p, w: p.mean(-1, keepdims=True)),
    ("max(y_pred, axis=1)", lambda y, p, w: p.max(1, keepdims=True)),
    ("min(y_pred)", lambda y, p, w: p.min()),
    ("y_pred / sum(square(y_pred), axis=1)", lambda y, p, w: p / (p**2).sum(1, keepdims=True)),
    ("sample_weight * y_pred", lambda y, p, w: w * p),
    ("sort(y_pred) * y_true", lambda y, p, w: np.sort(p, -1) * y),
    ("sort(y_pred, axis=0) * y_true", lambda y, p, w: np.sort(p, 0) * y),
    ("sum(top_k(y_pred, 2))", lambda y, p, w: np.sort(p, -1)[:, 2:].sum()),
    ("top_k(y_pred, 3)", lambda y, p, w: -np.sort(-p, -1)[:, :3]),
]


@pytest.mark.parametrize(("text", "formula"), CASES, ids=[text for text, _ in CASES])
def test_value_and_gradient(text, formula):
    value = evaluated(text)
    assert value.dtype == tf.float32
    np.testing.assert_allclose(value, formula(Y, P, W), rtol=1e-5, atol=1e-6)

    step = 1e-6
    expected = np.zeros_like(P)
    for place in np.ndindex(P.shape):
        change = np.zeros_like(P)
        change[place] = step
        above, below = formula(Y, P + change, W), formula(Y, P - change, W)
        expected[place] = (np.sum(above) - np.sum(below)) / (2 * step)
    np.testing.assert_allclose(gradient_of(text, P), expected, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("text", [text for text, _ in CASES])
def test_shape_is_what_was_told(text):
    shapes = {"y_true": (None, 4), "y_pred": (None, 4), "sample_weight": (None, 1)}
    told = shape_of(parse_expression(text, VARIABLES), shapes)
    assert tuple(evaluated(text).shape) == tuple(5 if length is None else length for length in told)


@pytest.mark.parametrize("jit_compile", [False, True], ids=["graph", "XLA"])
def test_everything_works_compiled(jit_compile):
    nodes = [parse_expression(text, VARIABLES) for text, _ in CASES]

    @tf.function(jit_compile=jit_compile, autograph=False)
    def run(y_true, y_pred, sample_weight):
        arrays = {"y_true": y_true, "y_pred": y_pred, "sample_weight": sample_weight}
        with tf.GradientTape(persistent=True) as tape:
            tape.watch(y_pred)
            values = [evaluate(node, arrays) for node in nodes]
            totals = [tf.reduce_sum(value) for value in values]
        return values, [tape.gradient(total, y_pred) for total in totals]

    values, gradients = run(*(tf.constant(array, tf.float32) for array in (Y, P, W)))
    for (text, formula), value, gradient in zip(CASES, values, gradients, strict=True):
        np.testing.assert_allclose(value, formula(Y, P, W), rtol=1e-5, atol=1e-6, err_msg=text)
        np.testing.assert_allclose(gradient, gradient_of(text, P), rtol=1e-4, atol=1e-6, err_msg=text)


def test_every_name_of_a_tree_can_be_evaluated():
    operators = {name for level in _OPERATORS for name in level.values()}
    assert set(_FUNCTIONS) == {*FUNCTIONS, *operators, "negative", "power"}


@pytest.mark.parametrize("text", ["sqrt(y_pred)", "abs(y_pred)", "relu(y_pred)", "y_pred ** 0.5"])
def test_gradients_at_kinks_are_zero(text):
    np.testing.assert_array_equal(gradient_of(text, np.zeros((1, 4))), np.zeros((1, 4)))


def test_numbers_behave_as_floats():
    assert float(evaluated("1 / 4")) == 0.25
    assert np.isinf(float(evaluated("1 / 0")))
    assert np.isnan(float(evaluated("sqrt(-1)")))
    assert float(evaluated("(2 > 1) + (1 > 2) + (1 == 1)")) == 2


@pytest.mark.parametrize(
    ("shape", "expected"),
    [((5,), (5, 1, 1)), ((5, 3), (5, 3, 1)), ((5, 3, 4), (5, 3, 4)), ((5, 3, 4, 1), (5, 3, 4))],
)
def test_arrays_are_brought_to_the_rank_of_the_predictions(shape, expected):
    assert tuple(in_rank_of(tf.zeros((5, 3, 4)), tf.zeros(shape)).shape) == expected
