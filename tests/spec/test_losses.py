"""The loss of a run document: its forms, its parts, and whether it fits outputs and targets."""

import numpy as np
import pytest

from app.errors import FieldProblem, InvalidDocument
from app.spec.base import SpecModel
from app.spec.losses import LOSSES, LossSpec, check_loss, loss_parts
from app.spec.parsing import parse


class Document(SpecModel):
    loss: LossSpec


def read(loss):
    return parse(Document, {"loss": loss}).loss


def refused(loss) -> FieldProblem:
    with pytest.raises(InvalidDocument) as caught:
        read(loss)
    (problem,) = caught.value.problems
    return problem


def minimal(name: str) -> dict:
    return {"type": name, **({"expression": "mean(y_pred)"} if name == "expression" else {})}


def summed(*losses) -> dict:
    return {"type": "sum", "terms": [{"loss": loss} for loss in losses]}


def parts(loss, outputs=("dense",)):
    return [
        (part.name, part.output, part.loss.type, part.weight, part.pointer)
        for part in loss_parts(read(loss), outputs)
    ]


@pytest.mark.parametrize(
    "name",
    ["mean_squared_error", "mse", "MSE", "MeanSquaredError", "Mean_Squared_Error"],
)
def test_a_name_in_any_of_keras_spellings_is_recorded_as_an_object(name):
    assert read(name).document() == {
        "type": "mean_squared_error",
        "reduction": "sum_over_batch_size",
        "class_weight": None,
    }
    assert read({"type": name}) == read(name)


@pytest.mark.parametrize(
    "loss",
    [
        *(minimal(name) for name in LOSSES),
        {"type": "huber", "delta": 2, "class_weight": {"0": 1, "1": 3}},
        {
            "type": "sum",
            "terms": [{"loss": "mse"}, {"loss": {"type": "pinball", "quantile": 0.9}, "weight": 2}],
        },
        {"class": "categorical_crossentropy", "box": {"loss": "giou", "weight": 0.5}},
        {"a": {"type": "sum", "terms": [{"loss": "mse"}]}},
    ],
    ids=str,
)
def test_what_is_recorded_reads_as_the_same(loss):
    document = Document(loss=read(loss)).document()
    assert parse(Document, document) == Document(loss=read(loss))


def test_a_single_loss_is_one_part_named_as_the_loss():
    assert parts("mse") == [("mean_squared_error", "dense", "mean_squared_error", 1.0, "/loss")]


def test_a_sum_has_a_part_for_each_term():
    loss = {"type": "sum", "terms": [{"loss": "mse"}, {"loss": {"type": "huber"}, "weight": 0.5}]}
    assert parts(loss) == [
        ("mean_squared_error", "dense", "mean_squared_error", 1.0, "/loss/terms/0/loss"),
        ("huber", "dense", "huber", 0.5, "/loss/terms/1/loss"),
    ]


def test_losses_by_output_are_named_as_keras_names_them():
    summed = {"type": "sum", "terms": [{"loss": "smooth_l1", "weight": 3}, {"loss": "iou"}]}
    assert parts({"class": "bce", "box": {"loss": summed, "weight": 2}, "a/b": "mae"}) == [
        ("class_loss", "class", "binary_crossentropy", 1.0, "/loss/class"),
        ("box_smooth_l1", "box", "smooth_l1", 6.0, "/loss/box/loss/terms/0/loss"),
        ("box_iou", "box", "iou", 2.0, "/loss/box/loss/terms/1/loss"),
        ("a/b_loss", "a/b", "mean_absolute_error", 1.0, "/loss/a~1b"),
    ]


def test_a_loss_without_output_is_taken_on_each():
    assert parts("mae", ("left", "right")) == [
        ("left_loss", "left", "mean_absolute_error", 1.0, "/loss"),
        ("right_loss", "right", "mean_absolute_error", 1.0, "/loss"),
    ]


