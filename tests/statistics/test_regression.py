import numpy as np
import pytest
from sklearn import metrics

from app.statistics import regression


@pytest.mark.parametrize("outputs", [1, 3])
def test_agrees_with_scikit_learn(outputs: int) -> None:
    rng = np.random.default_rng(outputs)
    y = rng.normal(size=(80, outputs))
    predictions = y + 0.3 * rng.normal(size=(80, outputs))
    squared = metrics.mean_squared_error(y, predictions)
    assert regression(y, predictions) == {
        "mean_squared_error": pytest.approx(squared),
        "mean_absolute_error": pytest.approx(metrics.mean_absolute_error(y, predictions)),
        "root_mean_squared_error": pytest.approx(squared**0.5),
        "r2_score": pytest.approx(metrics.r2_score(y, predictions)),
    }


def test_targets_may_lack_the_last_axis() -> None:
    assert regression(np.array([1.0, 2.0]), np.array([[1.0], [3.0]]))["mean_squared_error"] == 0.5


def test_a_constant_target_has_no_r2() -> None:
    assert regression(np.full(30, 0.1), np.full(30, 0.2))["r2_score"] is None
    y = np.column_stack([np.full(4, 0.1), np.arange(4.0)])
    assert regression(y, y)["r2_score"] == 1.0  # the mean over the elements that have one


@pytest.mark.parametrize("predictions", [np.empty((0, 1)), np.array([[np.nan]]), np.array([[np.inf]])])
def test_undefined_or_non_finite_is_none(predictions: np.ndarray) -> None:
    assert set(regression(np.zeros(len(predictions)), predictions).values()) == {None}


def test_targets_of_another_size_are_refused() -> None:
    with pytest.raises(ValueError, match="reshape"):
        regression(np.zeros(2), np.zeros((3, 1)))
