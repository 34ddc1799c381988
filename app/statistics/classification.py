"""How well predicted probabilities tell classes apart."""

from typing import Any

import numpy as np

from app.statistics.figures import Array, all_finite, mean_of_defined, ratio

_FIGURES = ("accuracy", "precision", "recall", "f1_score", "roc_auc", "confusion_matrix")


def classification(
    y_true: Array, predictions: Array, *, multi_label: bool = False, threshold: float = 0.5
) -> dict[str, Any]:
    """Figures of two classes, of several of which one is right, or of several labels that stand alone.

    With tp, fp, fn, tn the counts of true and false positives and negatives of a class:

        accuracy  = share of right answers
        precision = tp / (tp + fp)
        recall    = tp / (tp + fn)
        f1_score  = 2·tp / (2·tp + fp + fn)
        roc_auc   = P(a positive scores higher than a negative) + ½·P(both score the same)

    - Two classes (the last axis has length 1, or there is only one axis): a sample is positive if its
      probability is above the threshold.
    - Several classes: the answer is the class with the highest probability. precision, recall and
      f1_score are means over the classes that occur, in truth or answer; one that was never answered
      has precision 0. roc_auc is each class against the rest, the mean over the classes that occur in
      the truth, but not everywhere.
    - `multi_label`: each element of the last axis is two classes for itself; accuracy is over all
      elements, the other figures are means over the labels for which they are defined.

    Args:
        y_true: labels 0 and 1, class numbers, or one-hot rows. (n,), (n, 1), (n, classes); further axes
            in the middle, such as steps, count as further samples.
        predictions: probabilities, shape (n, …) as above.
        multi_label: whether the last axis holds labels that stand alone.
        threshold: above which a probability means yes; 0 for logits. Default 0.5.

    Returns:
        Each figure by name and `confusion_matrix`, rows the truth, columns the answer (a list of one
        such matrix for each label with `multi_label`). Undefined figures are None; all are without
        samples, or with a prediction or label that isn't finite.

    Raises:
        ValueError: the shapes don't fit each other, or a class number isn't one of the predictions'.
    """
    if predictions.size == 0 or not (all_finite(predictions) and all_finite(y_true)):
        return dict.fromkeys(_FIGURES)
    if predictions.ndim == 1 or predictions.shape[-1] == 1:
        return _two_classes(y_true.ravel() > 0.5, predictions.ravel(), threshold)
    scores = predictions.reshape(-1, predictions.shape[-1])  # (samples, classes)
    if multi_label:
        return _labels(y_true.reshape(scores.shape) > 0.5, scores, threshold)
    return _several_classes(class_numbers(y_true, scores), scores)


def roc_auc(positive: Array, scores: Array) -> float | None:
    """Area under the ROC curve, from the ranks of the scores (Mann-Whitney's U).

        AUC = (Σ ranks of positives − p(p+1)/2) / (p·q),   p positives, q negatives, ties share a rank

    Args:
        positive: booleans, shape (n,).
        scores: numbers, shape (n,).

    Returns:
        A number in [0, 1]; None if one of the two classes is missing.
    """
    _, inverse, ties = np.unique(scores, return_inverse=True, return_counts=True)
    rank = np.cumsum(ties) - (ties - 1) / 2  # mean rank of each distinct score, from 1
    p = int(np.count_nonzero(positive))
    q = positive.size - p
    return ratio(float(rank[inverse][positive].sum()) - p * (p + 1) / 2, p * q)


def _two_classes(positive: Array, scores: Array, threshold: float) -> dict[str, Any]:
    if positive.shape != scores.shape:
        raise ValueError(f"Expected as many labels as predictions; received {positive.size}, {scores.size}")
    matrix = _confusion_matrix(positive.astype(np.int64), (scores > threshold).astype(np.int64), 2)
    (tn, fp), (fn, tp) = matrix.tolist()
    return {
        "accuracy": ratio(tp + tn, positive.size),
        "precision": ratio(tp, tp + fp),
        "recall": ratio(tp, tp + fn),
        "f1_score": ratio(2 * tp, 2 * tp + fp + fn),
        "roc_auc": roc_auc(positive, scores),
        "confusion_matrix": matrix.tolist(),
    }


def _labels(positive: Array, scores: Array, threshold: float) -> dict[str, Any]:
    """Figures of (samples, labels)."""
    labels = [_two_classes(positive[:, j], scores[:, j], threshold) for j in range(scores.shape[1])]
    means = {name: mean_of_defined([label[name] for label in labels]) for name in _FIGURES[:-1]}
    return {**means, "confusion_matrix": [label["confusion_matrix"] for label in labels]}


def _several_classes(truth: Array, scores: Array) -> dict[str, Any]:
    """Figures of class numbers (samples,) and probabilities (samples, classes)."""
    classes = scores.shape[1]
    matrix = _confusion_matrix(truth, scores.argmax(axis=1), classes)
    hits, in_truth, answered = np.diagonal(matrix), matrix.sum(axis=1), matrix.sum(axis=0)
    occurring = np.flatnonzero(in_truth + answered)

    def macro(hits_of: Array, possible: Array) -> float | None:
        shares = (ratio(int(hits_of[k]), int(possible[k])) for k in occurring)
        return mean_of_defined([share or 0.0 for share in shares])

    return {
        "accuracy": ratio(int(hits.sum()), truth.size),
        "precision": macro(hits, answered),
        "recall": macro(hits, in_truth),
        "f1_score": macro(2 * hits, in_truth + answered),
        "roc_auc": mean_of_defined([roc_auc(truth == k, scores[:, k]) for k in np.flatnonzero(in_truth)]),
        "confusion_matrix": matrix.tolist(),
    }


def class_numbers(y_true: Array, scores: Array) -> Array:
    """Class numbers (samples,) from such or from one-hot rows."""
    samples, classes = scores.shape
    truth = y_true.reshape(scores.shape).argmax(axis=1) if y_true.size == scores.size else y_true.ravel()
    numbers = truth.astype(np.int64)
    if numbers.shape != (samples,) or numbers.min() < 0 or numbers.max() >= classes:
        raise ValueError(f"Expected {samples} class numbers below {classes}; received shape {y_true.shape}")
    return numbers


def _confusion_matrix(truth: Array, answer: Array, classes: int) -> Array:
    """Counts by (truth, answer), shape (classes, classes)."""
    return np.bincount(truth * classes + answer, minlength=classes * classes).reshape(classes, classes)
