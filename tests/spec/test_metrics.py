"""The `metrics` field: names, objects, lists by output, and the columns that come of them."""

from typing import Any

import pytest

from app.errors import InvalidDocument
from app.spec.base import SpecModel
from app.spec.metrics import METRICS, MetricsSpec
from app.spec.parsing import parse
from app.spec.reported_metrics import reported_metrics


class Document(SpecModel):
    metrics: MetricsSpec = ()


def read(metrics: Any) -> Any:
    return parse(Document, {"metrics": metrics}).metrics


def names(metrics: Any, *outputs: str) -> list[str]:
    return [reported.name for reported in reported_metrics(read(metrics), outputs)]


def problem(metrics: Any) -> tuple[str, str]:
    with pytest.raises(InvalidDocument) as caught:
        read(metrics)
    return tuple(caught.value.problems[0])


@pytest.mark.parametrize(
    ("written", "recorded"),
    [
        ("accuracy", "accuracy"),
        ("acc", "accuracy"),
        ("mse", "mean_squared_error"),
        ("MeanSquaredError", "mean_squared_error"),
        ("AUC", "auc"),
        ("F1Score", "f1_score"),
        ("top_k_accuracy", "top_k_categorical_accuracy"),
        ({"type": "AUC", "curve": "PR"}, "auc"),
        ({"type": "auc", "curve": "PR", "name": "pr_auc"}, "pr_auc"),
    ],
)
def test_spellings_of_keras_are_known_and_recorded_in_full(written: Any, recorded: str) -> None:
    assert names([written], "out") == [recorded]


def test_every_metric_without_required_arguments_may_be_named_alone() -> None:
    needed = {
        "precision_at_recall",
        "recall_at_precision",
        "sensitivity_at_specificity",
        "specificity_at_sensitivity",
    }
    assert len(read([name for name in METRICS if name not in needed])) == len(METRICS) - len(needed)


def test_a_list_goes_to_every_output_and_names_begin_with_it() -> None:
    assert names(["mae", "mse"], "a", "b") == [
        "a_mean_absolute_error",
        "a_mean_squared_error",
        "b_mean_absolute_error",
        "b_mean_squared_error",
    ]


def test_metrics_by_output_may_stand_alone() -> None:
    assert names({"b": "mae", "a": ["acc", {"type": "auc"}]}, "a", "b") == [
        "b_mean_absolute_error",
        "a_accuracy",
        "a_auc",
    ]


def test_repeated_names_are_numbered() -> None:
    assert names(["auc", {"type": "auc", "curve": "PR"}, "auc"], "out") == ["auc", "auc_1", "auc_2"]


def test_pointers_lead_to_the_metric() -> None:
    reported = reported_metrics(read({"a/b": ["mae", "mse"]}), ["a/b", "c"])
    assert [found.pointer for found in reported] == ["/metrics/a~1b/0", "/metrics/a~1b/1"]


@pytest.mark.parametrize(
    ("metrics", "pointer", "ending"),
    [
        (["acuracy"], "/0", 'received "acuracy". Did you mean "accuracy"?'),
        ({"out": ["acuracy"]}, "/out/0", 'received "acuracy". Did you mean "accuracy"?'),
        ("accuracy", "", 'Expected a list; received "accuracy".'),
        ([3], "/0", "Expected a name, or an object with a type; received 3."),
        ([{"type": "auc", "curve": "roc"}], "/0/curve", 'received "roc". Did you mean "ROC"?'),
        ([{"type": "precision", "thresholds": 2}], "/0/thresholds", "Expected a number <= 1.0; received 2."),
        ([{"type": "precision_at_recall"}], "/0/recall", "received nothing."),
        (
            [{"type": "mae", "axis": 1}],
            "/0/axis",
            'Expected one of the fields "type", "name"; received "axis".',
        ),
        ([{"type": "mae", "name": "loss"}], "/0/name", 'and without "val_" before it; received "loss".'),
        ([{"type": "mae", "name": "val_mae"}], "/0/name", 'received "val_mae".'),
    ],
)
def test_what_is_wrong_is_told(metrics: Any, pointer: str, ending: str) -> None:
    where, message = problem(metrics)
    assert where == f"/metrics{pointer}"
    assert message.endswith(ending)
