import numpy as np
import pytest

from app.statistics import GatheredSparsity, activation_sparsity


def test_every_figure_on_a_case_worked_by_hand() -> None:
    # One sample with a single non-zero element (hoyer 1), one with all equal (hoyer 0), one of zeros.
    activations = np.array([[0.0, 2.0, 0.0, 0.0], [1.0, -1.0, 1.0, 0.0005], [0.0, 0.0, 0.0, 0.0]])
    activations[1, 3] = 1.0
    assert activation_sparsity(activations, 0.001) == {
        "zero_fraction": pytest.approx(7 / 12),
        "near_zero_fraction": pytest.approx(7 / 12),
        "mean_activation": pytest.approx(4 / 12),
        "mean_absolute_activation": pytest.approx(6 / 12),
        "dead_units": 0,
        "hoyer": pytest.approx(0.5),
    }


def test_near_zero_includes_its_bound_and_negative_values() -> None:
    figures = activation_sparsity(np.array([[0.25, -0.25, 0.5, 0.0]]), 0.25)
    assert figures["near_zero_fraction"] == 0.75
    assert figures["zero_fraction"] == 0.25


@pytest.mark.parametrize("shape", [(50, 20), (8, 6, 6, 4), (5, 7, 3)])
def test_equals_an_independent_computation(shape: tuple[int, ...]) -> None:
    activations = np.maximum(np.random.default_rng(3).normal(size=shape), 0).astype(np.float32)
    activations[:, 0] = 0
    figures = activation_sparsity(activations, 0.05)
    rows = activations.astype(np.float64).reshape(shape[0], -1)
    m = rows.shape[1]
    hoyer = [(m**0.5 - np.abs(r).sum() / np.sqrt((r**2).sum())) / (m**0.5 - 1) for r in rows]
    assert figures["zero_fraction"] == pytest.approx((rows == 0).mean())
    assert figures["near_zero_fraction"] == pytest.approx((np.abs(rows) <= 0.05).mean())
    assert figures["mean_activation"] == pytest.approx(rows.mean())
    assert figures["dead_units"] == sum(not column.any() for column in rows.T)
    assert figures["hoyer"] == pytest.approx(np.mean(hoyer), rel=1e-6)


def test_hoyer_of_tiny_activations_does_not_underflow() -> None:
    figures = activation_sparsity(np.array([[1e-30, 0.0, 0.0, 0.0]], dtype=np.float32), 0.001)
    assert figures["hoyer"] == pytest.approx(1.0)


def test_hoyer_is_undefined_for_zeros_and_for_a_single_unit() -> None:
    assert activation_sparsity(np.zeros((3, 4)), 0.001)["hoyer"] is None
    assert activation_sparsity(np.ones((3, 1)), 0.001)["hoyer"] is None
    assert activation_sparsity(np.zeros((3, 4)), 0.001)["dead_units"] == 4


@pytest.mark.parametrize("activations", [np.empty((0, 4)), np.array([[1.0, np.nan]]), np.array([[np.inf]])])
def test_undefined_or_non_finite_is_none(activations: np.ndarray) -> None:
    assert set(activation_sparsity(activations, 0.001).values()) == {None}


def test_parts_that_are_gathered_give_the_figures_of_the_whole() -> None:
    activations = np.maximum(np.random.default_rng(5).normal(size=(50, 6, 4)), 0).astype(np.float32)
    activations[:, 2, 1] = 0
    activations[:40, 3, 1] = 0
    activations[17] = 0
    gathered = GatheredSparsity(0.05)
    for first in (0, 1, 30, 49):
        last = {0: 1, 1: 30, 30: 49, 49: 50}[first]
        gathered.add(activations[first:last])
    gathered.add(activations[:0])
    assert gathered.figures() == pytest.approx(activation_sparsity(activations, 0.05), rel=1e-12)
    gathered.add(np.float32([[np.nan] * 24]))
    gathered.add(activations)
    assert set(gathered.figures().values()) == {None}
