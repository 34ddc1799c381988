"""Values over samples, and whether they hold a limit."""

import math

import numpy as np
import pytest

from app.spec.constraints import Constraint
from app.spec.parsing import parse
from app.statistics.limits import measurement


def measured(values, **limit):
    document = {"quantity": {"type": "elements_above"}, **limit}
    return measurement(parse(Constraint, document), np.array(values, np.float64))


COUNTS = [1, 2, 3, 4, 10]


@pytest.mark.parametrize(
    ("limit", "value", "satisfied", "slack", "share"),
    [
        ({"at_most": 4}, 4, True, 0, 0.8),
        ({"at_most": 3.9}, 4, False, -0.1, 0.6),
        ({"at_least": 3}, 4, True, 1, 0.6),
        ({"equals": 4.05, "tolerance": 0.1}, 4, True, 0.05, 0.2),
        ({"equals": 5, "tolerance": 0.5}, 4, False, -0.5, 0.0),
        ({"at_most": 9, "over": "every_sample"}, 10, False, -1, 0.8),
        ({"at_most": 10, "over": "every_sample"}, 10, True, 0, 1.0),
        ({"at_least": 1, "over": "every_sample"}, 1, True, 0, 1.0),
        ({"at_most": 4, "over": {"quantile": 0.8}}, 4, True, 0, 0.8),
        ({"at_most": 4, "over": {"quantile": 0.81}}, 10, False, -6, 0.8),
        ({"at_least": 2, "over": {"quantile": 0.8}}, 2, True, 0, 0.8),
        ({"at_least": 3, "over": {"quantile": 0.8}}, 2, False, -1, 0.6),
    ],
)
def test_over_samples(limit, value, satisfied, slack, share):
    found = measured(COUNTS, **limit)
    assert found["value"] == pytest.approx(value)
    assert found["satisfied"] is satisfied
    assert found["slack"] == pytest.approx(slack)
    assert found["share_of_samples_satisfied"] == pytest.approx(share)


@pytest.mark.parametrize("quantile", [0.05, 0.5, 0.9, 0.95])
@pytest.mark.parametrize("samples", [1, 7, 20, 1000])
def test_a_quantile_holds_just_when_that_share_of_samples_does(quantile, samples):
    values = np.random.default_rng(samples).integers(0, 9, samples)
    for limit in range(9):
        found = measured(values, at_most=limit, over={"quantile": quantile})
        assert found["satisfied"] == ((values <= limit).mean() >= quantile)


def test_a_value_in_all_holds_or_does_not():
    found = measurement(parse(Constraint, {"quantity": {"type": "recall"}, "at_least": 0.9}), 0.95)
    assert found == {
        "value": 0.95,
        "limit": 0.9,
        "satisfied": True,
        "slack": pytest.approx(0.05),
        "share_of_samples_satisfied": 1.0,
    }


def test_a_value_that_is_not_finite_never_holds():
    assert measured([1, math.inf], at_most=3)["satisfied"] is False
    assert measured([1, math.nan], at_most=3)["satisfied"] is False
