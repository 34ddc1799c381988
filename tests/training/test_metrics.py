"""Metrics in a compiled loop give what Keras's metrics give outside, and are named as Keras names them."""

from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from pydantic import TypeAdapter

from app.spec.graph import Graph, Node
from app.spec.layers.core import Dense
from app.spec.metrics import METRICS, RISING, MetricsSpec
from app.training.metrics import build_metrics

SAMPLES, BATCHES, CLASSES = 8, 3, 4
GROUPS = 3
random = np.random.default_rng(5)
RAW = random.normal(size=(BATCHES, SAMPLES, CLASSES)).astype("float32")
PROBABILITIES = np.exp(RAW) / np.exp(RAW).sum(-1, keepdims=True)
LABELS = random.integers(0, CLASSES, size=(BATCHES, SAMPLES, 1)).astype("float32")
ONE_HOT = (np.arange(CLASSES) == LABELS).astype("float32")
BINARY = (LABELS > 1).astype("float32")
SCORES = (1 / (1 + np.exp(-RAW[..., :1] - BINARY))).astype("float32")
REAL = random.normal(size=RAW.shape).astype("float32")

CASES: list[tuple[Any, np.ndarray, np.ndarray, Any]] = [
    ("accuracy", BINARY, SCORES, keras.metrics.BinaryAccuracy()),
    ("accuracy", ONE_HOT, PROBABILITIES, keras.metrics.CategoricalAccuracy()),
    ("accuracy", LABELS, PROBABILITIES, keras.metrics.SparseCategoricalAccuracy()),
    ("binary_accuracy", BINARY, SCORES, keras.metrics.BinaryAccuracy()),
    (
        {"type": "binary_accuracy", "threshold": 0.3},
        BINARY,
        SCORES,
        keras.metrics.BinaryAccuracy(threshold=0.3),
    ),
    ("categorical_accuracy", ONE_HOT, PROBABILITIES, keras.metrics.CategoricalAccuracy()),
    ("sparse_categorical_accuracy", LABELS, PROBABILITIES, keras.metrics.SparseCategoricalAccuracy()),
    (
        {"type": "top_k_categorical_accuracy", "k": 2},
        ONE_HOT,
        PROBABILITIES,
        keras.metrics.TopKCategoricalAccuracy(k=2),
    ),
    (
        {"type": "sparse_top_k_categorical_accuracy", "k": 2},
        LABELS,
        PROBABILITIES,
        keras.metrics.SparseTopKCategoricalAccuracy(k=2),
    ),
    ("precision", BINARY, SCORES, keras.metrics.Precision()),
    ({"type": "precision", "thresholds": 0.3}, BINARY, SCORES, keras.metrics.Precision(thresholds=0.3)),
    ({"type": "precision", "top_k": 2}, ONE_HOT, PROBABILITIES, keras.metrics.Precision(top_k=2)),
    ("recall", BINARY, SCORES, keras.metrics.Recall()),
    ({"type": "recall", "class_id": 1}, ONE_HOT, PROBABILITIES, keras.metrics.Recall(class_id=1)),
    ("true_positives", BINARY, SCORES, keras.metrics.TruePositives()),
    ("true_negatives", BINARY, SCORES, keras.metrics.TrueNegatives()),
    ("false_positives", BINARY, SCORES, keras.metrics.FalsePositives()),
    (
        {"type": "false_negatives", "thresholds": 0.7},
        BINARY,
        SCORES,
        keras.metrics.FalseNegatives(thresholds=0.7),
    ),
    ("f1_score", BINARY, SCORES, keras.metrics.F1Score(threshold=0.5, average="macro")),
    ("f1_score", ONE_HOT, PROBABILITIES, keras.metrics.F1Score(average="macro")),
    (
        {"type": "fbeta_score", "beta": 2, "average": "weighted", "threshold": 0.2},
        ONE_HOT,
        PROBABILITIES,
        keras.metrics.FBetaScore(beta=2.0, average="weighted", threshold=0.2),
    ),
    (
        {"type": "f1_score", "average": "micro"},
        ONE_HOT,
        PROBABILITIES,
        keras.metrics.F1Score(average="micro"),
    ),
    ("auc", BINARY, SCORES, keras.metrics.AUC()),
    ({"type": "auc", "curve": "PR"}, BINARY, SCORES, keras.metrics.AUC(curve="PR")),
    ({"type": "auc", "multi_label": True}, ONE_HOT, PROBABILITIES, keras.metrics.AUC(multi_label=True)),
    ({"type": "auc", "from_logits": True}, BINARY, RAW[..., :1], keras.metrics.AUC(from_logits=True)),
    ({"type": "precision_at_recall", "recall": 0.6}, BINARY, SCORES, keras.metrics.PrecisionAtRecall(0.6)),
    ({"type": "recall_at_precision", "precision": 0.6}, BINARY, SCORES, keras.metrics.RecallAtPrecision(0.6)),
    (
        {"type": "sensitivity_at_specificity", "specificity": 0.6},
        BINARY,
        SCORES,
        keras.metrics.SensitivityAtSpecificity(0.6),
    ),
    (
        {"type": "specificity_at_sensitivity", "sensitivity": 0.6},
        BINARY,
        SCORES,
        keras.metrics.SpecificityAtSensitivity(0.6),
    ),
    ("mean_squared_error", REAL, RAW, keras.metrics.MeanSquaredError()),
    ("root_mean_squared_error", REAL, RAW, keras.metrics.RootMeanSquaredError()),
    ("mean_absolute_error", REAL, RAW, keras.metrics.MeanAbsoluteError()),
    ("mean_absolute_percentage_error", REAL, RAW, keras.metrics.MeanAbsolutePercentageError()),
    ("mean_squared_logarithmic_error", ONE_HOT, PROBABILITIES, keras.metrics.MeanSquaredLogarithmicError()),
    ("log_cosh", REAL, RAW, keras.metrics.LogCoshError()),
    ("kl_divergence", ONE_HOT, PROBABILITIES, keras.metrics.KLDivergence()),
    ("poisson", ONE_HOT, PROBABILITIES, keras.metrics.Poisson()),
    ("hinge", BINARY, SCORES, keras.metrics.Hinge()),
    ("squared_hinge", BINARY, SCORES, keras.metrics.SquaredHinge()),
    ("categorical_hinge", ONE_HOT, PROBABILITIES, keras.metrics.CategoricalHinge()),
    ("cosine_similarity", REAL, RAW, keras.metrics.CosineSimilarity()),
    ("pearson_correlation", REAL, RAW, keras.metrics.PearsonCorrelation()),
    ("concordance_correlation", REAL, RAW, keras.metrics.ConcordanceCorrelation()),
    ("r2_score", REAL, RAW, keras.metrics.R2Score()),
    (
        {"type": "r2_score", "class_aggregation": "variance_weighted_average"},
        REAL,
        RAW,
        keras.metrics.R2Score(class_aggregation="variance_weighted_average"),
    ),
    ("binary_crossentropy", BINARY, SCORES, keras.metrics.BinaryCrossentropy()),
    (
        {"type": "categorical_crossentropy", "from_logits": True, "label_smoothing": 0.1},
        ONE_HOT,
        RAW,
        keras.metrics.CategoricalCrossentropy(from_logits=True, label_smoothing=0.1),
    ),
    ("sparse_categorical_crossentropy", LABELS, PROBABILITIES, keras.metrics.SparseCategoricalCrossentropy()),
    (
        {"type": "sparse_categorical_crossentropy", "ignore_class": 1},
        LABELS,
        PROBABILITIES,
        keras.metrics.SparseCategoricalCrossentropy(ignore_class=1),
    ),
]


