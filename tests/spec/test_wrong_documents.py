"""Kinds of wrong documents, each with the sentence that is to help the person who wrote it."""

from typing import Any

import orjson
import pytest

from app.errors import InvalidDocument, MalformedDocument
from app.spec.checks import check_run
from app.spec.parsing import parse_run
from tests.support.documents import tiny_document

DENSE = {"type": "Dense", "units": 1, "activation": "sigmoid"}
X, Y = [[0, 0], [0, 1], [1, 0], [1, 1]], [[0], [1], [1], [1]]


def told(body: bytes) -> list[tuple[str, str]]:
    """What the document alone shows to be wrong, through to the shapes."""
    with pytest.raises(InvalidDocument) as caught:
        check_run(parse_run(body))
    return [tuple(problem) for problem in caught.value.problems]


def data(x: Any = X, y: Any = Y, **more: Any) -> dict[str, Any]:
    return {"dataset": {"inline": {"x": x, "y": y, **more}}}


def layers(*layers: dict[str, Any]) -> dict[str, Any]:
    return {"model": {"layers": list(layers)}}


WRONG: dict[str, tuple[dict[str, Any], str, str]] = {
    "unknown field": ({"optimiser": "adam"}, "/optimiser", 'Did you mean "optimizer"?'),
    "unknown field of a layer": (
        layers({"type": "Dense", "unit": 3}),
        "/model/layers/0/units",
        "Expected a value, as the field is required; received nothing.",
    ),
    "unknown layer": (layers({"type": "Dens", "units": 1}), "/model/layers/0/type", 'Did you mean "Dense"?'),
    "unknown activation": (
        layers({**DENSE, "activation": "sigmoit"}),
        "/model/layers/0/activation",
        'received "sigmoit". Did you mean "sigmoid"?',
    ),
    "unknown loss": ({"loss": "binary_crosentropy"}, "/loss", 'Did you mean "binary_crossentropy"?'),
    "unknown optimizer": ({"optimizer": "adamm"}, "/optimizer", 'received "adamm". Did you mean "Adam"?'),
    "unknown metric": ({"metrics": ["acuracy"]}, "/metrics/0", 'Did you mean "accuracy"?'),
    "units that aren't positive": (
        layers({"type": "Dense", "units": -1}),
        "/model/layers/0/units",
        "Expected a number >= 1; received -1.",
    ),
    "a number as text": (
        {"optimizer": {"type": "Adam", "learning_rate": "0.001"}},
        "/optimizer/learning_rate",
        'Expected a number; received "0.001".',
    ),
    "a fraction for an integer": (
        {"fit": {"epochs": 2.5}},
        "/fit/epochs",
        "Expected an integer; received 2.5.",
    ),
    "text in the data": (
        data(x=[[0, 0], [0, 1], [1, 0], [1, "one"]]),
        "/dataset/inline/x/3/1",
        'Expected a number; received "one".',
    ),
    "a missing value in the data": (
        data(x=[[0, 0], [None, 1], [1, 0], [1, 1]]),
        "/dataset/inline/x/1/0",
        "Expected a number; received null.",
    ),
    "ragged rows": (
        data(x=[[0, 0], [0, 1], [1], [1, 1]]),
        "/dataset/inline/x/2",
        "Expected 2 elements, as the first list has; received 1.",
    ),
    "no data": (
        data(x=[], y=[]),
        "/dataset/inline/x",
        "Expected at least one number; received an empty list.",
    ),
    "another number of targets": (
        data(y=[[0], [1]]),
        "/dataset/inline/y",
        "Expected 4 samples, as x has; received 2.",
    ),
    "rows out of range": (
        {"split": {"train": {"rows": [0, 5]}}},
        "/split/train/rows",
        "Expected rows up to the 4 samples there are; received [0, 5].",
    ),
    "a row in two parts": (
        {"split": {"train": {"rows": [0, 3]}, "validation": {"rows": [2, 4]}}},
        "/split/validation/rows",
        "Expected no row in two parts; received row 2 in train too.",
    ),
    "targets of another shape than the output": (
        layers({"type": "Dense", "units": 3, "activation": "sigmoid"}),
        "/dataset/inline/y",
        "Expected binary_crossentropy to have targets of shape [3], as dense has; received [1].",
    ),
    "targets out of the loss's range": (
        data(y=[[0], [1], [2], [1]]),
        "/dataset/inline/y/2",
        "Expected targets in [0, 1] for binary_crossentropy; received 2.",
    ),
    "an input of another shape than the data": (
        layers({"type": "Input", "shape": [3]}, DENSE),
        "/model/layers/0/shape",
        "Expected [2], the shape of the data; received [3].",
    ),
    "a layer that doesn't take the shape before it": (
        layers({"type": "Conv2D", "filters": 4, "kernel_size": 3}, DENSE),
        "/model/layers/0",
        "Expected an input with 3 axes besides the samples; received shape [2].",
    ),
    "an input that isn't a layer": (
        layers({"type": "Input"}, {**DENSE, "inputs": ["imput_layer"]}),
        "/model/layers/1/inputs/0",
        'received "imput_layer". Did you mean "input_layer"?',
    ),
    "two layers of one name": (
        layers({**DENSE, "name": "d"}, {**DENSE, "name": "d"}),
        "/model/layers/1/name",
        'Expected a name that no other layer has; received "d".',
    ),
    "a penalty on nothing": (
        {"penalties": [{"type": "norm", "of": "dense_7"}]},
        "/penalties/0/of",
        'received "dense_7".',
    ),
    "a limit that can't hold": (
        {"constraints": [{"quantity": {"type": "elements_above"}, "at_most": -1}]},
        "/constraints/0/at_most",
        "received -1.",
    ),
    "a monitor that isn't recorded": (
        {"fit": {"early_stopping": {"monitor": "val_loss"}}},
        "/fit/early_stopping/monitor",
        "There is no validation part in split.",
    ),
    "an expression that isn't one": (
        {"loss": {"type": "expression", "expression": "mean(square(y_true - y_pred)"}},
        "/loss/expression",
        "received",
    ),
    "code in an expression": (
        {"loss": {"type": "expression", "expression": "__import__('os').system('true')"}},
        "/loss/expression",
        "received",
    ),
}


