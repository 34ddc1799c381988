"""Limits that can't hold, and limits that only look so."""

import pytest

from app.spec.base import SpecModel
from app.spec.constraints import Constraint
from app.spec.contradictions import check_contradictions
from app.spec.model import ModelSpec, resolve_graph
from app.spec.parsing import parse


class Limits(SpecModel):
    constraints: list[Constraint]


def problems(constraints: list[dict], **last_layer) -> list[tuple[str, str]]:
    layers = [{"type": "Dense", "units": 4, **last_layer}]
    graph = resolve_graph(parse(ModelSpec, {"layers": layers}), {"x": (2,)})
    return [
        tuple(p) for p in check_contradictions(parse(Limits, {"constraints": constraints}).constraints, graph)
    ]


def count(threshold: float = 0.5) -> dict:
    return {"type": "elements_above", "threshold": threshold}


def bounds(**ends) -> dict:
    return {"quantity": {"type": "bounds", **ends}, "at_most": 0}


SUM = {"type": "sum_to", "value": 5}
SIGMOID = {"activation": "sigmoid"}
SOFTMAX = {"activation": "softmax"}


@pytest.mark.parametrize(
    ("constraints", "layer", "pointer"),
    [
        # A limit outside what the elements allow.
        ([{"quantity": count(), "at_least": 5}], {}, "/constraints/0/at_least"),
        ([{"quantity": count(), "equals": 4.5}], {}, "/constraints/0/equals"),
        ([{"quantity": count(1.5), "at_least": 1}], SIGMOID, "/constraints/0/at_least"),
        ([{"quantity": SUM, "at_most": 0}], SIGMOID, "/constraints/0/at_most"),
        ([{"quantity": SUM, "equals": 0}], SIGMOID, "/constraints/0/equals"),
        ([bounds(lower=0, upper=1), {"quantity": SUM, "at_most": 0}], {}, "/constraints/1/at_most"),
        ([{"quantity": SUM, "at_most": 0}, bounds(lower=0, upper=1)], {}, "/constraints/0/at_most"),
        ([bounds(lower=[1, 1, 1, 3]), {"quantity": SUM, "at_most": 0.5}], {}, "/constraints/1/at_most"),
        ([{"quantity": {**SUM, "value": 2}, "at_most": 0}], SOFTMAX, "/constraints/0/at_most"),
        (
            [{"quantity": {"type": "linear", "coefficients": [1, 2, 0, -1]}, "at_least": 4}],
            SIGMOID,
            "/constraints/0/at_least",
        ),
        (
            [{"quantity": {"type": "linear", "coefficients": [1, 2, 3, 4]}, "at_most": 0.5}],
            SOFTMAX,
            "/constraints/0/at_most",
        ),
        ([bounds(lower=0.6), {"quantity": count(), "at_most": 3}], {}, "/constraints/1/at_most"),
        (
            [bounds(lower=1), {"quantity": {"type": "excess_above"}, "at_most": 1.9}],
            {},
            "/constraints/1/at_most",
        ),
        (
            [bounds(upper=0), {"quantity": {"type": "shortfall_below"}, "at_most": 1}],
            {},
            "/constraints/1/at_most",
        ),
        (
            [bounds(lower=2), {"quantity": {"type": "norm", "norm": "l2"}, "at_most": 15}],
            {},
            "/constraints/1/at_most",
        ),
        (
            [{"quantity": {"type": "norm"}, "at_least": 4.5}],
            {"activation": "tanh"},
            "/constraints/0/at_least",
        ),
        # Bounds that leave nothing.
        ([bounds(lower=1), bounds(upper=0)], {}, "/constraints/1"),
        ([bounds(upper=-1)], {"activation": "relu"}, "/constraints/0"),
        (
            [
                {"quantity": {"type": "excess_above", "threshold": 0}, "at_most": 0},
                {"quantity": {"type": "shortfall_below", "threshold": [-1, 0.1, -1, -1]}, "at_most": 0},
            ],
            {},
            "/constraints/1",
        ),
        # Two limits without a common value.
        (
            [{"quantity": count(), "at_most": 2}, {"quantity": count(), "at_least": 3}],
            {},
            "/constraints/1/at_least",
        ),
        (
            [
                {"quantity": count(), "at_most": 2, "over": "every_sample"},
                {"quantity": count(), "at_least": 3},
            ],
            {},
            "/constraints/1/at_least",
        ),
        (
            [{"quantity": count(), "at_most": 2}, {"quantity": count(0.7), "at_least": 2.5}],
            {},
            "/constraints/1/at_least",
        ),
        (
            [{"quantity": count(), "equals": 2}, {"quantity": count(), "equals": 3}],
            {},
            "/constraints/1/equals",
        ),
        (
            [
                {"quantity": {"type": "recall"}, "at_least": 0.9},
                {"quantity": {"type": "false_negative_rate"}, "at_least": 0.2},
            ],
            {},
            "/constraints/1/at_least",
        ),
        (
            [
                {"quantity": {"type": "norm", "of": {"weights": "dense"}}, "at_most": 1},
                {"quantity": {"type": "norm", "of": {"weights": "dense"}}, "at_least": 2},
            ],
            {},
            "/constraints/1/at_least",
        ),
        (
            [
                {"quantity": {"type": "norm", "of": "dense"}, "at_most": 1},
                {"quantity": {"type": "norm"}, "at_least": 2},
            ],
            {},
            "/constraints/1/at_least",
        ),
    ],
)
def test_what_cannot_hold_is_pointed_at(constraints, layer, pointer):
    ((where, message),) = problems(constraints, **layer)
    assert where == pointer
    assert message.startswith("Expected")
    assert "received" in message


