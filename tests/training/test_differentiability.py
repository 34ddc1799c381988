"""Totals with and without a gradient."""

import pytest
import tensorflow as tf

from app.errors import LossNotDifferentiable
from app.training.differentiability import check_differentiable
from app.training.terms import Batch, Term

X = tf.constant([[1.0, -2.0], [0.5, 3.0], [-1.0, 1.0]])


def forward(weights: list[tf.Tensor]) -> Batch:
    y_pred = tf.sigmoid(tf.matmul(X, weights[0]))
    by_path = {"dense/kernel": weights[0]}
    return Batch({"y": tf.zeros((3, 1))}, {"y": y_pred}, {}, by_path, None, {}, tf.constant([0, 0]))


def term(value, name="loss", strength=1.0, surrogate=None) -> Term:
    return Term(name, strength, lambda batch: value(batch.y_pred["y"]), f"/{name}", surrogate=surrogate)


def squares(y):
    return tf.reduce_mean(tf.square(y))


def bare_count(y):
    return tf.reduce_sum(tf.cast(y > 0.5, tf.float32))


def step(y):
    """Connected, but flat: `tf.sign` has the gradient 0."""
    return tf.reduce_sum(tf.sign(y - 0.5))


WEIGHTS = [tf.constant([[0.3], [-0.2]])]


def test_a_smooth_loss_passes():
    check_differentiable([term(squares)], forward, WEIGHTS)


def test_a_bare_count_is_named_with_its_place_and_surrogate():
    with pytest.raises(LossNotDifferentiable, match=r"loss has one .* Use a sigmoid instead") as caught:
        check_differentiable([term(step, surrogate="a sigmoid")], forward, WEIGHTS)
    assert caught.value.pointer == "/loss"
    assert caught.value.code == "loss_not_differentiable"


@pytest.mark.parametrize("value", [bare_count, step, lambda y: tf.cast(tf.argmax(y)[0], tf.float32)])
def test_a_total_without_gradient_is_refused_even_if_no_term_has_a_surrogate(value):
    with pytest.raises(LossNotDifferentiable, match=r"Expected a gradient .* a smooth form"):
        check_differentiable([term(value)], forward, WEIGHTS)


def test_the_term_to_blame_is_the_one_that_has_a_surrogate():
    terms = [term(bare_count, "loss"), term(step, "expression", surrogate="a sigmoid")]
    with pytest.raises(LossNotDifferentiable) as caught:
        check_differentiable(terms, forward, WEIGHTS)
    assert caught.value.pointer == "/expression"


def test_a_term_without_any_effect_is_refused_even_beside_a_smooth_one():
    terms = [term(squares), term(bare_count, "expression", surrogate="a sigmoid")]
    with pytest.raises(LossNotDifferentiable, match="expression has none"):
        check_differentiable(terms, forward, WEIGHTS)


def test_a_recorded_term_without_gradient_passes_beside_a_smooth_one():
    """As a proximal regularizer's, which names no surrogate."""
    check_differentiable([term(squares), term(bare_count, "dense_kernel_l1")], forward, WEIGHTS)


def test_a_term_of_strength_zero_does_not_count():
    terms = [term(squares), term(bare_count, "expression", 0.0, surrogate="a sigmoid")]
    check_differentiable(terms, forward, WEIGHTS)
    with pytest.raises(LossNotDifferentiable):
        check_differentiable([term(squares, strength=0.0)], forward, WEIGHTS)


def test_a_gradient_that_is_zero_only_by_chance_passes():
    """At weights of zero both predictions are exactly at the minimum."""
    check_differentiable([term(lambda y: tf.reduce_mean((y - 0.5) ** 2))], forward, [tf.zeros((2, 1))])


def test_a_model_without_a_weight_to_train_is_refused():
    with pytest.raises(LossNotDifferentiable, match="Expected a weight to train") as caught:
        check_differentiable([term(squares)], lambda _: forward(WEIGHTS), [])
    assert caught.value.pointer == "/model"
