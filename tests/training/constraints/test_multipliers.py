"""The updates of multipliers alone: known steps, and their stability."""

from collections.abc import Callable

import numpy as np
import pytest
import tensorflow as tf

from app.training.constraints.multipliers import (
    ascended,
    augmented_force,
    augmented_value,
    controlled,
    follows,
)

STEP = 0.1

Iteration = Callable[[np.ndarray], list[tf.Tensor]]


def test_violations_add_up_and_slack_does_not_go_below_zero() -> None:
    violation = tf.constant([0.6, -0.1, 0.4])
    once = ascended(tf.zeros(3), violation, 1.0)
    np.testing.assert_allclose(once, [0.6, 0, 0.4], atol=1e-7)
    np.testing.assert_allclose(ascended(once, violation, 1.0), [1.2, 0, 0.8], atol=1e-7)


def test_an_equality_has_multipliers_of_either_sign() -> None:
    assert float(ascended(tf.constant(0.1), tf.constant(-0.3), 1.0, equality=True)) == pytest.approx(-0.2)


def spectral_radius(iteration: Iteration, size: int) -> float:
    """Of a linear iteration: the largest eigenvalue of the matrix of its columns."""
    columns = [[float(value) for value in iteration(unit)] for unit in np.eye(size)]
    return float(np.abs(np.linalg.eigvals(np.array(columns).T)).max())


def simultaneous(state: np.ndarray) -> list[tf.Tensor]:
    """f = 0, h = x − 1, about x = 1: both move by what they see of the other."""
    x, multiplier = (tf.constant(value) for value in state)
    return [x - STEP * multiplier, ascended(multiplier, x, STEP, equality=True)]


def augmented(state: np.ndarray) -> list[tf.Tensor]:
    x, multiplier = (tf.constant(value) for value in state)
    force = augmented_force(multiplier, x, 1.0, equality=True)
    return [x - STEP * force, ascended(multiplier, x, STEP, equality=True)]


def proportional(gain: float) -> Iteration:
    def iteration(state: np.ndarray) -> list[tf.Tensor]:
        x, multiplier, smoothed = (tf.constant(value) for value in state)
        moved = controlled(multiplier, x, x - smoothed, STEP, proportional=gain, equality=True)
        return [x - STEP * multiplier, moved, x]

    return iteration


@pytest.mark.parametrize(
    ("iteration", "size", "radius"),
    [
        (simultaneous, 2, 1.005),
        (proportional(2.0), 3, 0.995),
        (proportional(10.0), 3, 0.949),
        (augmented, 2, 0.954),
    ],
    ids=["simultaneous", "proportional 2", "proportional 10", "augmented"],
)
def test_stability(iteration: Iteration, size: int, radius: float) -> None:
    assert spectral_radius(iteration, size) == pytest.approx(radius, abs=5e-4)


@pytest.mark.parametrize("equality", [False, True])
def test_the_force_is_the_derivative_of_the_augmented_value(equality: bool) -> None:
    violation = tf.constant([-0.5, -0.1, 0.0, 0.3])
    multiplier = tf.constant([0.2, 0.5, 0.0, 1.0])
    with tf.GradientTape() as tape:
        tape.watch(violation)
        value = tf.reduce_sum(augmented_value(multiplier, violation, 2.0, equality))
    force = augmented_force(multiplier, violation, 2.0, equality)
    np.testing.assert_allclose(tape.gradient(value, violation), force, atol=1e-7)


def test_a_violation_that_falls_fast_enough_is_left_alone() -> None:
    violation = tf.constant([0.5, 0.5, -0.5, -0.5])
    pace = tf.constant([-0.1, -0.01, 0.1, -0.1])
    assert follows(violation, pace, tf.constant(10.0)).numpy().tolist() == [True, False, True, False]