@pytest.mark.parametrize(
    ("constraints", "layer"),
    [
        ([{"quantity": count(), "at_most": 0}], {}),
        ([{"quantity": count(), "at_least": 4}], SIGMOID),
        ([{"quantity": count(), "at_most": 2}, {"quantity": count(), "at_least": 2}], {}),
        ([{"quantity": count(), "at_most": 2}, {"quantity": count(0.3), "at_least": 3}], {}),
        (
            [
                {"quantity": count(), "at_most": 2},
                {"quantity": count(), "at_least": 3, "over": {"quantile": 0.9}},
            ],
            {},
        ),
        ([{"quantity": SUM, "at_most": 1}], SIGMOID),
        ([{"quantity": {**SUM, "value": 4}, "at_most": 0}], SIGMOID),
        ([{"quantity": {**SUM, "value": 1}, "at_most": 0}], SOFTMAX),
        ([bounds(lower=0, upper=0.25), {"quantity": {**SUM, "value": 1}, "at_most": 0}], {}),
        ([{"quantity": {"type": "bounds", "lower": 1}, "at_most": 3}, bounds(upper=0)], {}),
        ([bounds(lower=0, upper={"column": "c"}), {"quantity": SUM, "at_most": 0}], {}),
        (
            [
                {"quantity": {"type": "recall"}, "at_least": 0.9},
                {"quantity": {"type": "false_negative_rate"}, "at_most": 0.2},
            ],
            {},
        ),
        (
            [
                {"quantity": {"type": "recall", "where": "a"}, "at_least": 0.9},
                {"quantity": {"type": "recall", "where": "b"}, "at_most": 0.5},
            ],
            {},
        ),
        ([{"quantity": {"type": "linear", "coefficients": [1, 0, 0, 0]}, "at_least": 100}], {}),
        ([{"quantity": {"type": "entropy"}, "at_most": 0.1}], SOFTMAX),
        ([{"quantity": {"type": "weight_sparsity", "of": "dense"}, "at_least": 0.9}], SIGMOID),
    ],
)
def test_what_can_hold_passes(constraints, layer):
    assert problems(constraints, **layer) == []


def test_the_message_names_the_other_limit():
    ((_, message),) = problems([{"quantity": count(), "at_most": 2}, {"quantity": count(), "at_least": 3}])
    assert "/constraints/0 (elements_above at most 2); received at least 3" in message