def read(document: Any) -> Any:
    return TypeAdapter(MetricsSpec).validate_python(document)


def graph(**outputs: int) -> Graph:
    nodes = tuple(
        Node(name, Dense(type="Dense", units=units), ("x",), ((2,),), (units,), 0, "/model/layers/0")
        for name, units in outputs.items()
    )
    return Graph(nodes, {"x": (2,)}, {name: name for name in outputs})


def test_every_metric_has_a_case() -> None:
    assert {case if isinstance(case, str) else case["type"] for case, *_ in CASES} == set(METRICS)


@pytest.mark.parametrize("group", range(GROUPS))
def test_metrics_in_a_compiled_loop_equal_keras_own(group: int) -> None:
    # Several metrics share one compilation, as in a run.
    cases = CASES[group::GROUPS]
    built = [
        build_metrics(read([document]), graph(out=y_pred.shape[-1]))[0].metric
        for document, _, y_pred, _ in cases
    ]
    data = [(tf.constant(y_true), tf.constant(y_pred)) for _, y_true, y_pred, _ in cases]

    @tf.function(jit_compile=True, autograph=False)
    def run(states: Any) -> Any:
        def step(i: Any, states: Any) -> Any:
            updated = [
                list(metric.stateless_update_state(state, y_true[i], y_pred[i]))
                for metric, state, (y_true, y_pred) in zip(built, states, data, strict=True)
            ]
            return i + 1, updated

        _, states = tf.while_loop(lambda i, _: i < BATCHES, step, (tf.constant(0), states))
        return [metric.stateless_result(state) for metric, state in zip(built, states, strict=True)]

    results = run([[tf.constant(v.numpy()) for v in metric.variables] for metric in built])
    for (document, y_true, y_pred, expected), result in zip(cases, results, strict=True):
        expected.reset_state()
        for batch in range(BATCHES):
            expected.update_state(y_true[batch], y_pred[batch])
        assert result.shape == (), document
        np.testing.assert_allclose(
            result, float(expected.result()), rtol=1e-5, atol=1e-6, err_msg=str(document)
        )


