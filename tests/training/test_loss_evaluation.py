"""A loss on given numbers, as `POST /losses/evaluate` answers it."""

import json
from math import log

import pytest

from app.errors import InvalidDocument
from app.training.loss_evaluation import evaluate_loss

Y_TRUE = [1, 2, 0.5, 1.5, 3]
Y_PRED = [0.8, 2.5, 0.2, 1.2, 3.5]


def expression(text):
    return {"type": "expression", "expression": text}


def excess(norm, weight=1, reduction="sum"):
    return {"type": "excess_above", "threshold": 1, "norm": norm, "weight": weight, "reduction": reduction}


def evaluate(loss, y_true=Y_TRUE, y_pred=Y_PRED, penalties=()):
    answer = evaluate_loss({"loss": loss, "penalties": list(penalties), "y_true": y_true, "y_pred": y_pred})
    json.dumps(answer, allow_nan=False)
    return answer


def test_threshold_losses_on_fixed_numbers():
    answer = evaluate("mean_squared_error", penalties=[excess("l1", weight=0.5)])
    assert answer["value"] == pytest.approx(2.244)
    assert answer["terms"] == pytest.approx({"mean_squared_error": 0.144, "excess_above": 2.1})
    slopes = [2 * (p - y) / 5 + 0.5 * (p > 1) for y, p in zip(Y_TRUE, Y_PRED, strict=True)]
    assert answer["gradient"] == pytest.approx(slopes)
    both = evaluate("mean_squared_error", penalties=[excess("l1"), excess("l2")])
    assert both["terms"] == pytest.approx(
        {"mean_squared_error": 0.144, "excess_above": 4.2, "excess_above_1": 8.54}
    )


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("sum(square(relu(y_pred - 1)))", 8.54),
        ("sum(relu(y_pred - 1))", 4.2),
        ("mean(square(y_true - y_pred)) + 0.5 * sum(relu(y_pred - 1))", 2.244),
    ],
)
def test_the_same_as_expressions(text, value):
    assert evaluate(expression(text))["value"] == pytest.approx(value)


def test_the_gradient_is_nested_as_the_predictions():
    answer = evaluate("mse", y_true=[[[1, 2]], [[3, 4]]], y_pred=[[[1, 1]], [[3, 3]]])
    assert answer["gradient"] == [[[0, -0.5]], [[0, -0.5]]]


def test_several_outputs():
    answer = evaluate(
        {"class": "sparse_categorical_crossentropy", "box": {"loss": "iou", "weight": 2}},
        y_true={"class": [1], "box": [[0, 0, 2, 2]]},
        y_pred={"class": [[0.5, 0.5]], "box": [[1, 0, 3, 2]]},
    )
    assert answer["terms"] == pytest.approx({"class_loss": log(2), "box_loss": 4 / 3})
    assert answer["value"] == pytest.approx(log(2) + 4 / 3)
    assert set(answer["gradient"]) == {"class", "box"}


def test_an_output_without_loss_has_no_gradient():
    answer = evaluate({"a": "mse"}, y_true={"a": [1], "b": [1]}, y_pred={"a": [0], "b": [0]})
    assert answer["gradient"] == {"a": [-2.0], "b": [0.0]}


def test_what_is_not_finite_is_null():
    answer = evaluate(expression("mean(log(y_pred))"), y_true=[1, 1], y_pred=[0, 1])
    assert answer == {"value": None, "terms": {"expression": None}, "gradient": [None, 0.5]}


@pytest.mark.parametrize(
    ("change", "pointer", "words"),
    [
        ({"loss": "hubr"}, "/loss", 'Did you mean "huber"?'),
        ({"loss": {"type": "huber", "delta": -1}}, "/loss/delta", "Expected a number > 0"),
        ({"loss": "bce"}, "/y_true/1", "Expected targets in [0, 1]"),
        ({"loss": {"left": "mse"}}, "/loss/left", "Expected the name of an output"),
        ({"loss": "giou"}, "/loss", "boxes, 4 numbers each"),
        ({"loss": expression("y_pred +")}, "/loss/expression", "at character 9"),
        ({"y_pred": [[1], [1], [True], [1], [1]]}, "/y_pred/2/0", "Expected a number; received true"),
        ({"y_pred": [[1], [1], [1, 2], [1], [1]]}, "/y_pred/2", "received 2"),
        ({"y_pred": [1, 2]}, "/y_true", "Expected 2 samples; received 5"),
        ({"y_pred": [[1, 2]] * 5}, "/y_true", "of shape [2], as output has; received [1]"),
        ({"y_pred": {"left": Y_PRED}}, "/y_true", "outputs named left; received one array"),
        ({"y_pred": []}, "/y_pred", "received an empty list"),
        ({"y_prd": []}, "/y_prd", 'Did you mean "y_pred"?'),
        ({"penalties": [{**excess("l1"), "of": "dense"}]}, "/penalties/0/of", 'received "dense"'),
        (
            {"penalties": [{"type": "norm", "of": {"weights": "dense"}}]},
            "/penalties/0/of/weights",
            "a layer with weights, but there is none",
        ),
        (
            {"penalties": [{"type": "excess_above", "threshold": {"column": "limit"}}]},
            "/penalties/0/threshold/column",
            "a column of the dataset, but there is none",
        ),
        (
            {"penalties": [{"type": "linear", "coefficients": [1, 2]}]},
            "/penalties/0/coefficients",
            "received 2",
        ),
        (
            {"penalties": [{"type": "excess_above", "threshold": [1, 2]}]},
            "/penalties/0/threshold",
            "received 2",
        ),
    ],
    ids=str,
)
def test_mistakes_are_pointed_at(change, pointer, words):
    with pytest.raises(InvalidDocument) as caught:
        evaluate_loss({"loss": "mse", "y_true": Y_TRUE, "y_pred": Y_PRED} | change)
    assert caught.value.problems[0].pointer == pointer
    assert words in caught.value.problems[0].message


def test_one_of_several_outputs_must_be_named_in_a_penalty():
    arrays = {"a": [1.0], "b": [2.0]}
    with pytest.raises(InvalidDocument) as caught:
        evaluate("mse", y_true=arrays, y_pred=arrays, penalties=[excess("l1")])
    assert caught.value.problems[0].pointer == "/penalties/0/of"
    answer = evaluate("mse", y_true=arrays, y_pred=arrays, penalties=[{**excess("l1"), "of": "b"}])
    assert answer["terms"] == {"a_loss": 0, "b_loss": 0, "excess_above": 1}
