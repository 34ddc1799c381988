"""Whether metrics fit the outputs and the targets, told before anything is trained."""

from collections.abc import Mapping
from typing import Any

from numpy.typing import NDArray

from app.errors import InvalidDocument
from app.spec.layers.base import Shape, show
from app.spec.metrics import (
    AUC,
    AlongAxis,
    FBetaScore,
    FScore,
    Metric,
    MetricsSpec,
    R2Score,
    TopKAccuracy,
)
from app.spec.names import did_you_mean
from app.spec.pointers import join, received
from app.spec.reported_metrics import Reported, reported_metrics

SPARSE = {
    "sparse_categorical_accuracy",
    "sparse_top_k_categorical_accuracy",
    "sparse_categorical_crossentropy",
}
"""Metrics whose targets are classes by number."""

OVER_CLASSES = SPARSE | {
    "categorical_accuracy",
    "top_k_categorical_accuracy",
    "categorical_crossentropy",
    "categorical_hinge",
}
"""Metrics that compare the classes of the last axis with each other."""


def check_metrics(
    metrics: MetricsSpec,
    output_shapes: Mapping[str, Shape],
    targets: Mapping[str, NDArray[Any]],
    pointer: str = "/metrics",
) -> None:
    """Checks every metric against its output and the targets of it.

    Args:
        metrics: the `metrics` field of the document.
        output_shapes: by output name, the shape of one sample.
        targets: by output name, `(samples, …)`.
        pointer: JSON Pointer to `metrics`.

    Raises:
        InvalidDocument: a metric is of an output that isn't there, or of another shape.
    """
    if isinstance(metrics, dict):
        for output in metrics:
            if output not in output_shapes:
                raise InvalidDocument.at(
                    join(pointer, output),
                    f"Expected the name of an output; received {received(output)}."
                    f"{did_you_mean(output, output_shapes)}",
                )
    for reported in reported_metrics(metrics, list(output_shapes), pointer):
        if reported.output not in targets:
            raise InvalidDocument.at(
                reported.pointer, f"Expected an output with targets; received {reported.output}, without any."
            )
        shape = output_shapes[reported.output]
        _check_shapes(reported, shape, targets[reported.output].shape[1:])
        _check_arguments(reported, shape)


def _check_shapes(reported: Reported, shape: Shape, target_shape: Shape) -> None:
    kind = reported.metric.type
    if kind in OVER_CLASSES and shape[-1] == 1:
        raise _misfit(reported, "an output of at least 2 classes", shape)
    if _needs_one_axis(reported.metric) and len(shape) != 1:
        raise _misfit(reported, "an output with one axis besides the samples", shape)
    by_number = (*shape[:-1], 1)
    if kind in SPARSE:
        expected = [by_number]
    elif kind == "accuracy" and shape[-1] != 1:
        expected = [shape, by_number]
    else:
        expected = [shape]
    # As for losses, a last axis of length 1 may be missing.
    padded = (*target_shape, 1) if len(target_shape) == len(shape) - 1 else target_shape
    if not any(_agree(one, padded) for one in expected):
        shapes = " or ".join(show(one) for one in expected)
        raise InvalidDocument.at(
            reported.pointer,
            f"Expected targets of shape {shapes} for {kind} of {reported.output}; "
            f"received {show(target_shape)}.",
        )


def _needs_one_axis(metric: Metric) -> bool:
    if isinstance(metric, AUC):
        return metric.multi_label
    return isinstance(metric, FScore | FBetaScore | R2Score)


def _agree(shape: Shape, actual: Shape) -> bool:
    return len(shape) == len(actual) and all(
        length in (None, other) for length, other in zip(shape, actual, strict=True)
    )


def _check_arguments(reported: Reported, shape: Shape) -> None:
    metric, units = reported.metric, shape[-1]
    class_id = getattr(metric, "class_id", None)
    field = "k" if isinstance(metric, TopKAccuracy) else "top_k"
    number = getattr(metric, field, None)
    if units is not None and class_id is not None and class_id >= units:
        raise InvalidDocument.at(
            join(reported.pointer, "class_id"),
            f"Expected a class from 0 to {units - 1}, as {reported.output} has; received {class_id}.",
        )
    if units is not None and number is not None and number > units:
        raise InvalidDocument.at(
            join(reported.pointer, field),
            f"Expected at most {units}, the classes of {reported.output}; received {number}.",
        )
    rank = len(shape) + 1
    if isinstance(metric, AlongAxis) and not (-rank < metric.axis < rank and metric.axis != 0):
        raise InvalidDocument.at(
            join(reported.pointer, "axis"),
            f"Expected an axis from 1 to {rank - 1}, or from {1 - rank} to -1; received {metric.axis}.",
        )


def _misfit(reported: Reported, expected: str, shape: Shape) -> InvalidDocument:
    return InvalidDocument.at(
        reported.pointer,
        f"Expected {expected} for {reported.metric.type}; received {reported.output} of shape {show(shape)}.",
    )
