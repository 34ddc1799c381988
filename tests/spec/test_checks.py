"""Whether the parts of a document fit together."""

from typing import Any

import numpy as np
import pytest

from app.errors import InvalidDocument
from app.spec.checks import check_run
from app.spec.columns import with_mode
from app.spec.model import resolve_graph
from app.spec.parsing import parse_run
from tests.support.documents import tiny_document

IMAGES = np.zeros((4, 6, 6, 1)).tolist()
CLASSES = [0, 1, 2, 1]
ONE_HOT = np.eye(3)[CLASSES].tolist()
SOFTMAX = {"layers": [{"type": "Dense", "units": 3, "activation": "softmax"}]}
TWO_OUTPUTS = {
    "layers": [
        {"type": "Input", "name": "x"},
        {"type": "Dense", "name": "a", "units": 1, "inputs": "x"},
        {"type": "Dense", "name": "b", "units": 2, "inputs": "x"},
    ],
    "outputs": ["a", "b"],
}
EMBEDDING = {
    "layers": [
        {"type": "Embedding", "input_dim": 3, "output_dim": 2},
        {"type": "Flatten"},
        {"type": "Dense", "units": 1, "activation": "sigmoid"},
    ]
}
TWO_TARGETS = {"a": [0, 1, 0, 1], "b": [[1, 2]] * 4}


def inline(x: Any = None, y: Any = None, **more: Any) -> dict[str, Any]:
    return {"inline": {"x": x or [[0, 0], [0, 1], [1, 0], [1, 1]], "y": y or [0, 1, 1, 1], **more}}


def check(**fields: Any) -> Any:
    return check_run(parse_run(tiny_document(**fields)))


def problem(**fields: Any) -> tuple[str, str]:
    with pytest.raises(InvalidDocument) as caught:
        check(**fields)
    return tuple(caught.value.problems[0])


def test_a_checked_run_is_summarized() -> None:
    summary = check(
        model={
            "layers": [
                {"type": "Dense", "units": 5, "kernel_regularizer": {"l1": 0.1}},
                {"type": "Dense", "units": 1, "activation": "sigmoid"},
            ]
        },
        penalties=[{"type": "elements_above"}],
    )
    assert summary.parameter_count == 21
    assert summary.inputs == {"input_layer": (2,)}
    assert summary.outputs == {"dense_1": (1,)}
    assert summary.terms == ["binary_crossentropy", "elements_above", "dense_kernel_l1"]
    assert [(layer.name, layer.type, layer.shape) for layer in summary.layers] == [
        ("input_layer", "Input", (2,)),
        ("dense", "Dense", (5,)),
        ("dense_1", "Dense", (1,)),
    ]


@pytest.mark.parametrize(
    "fields",
    [
        {"dataset": inline(y=ONE_HOT), "model": SOFTMAX, "loss": "categorical_crossentropy"},
        {
            "dataset": inline(y=CLASSES),
            "model": SOFTMAX,
            "loss": "sparse_categorical_crossentropy",
            "metrics": ["accuracy"],
        },
        {
            "dataset": inline(y=TWO_TARGETS),
            "model": TWO_OUTPUTS,
            "loss": {"a": "mse", "b": "mae"},
            "metrics": {"b": ["mse"]},
        },
        {"dataset": inline(x={"anything": [1, 2, 3, 4]})},
        {"split": {"train": {"rows": [0, 3]}, "validation": {"rows": [3, 4]}}, "fit": {"early_stopping": {}}},
        {
            "penalties": [{"type": "norm", "of": {"weights": "dense"}}],
            "fit": {"early_stopping": {"monitor": "norm"}},
        },
        {
            "metrics": ["accuracy"],
            "fit": {"early_stopping": {"monitor": "accuracy"}, "class_weight": {"1": 2}},
        },
        {
            "dataset": inline(x=CLASSES),
            "model": EMBEDDING,
        },
    ],
    ids=lambda fields: ",".join(fields),
)
def test_parts_that_fit_together_pass(fields: Any) -> None:
    check(**fields)


