"""Penalties as the document has them: forms, defaults, mistakes."""

import pytest

from app.errors import InvalidDocument
from app.spec.base import SpecModel
from app.spec.parsing import parse
from app.spec.penalties import ElementsAbovePenalty, Penalty


class Penalties(SpecModel):
    penalties: list[Penalty]


def read(penalty):
    return parse(Penalties, {"penalties": [penalty]}).penalties[0]


def problems(penalty):
    with pytest.raises(InvalidDocument) as caught:
        read(penalty)
    return [(problem.pointer, problem.message) for problem in caught.value.problems]


def test_the_defaults_are_the_documented_ones():
    penalty = read({"type": "elements_above"})
    assert isinstance(penalty, ElementsAbovePenalty)
    assert penalty.document() == {
        "type": "elements_above",
        "of": None,
        "threshold": 0.5,
        "weight": 1.0,
        "reduction": "per_sample",
        "surrogate": "sigmoid",
        "slope": 10.0,
        "k": None,
        "method": "gradient",
        "stddev": 0.1,
        "samples": 16,
    }


PENALTIES = [
    {"type": "elements_above", "threshold": 1, "surrogate": "top_k_excess", "k": 3},
    {"type": "elements_above", "method": "policy_gradient", "samples": 8},
    {"type": "excess_above", "threshold": [0.1, 0.2], "norm": "l2"},
    {"type": "shortfall_below", "threshold": {"column": "floor"}},
    {"type": "excess_above", "threshold": {"quantile": 0.9}},
    {"type": "excess_above", "threshold": {"mean_plus_std": -2}},
    {"type": "bounds", "lower": 0},
    {"type": "bounds", "lower": [0, 1], "upper": 1.5},
    {"type": "bounds", "lower": {"column": "a"}, "upper": 0},
    {"type": "linear", "coefficients": [1, -2.5]},
    {"type": "sum_to"},
    {"type": "norm", "of": {"weights": "dense"}},
    {"type": "total_variation", "of": "conv2d"},
    {"type": "entropy", "weight": -0.1},
    {"type": "orthogonality", "of": {"weights": "dense"}},
    {"type": "expression", "expression": "relu(y_pred - 2 * y_true)", "weight": 3},
]


@pytest.mark.parametrize("penalty", PENALTIES)
def test_every_penalty_reads_back_from_its_filled_in_document(penalty):
    assert read(read(penalty).document()) == read(penalty)


@pytest.mark.parametrize(
    ("penalty", "pointer", "message"),
    [
        ({"type": "elements_abov"}, "/type", "elements_above"),
        ({}, "/type", "required"),
        ({"type": "elements_above", "treshold": 1}, "/treshold", 'Did you mean "threshold"?'),
        ({"type": "elements_above", "threshold": "1"}, "/threshold", "Expected a number, a list of numbers"),
        ({"type": "elements_above", "threshold": None}, "/threshold", "Expected a number, a list of numbers"),
        ({"type": "elements_above", "threshold": True}, "/threshold", "Expected a number; received true"),
        ({"type": "elements_above", "threshold": []}, "/threshold", "Expected at least 1"),
        ({"type": "elements_above", "threshold": [0.5, "a"]}, "/threshold/1", "Expected a number"),
        ({"type": "elements_above", "threshold": {"quantile": 2}}, "/threshold/quantile", "<= 1"),
        (
            {"type": "elements_above", "threshold": {"quantiles": 0.2}},
            "/threshold",
            "Expected a number, a list",
        ),
        ({"type": "elements_above", "slope": 0}, "/slope", "> 0"),
        ({"type": "elements_above", "surrogate": "top_k_excess"}, "/k", "received nothing"),
        ({"type": "elements_above", "k": 3}, "/k", "top_k_excess"),
        ({"type": "elements_above", "surrogate": "top_k_excess", "k": -1}, "/k", ">= 0"),
        ({"type": "elements_above", "samples": 1}, "/samples", ">= 2"),
        ({"type": "elements_above", "stddev": 0}, "/stddev", "> 0"),
        ({"type": "excess_above", "norm": "l3"}, "/norm", '"l1", "l2"'),
        ({"type": "excess_above", "reduction": "max"}, "/reduction", "per_sample"),
        ({"type": "bounds"}, "", "Expected lower, upper or both"),
        ({"type": "bounds", "lower": 1, "upper": 0.5}, "/upper", "at least lower, 1; received 0.5"),
        ({"type": "bounds", "lower": [0, 2], "upper": 1}, "/upper", "at least lower, 2; received 1"),
        ({"type": "bounds", "lower": [0, 2], "upper": [1, 1, 1]}, "/upper", "as many numbers as in lower, 2"),
        ({"type": "linear"}, "/coefficients", "required"),
        ({"type": "norm", "norm": "l2", "weight": "heavy"}, "/weight", "Expected a number"),
        ({"type": "norm", "of": {"weight": "dense"}}, "/of/weight", 'Did you mean "weights"?'),
        ({"type": "expression"}, "/expression", "required"),
        ({"type": "expression", "expression": "y_pred +"}, "/expression", "at character 9"),
        ({"type": "expression", "expression": "y_true"}, "/expression", "of y_pred"),
        ({"type": "expression", "expression": "open(y_pred)"}, "/expression", "Expected a function"),
        ({"type": "expression", "expression": "y_pred", "weight": "x"}, "/weight", "Expected a number"),
    ],
)
def test_mistakes_are_pointed_at(penalty, pointer, message):
    found = problems(penalty)
    assert f"/penalties/0{pointer}" in [where for where, _ in found]
    assert any(message in text for _, text in found)
    assert all(text.startswith("Expected") for _, text in found)
