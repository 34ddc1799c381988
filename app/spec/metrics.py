"""Keras's metrics: figures that are reported each epoch beside the loss, and minimised by nobody.

A name alone (`"auc"`, `"AUC"`) stands for the metric with its defaults. Metrics don't take sample weights, as
in Keras's `metrics`. In two places Keras's default gives no single number, or no sensible one: with an
`average` of None an F-score is one number a class, and with a `threshold` of None it calls the only unit of a
binary output always positive. Here the first is the mean over classes, the second 0.5.
"""

from typing import Annotated, Any, Literal, get_args

from pydantic import AfterValidator, BeforeValidator, Discriminator, Field, Tag

from app.spec.base import SpecModel
from app.spec.mistakes import mistake
from app.spec.names import typed
from app.spec.optimizers import Positive

Share = Annotated[float, Field(ge=0, le=1)]
AtLeastOne = Annotated[int, Field(ge=1, lt=2**31)]
ClassId = Annotated[int, Field(ge=0, lt=2**31)]


def _not_reserved(name: str) -> str:
    if name == "loss" or name.startswith("val_"):
        raise mistake(f'Expected a name other than "loss", and without "val_" before it; received "{name}".')
    return name


class Metric(SpecModel):
    """What all metrics have."""

    type: str
    """Kind of metric."""

    name: (
        Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]+$", max_length=100), AfterValidator(_not_reserved)]
        | None
    ) = None
    """Under which it's recorded; by default its type."""


class PlainMetric(Metric):
    """A metric without arguments."""

    type: Literal[
        "accuracy",
        "categorical_accuracy",
        "sparse_categorical_accuracy",
        "mean_squared_error",
        "root_mean_squared_error",
        "mean_absolute_error",
        "mean_absolute_percentage_error",
        "mean_squared_logarithmic_error",
        "log_cosh",
        "kl_divergence",
        "poisson",
        "hinge",
        "squared_hinge",
        "categorical_hinge",
    ]
    """`accuracy` is binary, categorical or sparse categorical, by the shapes of output and target."""


class AlongAxis(Metric):
    """A metric of vectors."""

    type: Literal["cosine_similarity", "pearson_correlation", "concordance_correlation"]
    """Kind of metric."""

    axis: Annotated[int, Field(ge=-8, le=8)] = -1
    """Axis of the vectors; 0 is the batch."""


class BinaryAccuracy(Metric):
    """Share of elements on the same side of the threshold as their target."""

    type: Literal["binary_accuracy"] = "binary_accuracy"
    """Kind of metric."""

    threshold: float = 0.5
    """Above it a prediction is positive."""


class TopKAccuracy(Metric):
    """Share of samples whose class is among the k largest elements."""

    type: Literal["top_k_categorical_accuracy", "sparse_top_k_categorical_accuracy"]
    """With one-hot targets, or with classes by number."""

    k: AtLeastOne = 5
    """How many elements."""


class PrecisionOrRecall(Metric):
    """True positives over predicted (precision) or over actual (recall) positives."""

    type: Literal["precision", "recall"]
    """Kind of metric."""

    thresholds: Share | None = None
    """Above it a prediction is positive; 0.5, or with `top_k` none."""

    top_k: AtLeastOne | None = None
    """Count only the k largest elements of a sample as predicted."""

    class_id: ClassId | None = None
    """Look at this element of the output only."""


class ConfusionCount(Metric):
    """How many elements are predicted rightly or wrongly as positive or negative."""

    type: Literal["true_positives", "true_negatives", "false_positives", "false_negatives"]
    """Kind of metric."""

    thresholds: Share = 0.5
    """Above it a prediction is positive."""


class FScore(Metric):
    """`(1 + β²)·precision·recall / (β²·precision + recall)`, β = 1."""

    type: Literal["f1_score"] = "f1_score"
    """Kind of metric."""

    average: Literal["macro", "micro", "weighted"] = "macro"
    """Mean over classes, over all elements, or over classes by their size."""

    threshold: Annotated[float, Field(gt=0, le=1)] | None = None
    """Above it a prediction is positive; by default the largest element is, or with one unit 0.5."""


class FBetaScore(Metric):
    """`(1 + β²)·precision·recall / (β²·precision + recall)`."""

    type: Literal["fbeta_score"] = "fbeta_score"
    """Kind of metric."""

    average: Literal["macro", "micro", "weighted"] = "macro"
    """Mean over classes, over all elements, or over classes by their size."""

    beta: Positive = 1.0
    """How many times as much recall counts as precision."""

    threshold: Annotated[float, Field(gt=0, le=1)] | None = None
    """Above it a prediction is positive; by default the largest element is, or with one unit 0.5."""


class AUC(Metric):
    """Area under the curve of true over false positive rate (ROC), or of precision over recall (PR)."""

    type: Literal["auc"] = "auc"
    """Kind of metric."""

    num_thresholds: Annotated[int, Field(ge=2, le=10_000)] = 200
    """Points of the curve."""

    curve: Literal["ROC", "PR"] = "ROC"
    """Which curve."""

    summation_method: Literal["interpolation", "minoring", "majoring"] = "interpolation"
    """How the area between points is counted."""

    multi_label: bool = False
    """A curve for each element of the output, and the mean of their areas."""

    from_logits: bool = False
    """Apply sigmoid first."""