def test_directions_are_those_that_keras_knows() -> None:
    for document, _, _, metric in CASES:
        kind = document if isinstance(document, str) else document["type"]
        direction = getattr(metric, "_direction", None)
        if direction is not None:  # Keras doesn't know that of counts and cross-entropies
            assert (kind in RISING) == (direction == "up"), kind


def test_names_are_those_of_keras_history() -> None:
    metrics = {"a": ["accuracy", "mse", {"type": "auc", "name": "area"}], "b": ["mae", "mae"]}
    names = [m.name for m in build_metrics(read(metrics), graph(a=1, b=2))]
    assert names == [
        "a_accuracy",
        "a_mean_squared_error",
        "a_area",
        "b_mean_absolute_error",
        "b_mean_absolute_error_1",
    ]

    inputs = keras.Input((2,))
    outputs = {"a": keras.layers.Dense(1, name="a")(inputs), "b": keras.layers.Dense(2, name="b")(inputs)}
    model = keras.Model(inputs, outputs)
    keras_metrics = {
        "a": ["accuracy", "mean_squared_error", keras.metrics.AUC(name="area")],
        "b": ["mean_absolute_error", "mean_absolute_error"],
    }
    model.compile(loss="mse", metrics=keras_metrics)
    targets = {"a": np.zeros((4, 1)), "b": np.zeros((4, 2))}
    history = model.fit(np.zeros((4, 2)), targets, verbose=0).history
    assert set(names) <= set(history)


def test_one_output_gives_plain_names() -> None:
    assert [m.name for m in build_metrics(read(["acc", "AUC"]), graph(out=1))] == ["accuracy", "auc"]


def test_a_plain_list_goes_to_every_output() -> None:
    built = build_metrics(read(["accuracy"]), graph(a=1, b=3))
    assert [(m.name, m.output) for m in built] == [("a_accuracy", "a"), ("b_accuracy", "b")]


def test_building_leaves_no_trace_in_the_state() -> None:
    (built,) = build_metrics(read(["r2_score"]), graph(out=4))
    assert all(not np.asarray(v).any() for v in built.metric.variables)
