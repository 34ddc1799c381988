import numpy as np
import pytest
from sklearn import metrics

from app.statistics import classification

RNG = np.random.default_rng(7)


@pytest.mark.parametrize("shape", [(200,), (200, 1), (40, 5, 1)])
def test_two_classes_agree_with_scikit_learn(shape: tuple[int, ...]) -> None:
    labels = RNG.integers(0, 2, shape).astype(np.float32)
    scores = np.clip(labels * 0.2 + RNG.random(shape), 0, 1).round(2)  # rounded, so that there are ties
    y, p = labels.ravel().astype(int), scores.ravel()
    assert classification(labels, scores) == {
        "accuracy": pytest.approx(metrics.accuracy_score(y, p > 0.5)),
        "precision": pytest.approx(metrics.precision_score(y, p > 0.5)),
        "recall": pytest.approx(metrics.recall_score(y, p > 0.5)),
        "f1_score": pytest.approx(metrics.f1_score(y, p > 0.5)),
        "roc_auc": pytest.approx(metrics.roc_auc_score(y, p)),
        "confusion_matrix": metrics.confusion_matrix(y, p > 0.5).tolist(),
    }


@pytest.mark.parametrize("one_hot", [True, False])
def test_several_classes_agree_with_scikit_learn(one_hot: bool) -> None:
    y = RNG.integers(0, 4, 300)
    probabilities = RNG.random((300, 4)) + 0.5 * np.eye(4)[y]
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    answers = probabilities.argmax(axis=1)
    assert classification(np.eye(4)[y] if one_hot else y.astype(np.float32), probabilities) == {
        "accuracy": pytest.approx(metrics.accuracy_score(y, answers)),
        "precision": pytest.approx(metrics.precision_score(y, answers, average="macro")),
        "recall": pytest.approx(metrics.recall_score(y, answers, average="macro")),
        "f1_score": pytest.approx(metrics.f1_score(y, answers, average="macro")),
        "roc_auc": pytest.approx(metrics.roc_auc_score(y, probabilities, multi_class="ovr")),
        "confusion_matrix": metrics.confusion_matrix(y, answers).tolist(),
    }


def test_means_over_classes_leave_out_those_that_never_occur_and_count_unanswered_ones_as_zero() -> None:
    y = np.array([0, 0, 1, 1])
    probabilities = np.array([[0.9, 0.1, 0.0]] * 3 + [[0.4, 0.6, 0.0]])
    only_first = np.array([[0.9, 0.1, 0.0]] * 4)
    answers = probabilities.argmax(axis=1)
    assert classification(y, probabilities)["f1_score"] == pytest.approx(
        metrics.f1_score(y, answers, average="macro")
    )
    assert classification(y, only_first)["precision"] == pytest.approx(
        metrics.precision_score(y, only_first.argmax(axis=1), average="macro", zero_division=0)
    )


def test_labels_that_stand_alone_agree_with_scikit_learn() -> None:
    y = RNG.integers(0, 2, (100, 3))
    scores = np.clip(0.3 * y + RNG.random((100, 3)), 0, 1)
    answers = scores > 0.5
    assert classification(y, scores, multi_label=True) == {
        "accuracy": pytest.approx((y == answers).mean()),
        "precision": pytest.approx(metrics.precision_score(y, answers, average="macro")),
        "recall": pytest.approx(metrics.recall_score(y, answers, average="macro")),
        "f1_score": pytest.approx(metrics.f1_score(y, answers, average="macro")),
        "roc_auc": pytest.approx(metrics.roc_auc_score(y, scores, average="macro")),
        "confusion_matrix": metrics.multilabel_confusion_matrix(y, answers).tolist(),
    }


def test_a_probability_of_just_the_threshold_is_a_no() -> None:
    assert classification(np.array([1.0, 0.0]), np.array([0.5, 0.5]))["confusion_matrix"] == [[1, 0], [1, 0]]


def test_logits_are_compared_with_zero() -> None:
    figures = classification(np.array([1.0, 0.0]), np.array([[0.3], [-0.3]]), threshold=0.0)
    assert figures["accuracy"] == 1.0


def test_undefined_figures_are_none() -> None:
    figures = classification(np.zeros(3), np.full((3, 1), 0.1))
    assert figures["accuracy"] == 1.0
    assert [figures[name] for name in ("precision", "recall", "f1_score", "roc_auc")] == [None] * 4


@pytest.mark.parametrize("predictions", [np.empty((0, 1)), np.array([[np.nan]]), np.array([[np.inf, 0.0]])])
def test_nothing_can_be_said_without_samples_or_of_predictions_that_are_not_finite(
    predictions: np.ndarray,
) -> None:
    assert set(classification(np.zeros(len(predictions)), predictions).values()) == {None}


@pytest.mark.parametrize(
    ("y_true", "predictions"),
    [
        (np.zeros(2), np.zeros((3, 1))),
        (np.zeros(2), np.zeros((3, 4))),
        (np.array([0, 1, 4]), np.ones((3, 4))),
        (np.array([0, -1, 2]), np.ones((3, 4))),
    ],
)
def test_labels_that_do_not_fit_the_predictions_are_refused(
    y_true: np.ndarray, predictions: np.ndarray
) -> None:
    with pytest.raises(ValueError, match="Expected"):
        classification(y_true, predictions)
