"""Which decisions a precision lets be false positives, against counting by hand."""

import numpy as np
import pytest
import tensorflow as tf

from app.spec.constraints import Constraint
from app.spec.rates import Rate
from app.training.constraints.exemptions import must_hold
from app.training.constraints.rate_residuals import precise
from app.training.constraints.scales import Scale
from app.training.quantities import group_column
from app.training.terms import Batch

TRUE = [1, 1, 1, 1, 0, 0, 0, 0]
PREDICTED = [0.9, 0.8, 0.7, 0.4, 0.95, 0.6, 0.55, 0.1]
GROUP = [1, 1, 1, 1, 1, 1, 0, 0]


def held_of(at_least: float, where: str | None = None) -> list[float]:
    rate = Rate.model_validate({"type": "precision", "where": where})
    constraint = Constraint.model_validate({"quantity": rate, "at_least": at_least})
    residuals = precise(constraint, rate, "out", Scale())
    batch = Batch(
        y_true={"out": tf.constant(TRUE, tf.float32)[:, None]},
        y_pred={"out": tf.constant(PREDICTED, tf.float32)[:, None]},
        activations={},
        weights={},
        sample_weight=None,
        columns={group_column("a"): tf.constant(GROUP, tf.float32)},
        seed=tf.constant([0, 0]),
    )
    assert residuals.counted is not None
    held = must_hold(residuals, residuals.value(batch), residuals.counted(batch))
    return list(np.ravel(held))


@pytest.mark.parametrize(
    ("at_least", "false_positives"),
    # Three true positives: 3/(3 + FP) ≥ p.
    [(0.75, [0.95]), (0.76, []), (0.6, [0.95, 0.6]), (0.5, [0.95, 0.6, 0.55]), (1.0, [])],
)
def test_the_largest_may_be_false_positives(at_least: float, false_positives: list[float]) -> None:
    expected = [float(not true and p not in false_positives) for true, p in zip(TRUE, PREDICTED, strict=True)]
    assert held_of(at_least) == expected


def test_samples_of_other_groups_are_left_alone() -> None:
    assert held_of(0.75, where="a") == [0, 0, 0, 0, 0, 1, 0, 0]
    assert held_of(0.76, where="a") == [0, 0, 0, 0, 1, 1, 0, 0]
