"""Quantities that don't fit the model or the data."""

import numpy as np
import pytest

from app.spec.base import SpecModel
from app.spec.constraints import Constraint
from app.spec.dataset import RunData
from app.spec.model import ModelSpec, resolve_graph
from app.spec.parsing import parse
from app.spec.penalties import Penalty
from app.spec.quantity_checks import check_constraints, check_penalties
from app.spec.surroundings import Surroundings


class Limits(SpecModel):
    penalties: list[Penalty] = []  # noqa: RUF012
    constraints: list[Constraint] = []  # noqa: RUF012


MODEL = {
    "layers": [
        {"type": "Input", "shape": [4], "name": "x"},
        {"type": "Dense", "units": 6, "name": "hidden"},
        {"type": "Reshape", "target_shape": [2, 3], "name": "matrix"},
        {"type": "Flatten"},
        {"type": "Activation", "activation": "relu"},
        {"type": "Dense", "units": 3, "name": "scores"},
        {"type": "Dense", "units": 1, "inputs": ["activation"], "name": "flag"},
    ],
    "outputs": {"scores": "scores", "flag": "flag"},
}
ONE_OUTPUT = {"layers": MODEL["layers"][:6]}


def around(model: dict, targets: dict[str, tuple[int, ...]]) -> Surroundings:
    graph = resolve_graph(parse(ModelSpec, model), {"x": (4,)})
    data = RunData(
        inputs={"x": np.zeros((5, 4), np.float32)},
        targets={name: np.zeros((5, *shape), np.float32) for name, shape in targets.items()},
        group=np.array(["a", "b", "a", "b", "a"]),
        columns={
            "limit": np.zeros(5, np.float32),
            "pair": np.zeros((5, 2), np.float32),
            "limits": np.zeros((5, 3), np.float32),
        },
    )
    return Surroundings.of_run(graph, data)


TWO = around(MODEL, {"scores": (3,), "flag": (1,)})
ONE = around(ONE_OUTPUT, {"scores": (3,)})
CLASSES = around(ONE_OUTPUT, {"scores": (1,)})


def of_penalty(penalty: dict, where: Surroundings) -> list[tuple[str, str]]:
    return [tuple(p) for p in check_penalties(parse(Limits, {"penalties": [penalty]}).penalties, where)]


def of_constraint(constraint: dict, where: Surroundings) -> list[tuple[str, str]]:
    found = check_constraints(parse(Limits, {"constraints": [constraint]}).constraints, where)
    return [tuple(p) for p in found]


@pytest.mark.parametrize(
    "penalty",
    [
        {"type": "elements_above", "threshold": [0.1, 0.2, 0.3]},
        {"type": "elements_above", "threshold": {"column": "limit"}},
        {"type": "elements_above", "threshold": {"column": "limits"}},
        {"type": "elements_above", "threshold": {"quantile": 0.5}, "surrogate": "top_k_excess", "k": 3},
        {"type": "linear", "coefficients": [1, 2, 3]},
        {"type": "linear", "coefficients": [1, 2, 3, 4, 5, 6], "of": "hidden"},
        {"type": "norm", "of": {"weights": "hidden"}},
        {"type": "orthogonality", "of": {"weights": "scores"}},
        {"type": "total_variation"},
        {"type": "expression", "expression": "sum(abs(y_true - y_pred), axis=-1)"},
        {"type": "expression", "expression": "y_pred ** 2", "of": "activation"},
    ],
)
def test_what_fits_passes(penalty):
    assert of_penalty(penalty, ONE) == []


@pytest.mark.parametrize(
    ("penalty", "pointer", "message"),
    [
        ({"type": "norm"}, "/of", "one of the model's outputs (scores, flag); received nothing"),
        ({"type": "norm", "of": "score"}, "/of", "scores, flag, x, hidden"),
        ({"type": "norm", "of": "Hidden"}, "/of", 'Did you mean "hidden"?'),
        ({"type": "norm", "of": {"weights": "activation"}}, "/of/weights", "a layer with weights (hidden"),
        ({"type": "elements_above", "of": "scores", "threshold": [1, 2]}, "/threshold", "Expected 3 numbers"),
        ({"type": "bounds", "of": "scores", "lower": 0, "upper": [1, 2]}, "/upper", "Expected 3 numbers"),
        (
            {"type": "elements_above", "of": "scores", "threshold": {"column": "limt"}},
            "/threshold/column",
            "a column of the dataset (limit, pair, limits)",
        ),
        (
            {"type": "elements_above", "of": "scores", "threshold": {"column": "pair"}},
            "/threshold/column",
            "a column of 1 or 3 numbers a sample; received one of 2",
        ),
        (
            {"type": "elements_above", "of": "flag", "threshold": {"quantile": 0.5}},
            "/threshold",
            "several elements",
        ),
        ({"type": "elements_above", "of": "scores", "surrogate": "top_k_excess", "k": 4}, "/k", "at most 3"),
        ({"type": "linear", "of": "scores", "coefficients": [1, 2]}, "/coefficients", "Expected 3 numbers"),
        ({"type": "total_variation", "of": "flag"}, "/of", "neighbouring elements; received shape [1]"),
        ({"type": "orthogonality", "of": "scores"}, "/of", "two axes or more; received shape [3]"),
        ({"type": "expression", "of": "scores", "expression": "sum(y_pred, axis=2)"}, "/expression", "axis"),
        (
            {"type": "expression", "of": "hidden", "expression": "y_pred - y_true"},
            "/expression",
            "has no target",
        ),
        (
            {"type": "expression", "of": "matrix", "expression": "top_k(y_pred, 4)"},
            "/expression",
            "at most 3",
        ),
    ],
)
def test_what_does_not_fit_is_pointed_at(penalty, pointer, message):
    ((where, text),) = of_penalty(penalty, TWO)
    assert where == f"/penalties/0{pointer}"
    assert message in text


