"""Constraints as the document has them."""

import math

import pytest

from app.errors import InvalidDocument
from app.spec.constraints import Constraint
from app.spec.parsing import parse

COUNT = {"type": "elements_above", "threshold": 0.5}
RECALL = {"type": "recall"}


def test_the_defaults_are_the_documented_ones():
    document = parse(Constraint, {"quantity": COUNT, "at_most": 3}).document()
    assert {name: value for name, value in document.items() if value is not None} == {
        "quantity": {**COUNT, "of": None},
        "at_most": 3.0,
        "over": "mean",
        "method": "auto",
        "guarantee": False,
    }


@pytest.mark.parametrize(
    ("limit", "low", "high"),
    [
        ({"at_most": 3}, -math.inf, 3),
        ({"at_least": 0.5}, 0.5, math.inf),
        ({"equals": 2}, 1.999, 2.001),
        ({"equals": 2, "tolerance": 0.5}, 1.5, 2.5),
    ],
)
def test_a_limit_allows_an_interval(limit, low, high):
    assert parse(Constraint, {"quantity": COUNT, **limit}).allowed == (low, high)


CONSTRAINTS = [
    {"quantity": COUNT, "at_most": 3, "over": {"quantile": 0.95}},
    {"quantity": COUNT, "at_most": 2, "over": "every_sample", "guarantee": True},
    {"quantity": {"type": "bounds", "lower": 0, "upper": 1}, "at_most": 0, "guarantee": True},
    {"quantity": {"type": "sum_to"}, "equals": 0, "tolerance": 0.01, "guarantee": True},
    {"quantity": {"type": "linear", "coefficients": [1, -2]}, "at_least": -5, "guarantee": True},
    {
        "quantity": {"type": "norm", "of": {"weights": "dense"}},
        "at_most": 10,
        "method": "penalty",
        "weight": 2,
    },
    {"quantity": {"type": "activation_sparsity", "of": "activation"}, "at_least": 0.9},
    {"quantity": {"type": "weight_sparsity", "of": "dense"}, "at_least": 0.8, "method": "projection"},
    {"quantity": RECALL, "at_least": 0.9},
    {"quantity": {**RECALL, "where": "a", "threshold": 0.3}, "at_least": 0.9},
    {"quantity": {"type": "positive_rate", "difference": [0, 1, 2]}, "at_most": 0.05},
    {"quantity": {"type": "accuracy", "class_index": 2}, "at_least": 0.5},
    {"quantity": {"type": "expression", "expression": "sum(y_pred, axis=-1)"}, "equals": -1},
]


@pytest.mark.parametrize("document", CONSTRAINTS)
def test_every_constraint_reads_back_from_its_filled_in_document(document):
    constraint = parse(Constraint, document)
    assert parse(Constraint, constraint.document()) == constraint


@pytest.mark.parametrize(
    ("document", "pointer", "message"),
    [
        ({"quantity": COUNT}, "", "exactly one of at_most, at_least and equals; received none"),
        ({"quantity": COUNT, "at_most": 3, "at_least": 1}, "", "received at_most and at_least"),
        ({"quantity": COUNT, "at_most": -1}, "/at_most", "at least 0; received -1"),
        ({"quantity": COUNT, "equals": -1}, "/equals", "at least 0; received -1"),
        ({"quantity": {"type": "norm"}, "at_most": -0.5}, "/at_most", "at least 0"),
        ({"quantity": RECALL, "at_least": 1.1}, "/at_least", "from 0 to 1; received 1.1"),
        (
            {"quantity": {"type": "weight_sparsity", "of": "dense"}, "at_least": 80},
            "/at_least",
            "from 0 to 1",
        ),
        ({"quantity": {"type": "weight_sparsity"}, "at_least": 0.8}, "/quantity/of", "required"),
        (
            {"quantity": {"type": "bounds", "lower": 1, "upper": 0}, "at_most": 0},
            "/quantity/upper",
            "at least lower",
        ),
        ({"quantity": COUNT, "at_most": 3, "tolerance": 0.1}, "/tolerance", "only with equals"),
        ({"quantity": COUNT, "at_most": 3, "method": "penalty"}, "/weight", "received nothing"),
        ({"quantity": COUNT, "at_most": 3, "weight": 2}, "/weight", "only with the method penalty"),
        ({"quantity": COUNT, "at_most": 3, "method": "lagrange"}, "/method", "lagrangian"),
        ({"quantity": RECALL, "at_least": 0.5, "over": "every_sample"}, "/over", "one value in all samples"),
        (
            {
                "quantity": {"type": "norm", "of": {"weights": "dense"}},
                "at_most": 1,
                "over": {"quantile": 0.5},
            },
            "/over",
            "one value in all samples",
        ),
        ({"quantity": COUNT, "at_most": 3, "over": "median"}, "/over", '"mean"'),
        ({"quantity": COUNT, "at_most": 3, "over": {"quantile": 1}}, "/over/quantile", "< 1"),
        ({"quantity": COUNT, "at_most": 3, "over": {}}, "/over/quantile", "required"),
        (
            {"quantity": {**RECALL, "where": "a", "difference": ["a", "b"]}, "at_most": 0},
            "/quantity/difference",
            "both",
        ),
        ({"quantity": {**RECALL, "difference": ["a", "a"]}, "at_most": 0}, "/quantity/difference", "twice"),
        ({"quantity": {**RECALL, "difference": ["a"]}, "at_most": 0}, "/quantity/difference", "at least 2"),
        ({"quantity": RECALL, "at_least": 0.9, "guarantee": True}, "/guarantee", "received it for recall"),
        ({"quantity": COUNT, "at_least": 2, "guarantee": True}, "/guarantee", "received at_least"),
        (
            {"quantity": {"type": "excess_above"}, "at_most": 0.1, "guarantee": True},
            "/guarantee",
            "other than at most 0",
        ),
        (
            {"quantity": {**COUNT, "threshold": {"column": "c"}}, "at_most": 1, "guarantee": True},
            "/guarantee",
            "a threshold that isn't a number",
        ),
        ({"quantity": {"type": "elements"}, "at_most": 3}, "/quantity/type", "elements_above"),
        ({"quantity": {**COUNT, "slope": 10}, "at_most": 3}, "/quantity/slope", "Expected one of the fields"),
    ],
)
def test_mistakes_are_pointed_at(document, pointer, message):
    with pytest.raises(InvalidDocument) as caught:
        parse(Constraint, document)
    (problem,) = caught.value.problems
    assert problem.pointer == pointer
    assert message in problem.message
    assert problem.message.startswith("Expected")