@pytest.mark.parametrize(
    ("fields", "pointer", "message"),
    [
        (
            {"dataset": inline(y=TWO_TARGETS)},
            "/dataset/inline/y/a",
            'Expected targets by the names of outputs (dense); received "a".',
        ),
        (
            {"dataset": inline(y={"dens": [0, 1, 1, 1]})},
            "/dataset/inline/y/dens",
            'Expected targets by the names of outputs (dense); received "dens". Did you mean "dense"?',
        ),
        (
            {"dataset": inline(), "model": TWO_OUTPUTS},
            "/dataset/inline/y",
            "Expected targets by the names of outputs (a, b); received one array without a name.",
        ),
        (
            {"dataset": inline(y={"a": [0, 1, 0, 1]}), "model": TWO_OUTPUTS, "loss": "mse"},
            "/dataset/inline/y/b",
            "Expected targets for the loss of the output b; received none.",
        ),
        (
            {
                "dataset": inline(y={"a": [0, 1, 0, 1]}),
                "model": TWO_OUTPUTS,
                "loss": {"a": "mse"},
                "metrics": ["mse"],
            },
            "/metrics/0",
            "Expected an output with targets; received b, without any.",
        ),
        (
            {"split": {"train": {"rows": [0, 9]}}},
            "/split/train/rows",
            "Expected rows up to the 4 samples there are; received [0, 9].",
        ),
        ({"penalties": [{"type": "elements_above", "of": "dens"}]}, "/penalties/0/of", None),
        ({"penalties": [{"type": "linear", "coefficients": [1, 2]}]}, "/penalties/0/coefficients", None),
        (
            {"penalties": [{"type": "excess_above", "threshold": {"column": "limit"}}]},
            "/penalties/0/threshold/column",
            None,
        ),
        (
            {"metrics": {"dens": ["mse"]}},
            "/metrics/dens",
            'Expected the name of an output; received "dens". Did you mean "dense"?',
        ),
        (
            {"metrics": ["categorical_accuracy"]},
            "/metrics/0",
            "Expected an output of at least 2 classes for categorical_accuracy; received dense of shape [1].",
        ),
        (
            {"metrics": [{"type": "precision", "top_k": 2}]},
            "/metrics/0/top_k",
            "Expected at most 1, the classes of dense; received 2.",
        ),
        (
            {"metrics": [{"type": "recall", "class_id": 1}]},
            "/metrics/0/class_id",
            "Expected a class from 0 to 0, as dense has; received 1.",
        ),
        (
            {"metrics": [{"type": "cosine_similarity", "axis": 2}]},
            "/metrics/0/axis",
            "Expected an axis from 1 to 1, or from -1 to -1; received 2.",
        ),
        (
            {
                "dataset": inline(y=CLASSES),
                "model": SOFTMAX,
                "loss": "sparse_categorical_crossentropy",
                "metrics": ["mse"],
            },
            "/metrics/0",
            "Expected targets of shape [3] for mean_squared_error of dense; received [1].",
        ),
        (
            {
                "dataset": inline(y=ONE_HOT),
                "model": SOFTMAX,
                "loss": "categorical_crossentropy",
                "metrics": ["sparse_categorical_accuracy"],
            },
            "/metrics/0",
            "Expected targets of shape [1] for sparse_categorical_accuracy of dense; received [3].",
        ),
        (
            {
                "dataset": inline(y=IMAGES),
                "model": {
                    "layers": [
                        {"type": "Input", "shape": [2]},
                        {"type": "Dense", "units": 36},
                        {"type": "Reshape", "target_shape": [6, 6, 1]},
                    ]
                },
                "loss": "mse",
                "metrics": ["f1_score"],
            },
            "/metrics/0",
            "Expected an output with one axis besides the samples for f1_score; received reshape of "
            "shape [6, 6, 1].",
        ),
        (
            {"augmentation": ["RandomFlip"]},
            "/augmentation/0",
            "Expected images, [height, width, channels], for RandomFlip; received [2].",
        ),
        (
            {"augmentation": [{"type": "GaussianNoise", "stddev": 1, "input": "inputlayer"}]},
            "/augmentation/0/input",
            'Expected the name of an input; received "inputlayer". Did you mean "input_layer"?',
        ),
        (
            {
                "augmentation": ["MixUp"],
                "dataset": inline(y=CLASSES),
                "model": SOFTMAX,
                "loss": "sparse_categorical_crossentropy",
            },
            "/augmentation/0",
            "Expected targets that can be blended, such as one-hot ones, for MixUp; received classes by "
            "number for sparse_categorical_crossentropy.",
        ),
        (
            {"fit": {"early_stopping": {}}},
            "/fit/early_stopping/monitor",
            'Expected a column of the history (loss); received "val_loss". There is no validation part '
            "in split.",
        ),
        (
            {"fit": {"reduce_lr_on_plateau": {"monitor": "acuracy"}}, "metrics": ["accuracy"]},
            "/fit/reduce_lr_on_plateau/monitor",
            'Expected a column of the history (loss, accuracy); received "acuracy". Did you mean "accuracy"?',
        ),
        (
            {"fit": {"gradient_clip": {"clipnorm": 1}}, "optimizer": {"type": "SGD", "clipvalue": 1}},
            "/fit/gradient_clip",
            "Expected one clip of gradients; received clipvalue of the optimizer too.",
        ),
        (
            {"fit": {"class_weight": {"1": 2}}, "dataset": inline(y=[0.5, 0, 1, 1])},
            "/fit/class_weight",
            "Expected targets that name a sample's class, by number or one-hot; received others.",
        ),
        (
            {
                "fit": {"class_weight": {"1": 2}},
                "dataset": inline(y=TWO_TARGETS),
                "model": TWO_OUTPUTS,
                "loss": "mse",
            },
            "/fit/class_weight",
            "Expected a single output, as in Keras; received 2. A loss can have a class_weight of its own.",
        ),
        (
            {
                "dataset": inline(x=[[0, 1], [2, 3], [0, 1], [1, 2]]),
                "model": EMBEDDING,
            },
            "/dataset/inline/x/1/1",
            "Expected an integer from 0 to 2, as embedding has 3 vectors; received 3.",
        ),
        (
            {
                "dataset": inline(x={"words": [0, 1.5, 2, 1]}),
                "model": EMBEDDING,
            },
            "/dataset/inline/x/words/1",
            "Expected an integer from 0 to 2, as embedding has 3 vectors; received 1.5.",
        ),
        (
            {
                "augmentation": ["MixUp"],
                "dataset": inline(x=CLASSES),
                "model": EMBEDDING,
            },
            "/augmentation/0",
            "Expected an input of measured numbers for MixUp; received input_layer, which an Embedding "
            "reads.",
        ),
    ],
)
def test_parts_that_do_not_fit_are_told(fields: Any, pointer: str, message: str | None) -> None:
    where, said = problem(**fields)
    assert where == pointer
    # What quantities say is tested with them.
    assert message is None or said == message


def test_a_list_of_metrics_fits_every_output() -> None:
    check(dataset=inline(y=TWO_TARGETS), model=TWO_OUTPUTS, loss="mse", metrics=["mse"])
    assert (
        problem(
            dataset=inline(y=TWO_TARGETS),
            model=TWO_OUTPUTS,
            loss="mse",
            metrics=["f1_score", {"type": "precision", "class_id": 1}],
        )[0]
        == "/metrics/1/class_id"
    )


@pytest.mark.parametrize(
    ("monitor", "mode"),
    [
        ("loss", "min"),
        ("val_loss", "min"),
        ("area", "max"),
        ("val_area", "max"),
        ("mean_squared_error", "min"),
        ("elements_above", "min"),
    ],
)
def test_auto_mode_follows_the_metric_and_not_its_name(monitor: str, mode: str) -> None:
    run = parse_run(
        tiny_document(
            metrics=[{"type": "auc", "name": "area"}, "mse"],
            penalties=[{"type": "elements_above"}],
            fit={"early_stopping": {"monitor": monitor}},
        )
    )
    assert run.fit.early_stopping is not None
    graph = resolve_graph(run.model, {"x": (2,)})
    assert with_mode(run.fit.early_stopping, run, graph).mode == mode