def test_targets_with_other_axes_are_refused():
    ((where, text),) = of_penalty(
        {"type": "expression", "expression": "y_true * y_pred"}, around(ONE_OUTPUT, {"scores": (3, 2)})
    )
    assert where == "/penalties/0/expression"
    assert "as many axes" in text


@pytest.mark.parametrize(
    ("constraint", "where"),
    [
        ({"quantity": {"type": "recall", "of": "flag", "where": "a"}, "at_least": 0.9}, TWO),
        ({"quantity": {"type": "recall"}, "at_least": 0.9}, ONE),
        ({"quantity": {"type": "accuracy"}, "at_least": 0.9}, CLASSES),
        ({"quantity": {"type": "recall", "class_index": 2}, "at_least": 0.9}, CLASSES),
        ({"quantity": {"type": "recall", "class_index": 2}, "at_least": 0.9}, ONE),
        ({"quantity": {"type": "activation_sparsity", "of": "activation"}, "at_least": 0.9}, ONE),
        ({"quantity": {"type": "weight_sparsity", "of": "hidden"}, "at_least": 0.9}, ONE),
        ({"quantity": {"type": "expression", "expression": "mean(y_pred)"}, "at_most": 1}, ONE),
        (
            {
                "quantity": {"type": "expression", "expression": "sum(y_pred, axis=-1)"},
                "at_most": 1,
                "over": "every_sample",
            },
            ONE,
        ),
    ],
)
def test_constraints_that_fit_pass(constraint, where):
    assert of_constraint(constraint, where) == []


@pytest.mark.parametrize(
    ("constraint", "where", "pointer", "message"),
    [
        (
            {"quantity": {"type": "recall", "of": "hidden"}, "at_least": 0.9},
            TWO,
            "/quantity/of",
            "an output (scores",
        ),
        ({"quantity": {"type": "recall", "where": "c"}, "at_least": 0.9}, ONE, "/quantity/where", "(a, b)"),
        (
            {"quantity": {"type": "recall", "difference": ["a", 1]}, "at_most": 0.1},
            ONE,
            "/quantity/difference/1",
            "received 1",
        ),
        (
            {"quantity": {"type": "recall"}, "at_least": 0.9},
            CLASSES,
            "/quantity/class_index",
            "which of the 3 classes",
        ),
        (
            {"quantity": {"type": "recall", "class_index": 3}, "at_least": 0.9},
            CLASSES,
            "/quantity/class_index",
            "one of the 3 classes",
        ),
        (
            {"quantity": {"type": "recall", "class_index": 1, "of": "flag"}, "at_least": 0.9},
            TWO,
            "/quantity/class_index",
            "several classes",
        ),
        (
            {"quantity": {"type": "weight_sparsity", "of": "activation"}, "at_least": 0.9},
            ONE,
            "/quantity/of",
            "a layer with weights",
        ),
        (
            {"quantity": {"type": "activation_sparsity", "of": "relu"}, "at_least": 0.9},
            ONE,
            "/quantity/of",
            "a layer (",
        ),
        (
            {
                "quantity": {"type": "expression", "expression": "mean(y_pred)"},
                "at_most": 1,
                "over": "every_sample",
            },
            ONE,
            "/over",
            "one value in all samples",
        ),
        (
            {"quantity": {"type": "linear", "coefficients": [1]}, "at_most": 1},
            ONE,
            "/quantity/coefficients",
            "3 numbers",
        ),
    ],
)
def test_constraints_that_do_not_fit_are_pointed_at(constraint, where, pointer, message):
    ((found, text),) = of_constraint(constraint, where)
    assert found == f"/constraints/0{pointer}"
    assert message in text


@pytest.mark.parametrize(
    "layer",
    [
        {"type": "Dense", "units": 3, "trainable": False},
        {"type": "BatchNormalization", "center": False, "scale": False},
        {"type": "TimeDistributed", "layer": {"type": "Dense", "units": 3, "trainable": False}},
    ],
)
def test_weights_that_are_not_trained_cannot_be_limited(layer):
    reshape = {"type": "Reshape", "target_shape": [2, 2]}
    where = around({"layers": [reshape, {**layer, "name": "fixed"}]}, {"fixed": (2, 3)})
    ((pointer, _),) = of_penalty({"type": "norm", "of": {"weights": "fixed"}}, where)
    assert pointer == "/penalties/0/of/weights"


def test_two_limits_cannot_both_project_an_output():
    count = {"quantity": {"type": "elements_above"}, "at_most": 2, "guarantee": True}
    sums = {"quantity": {"type": "sum_to"}, "at_most": 0, "method": "projection"}
    constraints = [Constraint.model_validate(constraint) for constraint in (count, sums)]
    assert check_constraints(constraints[:1], ONE) == []
    (problem,) = check_constraints(constraints, ONE)
    assert problem.pointer == "/constraints/1/method"
    assert "a second projection could break the first" in problem.message