@pytest.mark.parametrize("kind", WRONG)
def test_each_kind_is_told_with_its_place(kind: str) -> None:
    fields, pointer, ending = WRONG[kind]
    where, message = told(orjson.dumps(tiny_document(**fields)))[0]
    assert where == pointer
    assert message.startswith("Expected ")
    assert "received" in message
    assert message.endswith(ending) or ending == "received"


@pytest.mark.parametrize(
    ("body", "pointer", "part"),
    [
        (b'{"dataset": {"inline": {"x": [[1], [NaN]]}}}', "/dataset/inline/x/1/0", "received NaN."),
        (b'{"fit": {"epochs": 3,}}', "", "line 1 column 21"),
        (b"dataset: inline", "", "line 1 column 1"),
        (b"", "", "received an empty body."),
    ],
)
def test_what_is_not_json_is_told_with_its_place(body: bytes, pointer: str, part: str) -> None:
    with pytest.raises(MalformedDocument) as caught:
        parse_run(body)
    (problem,) = caught.value.problems
    assert problem.pointer == pointer
    assert problem.message.startswith("Expected ")
    assert part in problem.message


def test_several_mistakes_are_told_at_once() -> None:
    document = tiny_document(seed=-1, optimizer="adamm", fit={"epochs": 0}, metrics=["accuracy", "auk"])
    pointers = [pointer for pointer, _ in told(orjson.dumps(document))]
    assert pointers == ["/seed", "/optimizer", "/metrics/1", "/fit/epochs"]
