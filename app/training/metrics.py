"""Keras's metrics, as the compiled loop uses them: their state is tensors that go in and come out."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras
import tensorflow as tf

from app.errors import ModelRejected
from app.spec.graph import Graph
from app.spec.layers.base import Shape
from app.spec.metrics import FBetaScore, FScore, Metric, MetricsSpec
from app.spec.reported_metrics import reported_metrics

CLASSES: dict[str, Callable[..., keras.metrics.Metric]] = {
    "auc": keras.metrics.AUC,
    "log_cosh": keras.metrics.LogCoshError,
    "kl_divergence": keras.metrics.KLDivergence,
    "f1_score": keras.metrics.F1Score,
    "fbeta_score": keras.metrics.FBetaScore,
}
"""Classes whose names aren't just the metric's in CamelCase."""

SHAPED = (keras.metrics.FBetaScore, keras.metrics.R2Score, keras.metrics.AUC)
"""Metrics that make their variables only when they see the shape of the output."""


@dataclass(frozen=True)
class BuiltMetric:
    """One metric of one output.

    Attributes:
        name: its column in the history.
        metric: Keras's metric with all its variables made, for `stateless_update_state` and
            `stateless_result`; the result is a scalar.
        output: the output it looks at.
    """

    name: str
    metric: keras.metrics.Metric
    output: str


def build_metrics(metrics: MetricsSpec, graph: Graph) -> list[BuiltMetric]:
    """The metrics of a document, in the order of their columns in the history.

    Raises:
        ModelRejected: Keras can't make the metric, or not for an output of this shape.
    """
    shapes = graph.output_shapes
    built = []
    for name, output, spec, pointer in reported_metrics(metrics, list(graph.outputs)):
        try:
            metric = _build(spec, shapes[output])
        except ValueError as error:
            raise ModelRejected(f"Keras refused the metric {name}: {error}", pointer) from error
        built.append(BuiltMetric(name, metric, output))
    return built


def _build(spec: Metric, shape: Shape) -> keras.metrics.Metric:
    kind = spec.type
    if kind == "accuracy":
        return keras.metrics.MeanMetricWrapper(accuracy, name=kind)
    arguments: dict[str, Any] = spec.model_dump(exclude={"type", "name"})
    if isinstance(spec, FScore | FBetaScore) and spec.threshold is None and shape[-1] == 1:
        arguments["threshold"] = 0.5
    camel_case = "".join(word.capitalize() for word in kind.split("_"))
    make = CLASSES.get(kind) or getattr(keras.metrics, camel_case)
    metric = make(**arguments, name=kind)
    if isinstance(metric, SHAPED):
        sample = tf.zeros((1, *shape))
        metric.update_state(sample, sample)
        metric.reset_state()
    return metric


def accuracy(y_true: tf.Tensor, y_pred: tf.Tensor) -> tf.Tensor:
    """Binary, sparse categorical or categorical accuracy, told by the shapes as Keras does.

    Args:
        y_true: `(batch_size, …, 1)` classes by number or 0 and 1, or `(batch_size, …, classes)` one-hot.
        y_pred: `(batch_size, …, 1)` or `(batch_size, …, classes)`.

    Returns:
        1 where right and 0 where wrong, or their mean over the last axis, `(batch_size, …)`.
    """
    if y_pred.shape[-1] == 1:
        return keras.metrics.binary_accuracy(y_true, y_pred)
    if y_true.shape.rank < y_pred.shape.rank or y_true.shape[-1] == 1:
        return keras.metrics.sparse_categorical_accuracy(y_true, y_pred)
    return keras.metrics.categorical_accuracy(y_true, y_pred)
