"""The statistics of a part of the data that come from its predictions; what the losses say tells which."""

from collections.abc import Mapping, Sequence
from typing import Any

from app.spec.losses import Loss, LossSpec, loss_parts
from app.statistics.calibration import calibration
from app.statistics.classification import classification
from app.statistics.elements_above import elements_above
from app.statistics.figures import Array
from app.statistics.regression import regression

Arrays = Mapping[str, Array]

CLASS_LOSSES = {"categorical_crossentropy", "categorical_focal_crossentropy", "categorical_hinge"}
CLASS_NUMBER_LOSSES = {"sparse_categorical_crossentropy"}
LABEL_LOSSES = {
    "binary_crossentropy",
    "binary_focal_crossentropy",
    "weighted_binary_crossentropy",
    "hinge",
    "squared_hinge",
    "dice",
    "tversky",
}
SIGNED_LOSSES = {"hinge", "squared_hinge"}


def split_statistics(
    predictions: Arrays,
    targets: Arrays,
    losses: Mapping[str, Sequence[Loss]],
    thresholds: Sequence[float],
) -> dict[str, Any]:
    """The statistics of a split that come from its predictions.

    Args:
        predictions: by output name, `(samples, …)`.
        targets: likewise.
        losses: the losses of each output; they tell classes from numbers.
        thresholds: for the elements above.

    Returns:
        `elements_above`, and `classification` or `regression`. A model with several outputs has an
        `output` beside each threshold, and its other figures by the output's name.
    """
    several = len(predictions) > 1
    above: list[dict[str, Any]] = []
    figures: dict[str, dict[str, Any]] = {}
    for output, predicted in predictions.items():
        which = {"output": output} if several else {}
        above += [which | elements_above(predicted, threshold) for threshold in thresholds]
        kind, values = task_figures(predicted, targets[output], losses[output])
        figures.setdefault(kind, {}).update({output: values} if several else values)
    return {"elements_above": above, **figures}


def losses_of(loss: LossSpec, outputs: Sequence[str]) -> dict[str, list[Loss]]:
    """The losses of each output."""
    losses: dict[str, list[Loss]] = {output: [] for output in outputs}
    for part in loss_parts(loss, outputs):
        losses[part.output].append(part.loss)
    return losses


def yes_above(losses: Sequence[Loss]) -> float | None:
    """Above which number an element says yes; None where the first loss that tells is of classes, or none."""
    for loss in losses:
        kind: str = loss.type
        if kind in CLASS_LOSSES | CLASS_NUMBER_LOSSES:
            return None
        if kind in LABEL_LOSSES:
            return 0.0 if kind in SIGNED_LOSSES or bool(getattr(loss, "from_logits", False)) else 0.5
    return None


def task_figures(predicted: Array, target: Array, losses: Sequence[Loss]) -> tuple[str, dict[str, Any]]:
    """Figures of classes or of numbers, as the first loss that tells which says."""
    for loss in losses:
        kind: str = loss.type
        if kind in CLASS_LOSSES | CLASS_NUMBER_LOSSES:
            return "classification", {
                **classification(target, predicted),
                "calibration": calibration(target, predicted),
            }
        if kind in LABEL_LOSSES:
            labels = predicted.ndim > 1 and predicted.shape[-1] > 1
            threshold = yes_above([loss])
            assert threshold is not None
            return "classification", {
                **classification(target, predicted, multi_label=labels, threshold=threshold),
                "calibration": calibration(target, predicted, multi_label=labels),
            }
    return "regression", regression(target, predicted)
