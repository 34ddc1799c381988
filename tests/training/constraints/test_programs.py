"""Runs that differ only in numbers share a compiled loop, and each has its own numbers in it."""

import pytest
import tensorflow as tf

from app.spec.constraints import Constraint
from app.spec.parsing import parse
from app.training.constraints.limits import value_of
from tests.support.limits import count_document
from tests.support.training import fit


@pytest.mark.parametrize("over", ["every_sample", {"quantile": 0.5}])
def test_where_a_limit_stands_is_not_compiled_into_the_loop(over: object) -> None:
    constraint = parse(Constraint, {"quantity": {"type": "elements_above"}, "at_most": 1, "over": over})

    def summed(values: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        def step(index: tf.Tensor, total: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            noise = tf.random.stateless_normal((4,), tf.stack([seed, index]))
            return index + 1, total + value_of(constraint, values + noise)

        return tf.while_loop(lambda index, _: index < 3, step, (0, 0.0))[1]

    compiled = tf.function(summed, jit_compile=True, autograph=False)
    text = compiled.experimental_get_compiler_ir(tf.range(4.0), tf.constant(1))(stage="hlo")
    # What XLA takes for a constant is no argument of what it compiles, and another one compiles anew.
    assert "layout={(f32[4]{0}, s32[])->f32[]}" in text


def test_each_run_has_the_penalty_weight_of_its_own_document() -> None:
    multipliers = []
    for weight in (0.5, 0.25):
        document = count_document(2, method="penalty", weight=weight)
        fitted, _ = fit({**document, "fit": {"epochs": 2}})
        multipliers.append(fitted.verdicts[0]["multiplier"])
    assert multipliers[0] == 2 * multipliers[1] > 0
