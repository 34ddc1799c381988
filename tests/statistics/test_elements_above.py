import numpy as np
import pytest
from numpy.testing import assert_allclose

from app.statistics import elements_above


def independently_counted(predictions: np.ndarray, threshold: float) -> dict:
    counts = np.array([sum(float(v) > threshold for v in sample.ravel()) for sample in predictions])
    values, weights = np.unique(counts, return_counts=True)
    return {
        "total": int(counts.sum()),
        "fraction": counts.sum() / predictions.size,
        "per_sample": {
            "mean": counts.mean(),
            "std": counts.std(),
            "min": counts.min(),
            "median": np.percentile(counts, 50),
            "p95": np.percentile(counts, 95),
            "max": counts.max(),
        },
        "histogram": dict(zip(map(str, values), weights, strict=True)),
    }


@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (2, 1), (9, 1), (9,), (40, 12), (41, 3, 2, 5), (1000, 30)])
@pytest.mark.parametrize("threshold", [-0.5, 0, 0.25, 2.0])
def test_equals_an_independent_count(shape: tuple[int, ...], threshold: float) -> None:
    predictions = np.random.default_rng(sum(shape)).normal(size=shape).round(2)
    result = elements_above(predictions, threshold)
    expected = independently_counted(predictions, threshold)
    assert result["threshold"] == threshold
    assert result["total"] == expected["total"]
    assert result["histogram"] == expected["histogram"]
    assert result["fraction"] == pytest.approx(expected["fraction"], rel=1e-15)
    for name, value in expected["per_sample"].items():
        assert_allclose(result["per_sample"][name], value, rtol=1e-13, atol=1e-15, err_msg=name)


def test_above_is_strictly_greater() -> None:
    assert elements_above(np.array([[0.5, 0.5000001]]), 0.5)["total"] == 1


def test_float32_predictions_are_compared_in_float32() -> None:
    tenth = np.array([[0.1]], dtype=np.float32)  # as a float64 it is 0.10000000149
    assert elements_above(tenth, 0.1)["total"] == 0


def test_a_threshold_outside_the_range_of_float32_is_compared_too() -> None:
    predictions = np.array([[1.0, 2.0]], dtype=np.float32)
    assert elements_above(predictions, 1e300)["total"] == 0
    assert elements_above(predictions, -1e300)["total"] == 2


def test_nan_is_above_nothing_and_infinity_above_all() -> None:
    predictions = np.array([[np.nan, np.inf, -np.inf], [1.0, np.nan, 0.0]])
    assert elements_above(predictions, 0.5)["histogram"] == {"1": 2}


def test_without_samples_figures_are_none() -> None:
    result = elements_above(np.empty((0, 3)), 0.5)
    assert result["total"] == 0
    assert result["fraction"] is None
    assert set(result["per_sample"].values()) == {None}
    assert result["histogram"] == {}


def test_samples_without_elements_have_none_above() -> None:
    result = elements_above(np.empty((2, 0)), 0.5)
    assert (result["total"], result["fraction"], result["histogram"]) == (0, None, {"0": 2})


def test_whole_numbers_can_be_counted() -> None:
    assert elements_above(np.array([[1, 2, 3]]), 1.5)["histogram"] == {"2": 1}