@pytest.mark.parametrize(
    ("loss", "pointer", "words"),
    [
        ("binary_crossentropi", "/loss", 'Did you mean "binary_crossentropy"?'),
        ({"type": "hubr"}, "/loss/type", 'Did you mean "huber"?'),
        ({"type": "huber", "delt": 2}, "/loss/delt", 'Did you mean "delta"?'),
        ({"type": "huber", "delta": 0}, "/loss/delta", "Expected a number > 0"),
        ({"type": "huber", "delta": "2"}, "/loss/delta", 'Expected a number; received "2"'),
        ({"type": "huber", "delta": True}, "/loss/delta", "Expected a number; received true"),
        ({"type": "pinball", "quantile": 1}, "/loss/quantile", "Expected a number < 1"),
        ({"type": "bce", "label_smoothing": 2}, "/loss/label_smoothing", "Expected a number <= 1"),
        ({"type": "mse", "from_logits": True}, "/loss/from_logits", "Expected one of the fields"),
        ({"type": "mse", "reduction": None}, "/loss/reduction", "received null"),
        ({"type": "mse", "class_weight": {"cat": 2}}, "/loss/class_weight/cat", "a class's number"),
        ({"type": "mse", "class_weight": {"1": -2}}, "/loss/class_weight/1", "Expected a number >= 0"),
        ({"class": "giuo"}, "/loss/class", 'Did you mean "giou"?'),
        ({"box": {"loss": "giuo", "weight": 2}}, "/loss/box/loss", 'Did you mean "giou"?'),
        ({"box": {"loss": "giou", "wieght": 2}}, "/loss/box/wieght", 'Did you mean "weight"?'),
        ({"box": {"loss": "giou", "weight": -1}}, "/loss/box/weight", "Expected a number >= 0"),
        ({"box": {"weight": 2}}, "/loss/box/loss", "received nothing"),
        ({"box": {"type": "huber", "dleta": 2}}, "/loss/box/dleta", 'Did you mean "delta"?'),
        ({"loss": "mse", "weight": 2}, "/loss/weight", "Expected a loss"),
        ({"type": "sum", "terms": []}, "/loss/terms", "at least 1"),
        (summed("hubr"), "/loss/terms/0/loss", 'Did you mean "huber"?'),
        (
            {"type": "sum", "terms": [{"loss": {"type": "huber", "delta": -1}}]},
            "/loss/terms/0/loss/delta",
            "> 0",
        ),
        (
            {"type": "sum", "terms": [{"loss": {"type": "sum", "terms": []}}]},
            "/loss/terms/0/loss/type",
            '"sum"',
        ),
        ({}, "/loss", "received an empty object"),
        (["mse"], "/loss", "received a list of 1"),
        (3, "/loss", "Expected a name, an object with a"),
        (None, "/loss", "received null"),
        ({"type": "expression"}, "/loss/expression", "required"),
        ({"type": "expression", "expression": "y_pred - y_tru"}, "/loss/expression", "at character 10"),
        ({"type": "expression", "expression": "y_true - 1"}, "/loss/expression", "an expression of y_pred"),
        (
            {"box": {"type": "expression", "expression": "(y_pred"}},
            "/loss/box/expression",
            "received the end",
        ),
    ],
    ids=str,
)
def test_a_mistake_is_pointed_at_where_it_is(loss, pointer, words):
    problem = refused(loss)
    assert problem.pointer == pointer
    assert words in problem.message
    assert problem.message.startswith("Expected ")


def check(loss, shape, target, **options):
    check_loss(read(loss), {"dense": shape}, {"dense": np.asarray(target, np.float32)}, **options)


ROWS = [[0.0, 1.0, 0.5], [1.0, 0.0, 0.5]]
BOXES = [[0, 0, 1, 1], [0, 0, 2, 1]]


@pytest.mark.parametrize(
    ("loss", "shape", "target"),
    [
        ("mse", (3,), ROWS),
        ("mse", (1,), [[1], [2]]),
        ("mse", (5, 1), np.zeros((2, 5))),
        ("mse", (5,), np.zeros((2, 5, 1))),
        ("mse", (None, 1), np.zeros((2, 7, 1))),
        ("bce", (3,), ROWS),
        ("hinge", (2,), [[-1, 1], [1, -1]]),
        ("hinge", (2,), [[0, 1], [1, 0]]),
        ("poisson", (2,), [[0, 7]]),
        ("giou", (4,), BOXES),
        ("giou", (1, 4), np.reshape(BOXES, (2, 1, 4))),
        ("sparse_categorical_crossentropy", (3,), [[0], [2]]),
        ("sparse_categorical_crossentropy", (3,), [0, 2]),
        ("sparse_categorical_crossentropy", (2, 2, 3), np.zeros((1, 2, 2))),
        ("sparse_categorical_crossentropy", (2, 2, 3), np.zeros((1, 2, 2, 1))),
        ({"type": "sparse_categorical_crossentropy", "axis": 1}, (3, 5), np.full((1, 5), 2)),
        ({"type": "sparse_categorical_crossentropy", "ignore_class": -1}, (3,), [[0], [-1]]),
        ({"type": "categorical_focal_crossentropy", "alpha": [1, 2, 3]}, (3,), ROWS),
        ({"type": "dice", "axis": [1, 2]}, (2, 2), np.zeros((1, 2, 2))),
        ({"type": "dice", "axis": [0, -1]}, (2, 2), np.zeros((1, 2, 2))),
        ({"type": "mse", "class_weight": {"1": 2}}, (1,), [[0], [1]]),
        ({"type": "mse", "class_weight": {"1": 2}}, (2,), [[0, 1], [1, 0]]),
        ({"type": "expression", "expression": "mean(abs(y_pred - y_true))"}, (3,), [[0], [1]]),
        ({"type": "expression", "expression": "mean(abs(y_pred - y_true))"}, (2, 2, 3), np.zeros((1, 2, 2))),
        ({"dense": "mse"}, (3,), ROWS),
    ],
    ids=str,
)
def test_a_loss_that_fits_passes(loss, shape, target):
    check(loss, shape, target)


