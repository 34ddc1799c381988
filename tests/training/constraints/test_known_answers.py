"""Constrained runs whose best answer is known, with `method: auto` and no step size."""

import numpy as np
import pytest

from tests.support.limits import (
    TARGETS,
    best_count_loss,
    count_document,
    free_outputs,
    linear,
    quadratic_program,
    solve,
)
from tests.support.training import Document, fit, fit_with_interruptions


def outcome(document: Document) -> tuple[np.ndarray, list[float]]:
    """The served prediction of the only sample, and the multipliers of limits that all hold."""
    fitted, _ = fit(document)
    assert [verdict["verdict"] for verdict in fitted.verdicts] == ["held"] * len(fitted.verdicts)
    (predictions,) = fitted.predictions["train"].values()
    return predictions[0], [verdict["multiplier"] for verdict in fitted.verdicts]


@pytest.mark.parametrize("k", [2, 3])
def test_counts_stay_within_the_limit_at_the_least_loss_for_ten_seeds(k: int) -> None:
    for seed in range(10):
        predicted, _ = outcome(count_document(k, seed))
        assert (predicted > 0.5).sum() == k
        assert np.square(predicted - TARGETS).sum() <= 1.02 * best_count_loss(k)


def test_a_count_that_is_low_by_itself_costs_nothing() -> None:
    predicted, (multiplier,) = outcome(count_document(5))
    assert (predicted > 0.5).sum() == 5
    assert np.square(predicted - TARGETS).sum() < 1e-5
    assert multiplier == 0


def test_an_equality() -> None:
    document = free_outputs([0, 0], "sum(square(y_pred))", [linear([1, 1], equals=1.0)])
    predicted, (multiplier,) = outcome(document)
    np.testing.assert_allclose(predicted, [0.5, 0.5], atol=1e-3)
    assert multiplier == pytest.approx(-1, abs=1e-2)


def test_two_inequalities() -> None:
    limits = [linear([1, 1], at_least=1.0), linear([1, 0], at_most=0.25)]
    predicted, multipliers = outcome(free_outputs([0, 0], "sum(square(y_pred))", limits))
    np.testing.assert_allclose(predicted, [0.25, 0.75], atol=1e-3)
    np.testing.assert_allclose(multipliers, [1.5, 1.0], atol=1e-2)


@pytest.mark.parametrize(("variables", "equality"), [(5, False), (10, False), (10, True)])
def test_quadratic_programs(variables: int, equality: bool) -> None:
    a, b = quadratic_program(variables, variables)
    field = "equals" if equality else "at_most"
    limits = [linear(row, **{field: float(value)}) for row, value in zip(a, b, strict=True)]
    document = free_outputs([0] * variables, "sum(square(y_pred))", limits, fit={"epochs": 2000})
    predicted, multipliers = outcome(document)
    x, exact = solve(a, b, equality=equality)
    np.testing.assert_allclose(predicted, x, atol=1e-3)
    np.testing.assert_allclose(multipliers, exact, atol=1e-3 if not equality else 1e-2)


def test_a_resumed_run_has_the_same_multipliers() -> None:
    whole, history = fit(count_document(2, over="every_sample"))
    resumed, resumed_history = fit_with_interruptions(count_document(2, over="every_sample"), 3)
    assert np.array_equal(resumed_history.values, history.values)
    assert resumed.verdicts == whole.verdicts
    assert resumed.epoch == whole.epoch
