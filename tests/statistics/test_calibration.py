import numpy as np
import pytest
from sklearn.calibration import calibration_curve

from app.statistics.calibration import calibration

RANDOM = np.random.default_rng(6)
P = np.concatenate([RANDOM.random(500) ** 2, [0.0, 0.1, 0.2, 0.5, 1.0, 1.0]]).astype(np.float32)
Y = (RANDOM.random(506) < P**1.3).astype(float)


def columns(found: dict, *names: str) -> list[np.ndarray]:
    return [np.array([part[name] for part in found["bins"]]) for name in names]


@pytest.mark.parametrize("shape", [(-1,), (-1, 1)])
def test_bins_are_those_of_scikit_learn(shape: tuple[int, ...]) -> None:
    found = calibration(Y.reshape(shape), P.reshape(shape))
    assert found is not None
    observed, predicted = calibration_curve(Y, P.astype(float), n_bins=10, strategy="uniform")
    ours = columns(found, "fraction_true", "mean_predicted", "count", "from", "to")
    np.testing.assert_allclose(ours[0], observed)
    np.testing.assert_allclose(ours[1], predicted)
    assert ours[2].sum() == 506
    assert found["expected_calibration_error"] == pytest.approx(
        np.average(np.abs(observed - predicted), weights=ours[2])
    )
    assert ((ours[3] <= ours[1]) & (ours[1] <= ours[4])).all()


def test_labels_count_each_for_itself() -> None:
    assert calibration(Y.reshape(-1, 2), P.reshape(-1, 2), multi_label=True) == calibration(Y, P)


@pytest.mark.parametrize("one_hot", [False, True])
def test_of_several_classes_the_most_probable_counts(one_hot: bool) -> None:
    scores = RANDOM.dirichlet([0.5] * 4, 300)
    truth = np.array([RANDOM.choice(4, p=row) for row in scores])
    found = calibration(np.eye(4)[truth] if one_hot else truth, scores)
    assert found is not None
    right = scores.argmax(axis=1) == truth
    observed, predicted = calibration_curve(right, scores.max(axis=1), n_bins=10, strategy="uniform")
    ours = columns(found, "fraction_true", "mean_predicted")
    np.testing.assert_allclose(ours, [observed, predicted])


@pytest.mark.parametrize(
    ("truth", "predictions"),
    [
        ([0, 1], [-0.1, 0.5]),
        ([0, 1], [0.5, 1.5]),
        ([0, 1], [[0.5, 0.1], [0.2, 0.8]]),
        ([0, 1], [np.nan, 0.5]),
        ([], []),
    ],
    ids=["negative", "above 1", "no distribution", "not finite", "none"],
)
def test_what_is_no_probability_has_none(truth: list[float], predictions: list[float]) -> None:
    assert calibration(np.array(truth), np.array(predictions)) is None