class _AtPoint(Metric):
    num_thresholds: Annotated[int, Field(ge=1, le=10_000)] = 200
    """Thresholds to try."""

    class_id: ClassId | None = None
    """Look at this element of the output only."""


class PrecisionAtRecall(_AtPoint):
    """The best precision with at least this recall."""

    type: Literal["precision_at_recall"] = "precision_at_recall"
    """Kind of metric."""

    recall: Share
    """Least recall."""


class RecallAtPrecision(_AtPoint):
    """The best recall with at least this precision."""

    type: Literal["recall_at_precision"] = "recall_at_precision"
    """Kind of metric."""

    precision: Share
    """Least precision."""


class SensitivityAtSpecificity(_AtPoint):
    """The best sensitivity with at least this specificity."""

    type: Literal["sensitivity_at_specificity"] = "sensitivity_at_specificity"
    """Kind of metric."""

    specificity: Share
    """Least specificity."""


class SpecificityAtSensitivity(_AtPoint):
    """The best specificity with at least this sensitivity."""

    type: Literal["specificity_at_sensitivity"] = "specificity_at_sensitivity"
    """Kind of metric."""

    sensitivity: Share
    """Least sensitivity."""


class Crossentropy(Metric):
    """Cross-entropy of elements, or of classes by one-hot targets."""

    type: Literal["binary_crossentropy", "categorical_crossentropy"]
    """Kind of metric."""

    from_logits: bool = False
    """Whether predictions are logits rather than probabilities."""

    label_smoothing: Share = 0.0
    """Share by which targets are moved to their mean."""


class SparseCrossentropy(Metric):
    """Cross-entropy of classes by number."""

    type: Literal["sparse_categorical_crossentropy"] = "sparse_categorical_crossentropy"
    """Kind of metric."""

    from_logits: bool = False
    """Whether predictions are logits rather than probabilities."""

    ignore_class: int | None = None
    """A class whose samples don't count."""


class R2Score(Metric):
    """Coefficient of determination: `1 − Σ(y − ŷ)²/Σ(y − mean y)²`."""

    type: Literal["r2_score"] = "r2_score"
    """Kind of metric."""

    class_aggregation: Literal["uniform_average", "variance_weighted_average"] = "uniform_average"
    """How the elements of the output are averaged."""


_AnyMetric = (
    PlainMetric | AlongAxis | BinaryAccuracy | TopKAccuracy | PrecisionOrRecall | ConfusionCount | FScore
    | FBetaScore | AUC | PrecisionAtRecall | RecallAtPrecision | SensitivityAtSpecificity
    | SpecificityAtSensitivity | Crossentropy | SparseCrossentropy | R2Score
)  # fmt: skip

METRICS: tuple[str, ...] = tuple(
    name for metric in get_args(_AnyMetric) for name in get_args(metric.model_fields["type"].annotation)
)
"""The types of all metrics."""

RISING = {
    "accuracy",
    "binary_accuracy",
    "categorical_accuracy",
    "sparse_categorical_accuracy",
    "top_k_categorical_accuracy",
    "sparse_top_k_categorical_accuracy",
    "precision",
    "recall",
    "true_positives",
    "true_negatives",
    "f1_score",
    "fbeta_score",
    "auc",
    "precision_at_recall",
    "recall_at_precision",
    "sensitivity_at_specificity",
    "specificity_at_sensitivity",
    "cosine_similarity",
    "pearson_correlation",
    "concordance_correlation",
    "r2_score",
}
"""The metrics of which more is better."""

ALIASES = {
    "acc": "accuracy",
    "mse": "mean_squared_error",
    "mae": "mean_absolute_error",
    "mape": "mean_absolute_percentage_error",
    "msle": "mean_squared_logarithmic_error",
    "rmse": "root_mean_squared_error",
    "bce": "binary_crossentropy",
    "kld": "kl_divergence",
    "log_cosh_error": "log_cosh",
    "top_k_accuracy": "top_k_categorical_accuracy",
}
"""Short names; metrics are recorded under the long one."""

AnyMetric = Annotated[
    _AnyMetric,
    Field(discriminator="type"),
    BeforeValidator(typed(METRICS, ALIASES), json_schema_input_type=_AnyMetric | str),
]
"""One metric: a name, or an object with a `type` and arguments."""

Metrics = Annotated[tuple[AnyMetric, ...], Field(strict=False, max_length=100)]
"""A list of metrics."""


def _as_list(value: Any) -> Any:
    return [value] if isinstance(value, str) or (isinstance(value, dict) and "type" in value) else value


MetricsByOutput = Annotated[
    dict[str, Annotated[Metrics, BeforeValidator(_as_list, json_schema_input_type=AnyMetric | Metrics)]],
    Field(max_length=100),
]
"""Metrics for each output by its name, a list or one alone."""


def _form(value: Any) -> str:
    return "<outputs>" if isinstance(value, dict) else "<metrics>"


MetricsSpec = Annotated[
    Annotated[Metrics, Tag("<metrics>")] | Annotated[MetricsByOutput, Tag("<outputs>")], Discriminator(_form)
]
"""What the `metrics` field of a run document takes: a list, which every output gets, or lists by output."""