@pytest.mark.parametrize(
    ("loss", "shape", "target", "pointer", "words"),
    [
        ("mse", (2,), ROWS, "/dataset/inline/y", "of shape [2], as dense has; received [3]"),
        ("mse", (3, 2), ROWS, "/dataset/inline/y", "of shape [3, 2]"),
        ("mse", (1,), ROWS, "/dataset/inline/y", "received [3]"),
        ("bce", (1,), [[0], [2]], "/dataset/inline/y/1", "Expected targets in [0, 1]"),
        ("weighted_binary_crossentropy", (1,), [[-1], [1]], "/dataset/inline/y/0", "received -1"),
        ("categorical_crossentropy", (1,), [[0], [1]], "/loss", "at least 2 classes"),
        ("categorical_crossentropy", (3,), [[0], [1]], "/dataset/inline/y", "takes integers for classes"),
        ("hinge", (1,), [[0], [1], [0.5]], "/dataset/inline/y/2", "targets that are 0 or 1"),
        ("hinge", (1,), [[-1], [0]], "/dataset/inline/y/1", "targets that are -1 or 1"),
        ("poisson", (1,), [[0], [-1]], "/dataset/inline/y/1", "targets >= 0"),
        ("sparse_categorical_crossentropy", (3,), [[0], [3]], "/dataset/inline/y/1", "from 0 to 2"),
        ("sparse_categorical_crossentropy", (3,), [[0.5]], "/dataset/inline/y/0", "received 0.5"),
        ("sparse_categorical_crossentropy", (3,), [[0], [-1]], "/dataset/inline/y/1", "received -1"),
        ("sparse_categorical_crossentropy", (3,), ROWS, "/dataset/inline/y", "takes one-hot targets"),
        ("sparse_categorical_crossentropy", (1,), [[0], [1]], "/loss", "at least 2 classes"),
        ("giou", (3,), ROWS, "/loss", "boxes, 4 numbers each"),
        ("iou", (4,), [[0, 0, 1, 1], [1, 0, 0, 1]], "/dataset/inline/y/1", "x1 <= x2"),
        ({"type": "cosine_similarity", "axis": 0}, (3,), ROWS, "/loss/axis", "from 1 to 1"),
        ({"type": "cosine_similarity", "axis": -2}, (3,), ROWS, "/loss/axis", "received -2"),
        ({"type": "dice", "axis": [1, 2]}, (3,), ROWS, "/loss/axis/1", "received 2"),
        (
            {"type": "categorical_focal_crossentropy", "alpha": [1, 2]},
            (3,),
            ROWS,
            "/loss/alpha",
            "one for each of 3 classes",
        ),
        ({"type": "mse", "class_weight": {"1": 2}}, (1,), [[0.5]], "/loss/class_weight", "by an integer"),
        (
            {"type": "mse", "class_weight": {"1": 2}},
            (2, 2),
            np.zeros((1, 2, 2)),
            "/loss/class_weight",
            "[2, 2]",
        ),
        ({"dens": "mse"}, (3,), ROWS, "/loss/dens", 'Did you mean "dense"?'),
        (
            {"dense": {"loss": {"type": "expression", "expression": "mean(y_pred, axis=2)"}}},
            (3,),
            ROWS,
            "/loss/dense/loss/expression",
            "received 2 at character 1",
        ),
        (
            {"type": "expression", "expression": "y_pred - y_true"},
            (2,),
            ROWS,
            "/loss/expression",
            "received (batch, 2) and (batch, 3) at character 8",
        ),
        (
            {"type": "expression", "expression": "y_pred - y_true"},
            (3,),
            np.zeros((2, 3, 2)),
            "/loss/expression",
            "at most the 1 axes",
        ),
    ],
    ids=str,
)
def test_a_loss_that_does_not_fit_is_refused(loss, shape, target, pointer, words):
    with pytest.raises(InvalidDocument) as caught:
        check(loss, shape, target)
    (problem,) = caught.value.problems
    assert problem.pointer == pointer
    assert words in problem.message


def test_targets_of_several_outputs_are_pointed_at_by_name():
    shapes = {"class": (1,), "box": (4,)}
    targets = {"class": np.array([[2.0]]), "box": np.array([[0, 0, 1, 1]])}
    loss = read({"class": "bce", "box": "iou"})
    with pytest.raises(InvalidDocument) as caught:
        check_loss(loss, shapes, targets)
    assert caught.value.problems[0].pointer == "/dataset/inline/y/class/0"
    with pytest.raises(InvalidDocument) as caught:
        check_loss(loss, shapes, targets, target_pointers={"class": "/y_true/class", "box": "/y_true/box"})
    assert caught.value.problems[0].pointer == "/y_true/class/0"
    with pytest.raises(InvalidDocument) as caught:
        check_loss(loss, shapes, {"box": targets["box"]})
    assert caught.value.problems[0].pointer == "/dataset/inline/y/class"
    check_loss(read({"box": "iou"}), shapes, targets)  # an output may have no loss
