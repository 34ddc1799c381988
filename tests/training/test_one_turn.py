"""A computation in a loop of one turn gives what it gives."""

import pytest
import tensorflow as tf

from app.training.one_turn import in_one_turn


@pytest.mark.parametrize("jit_compile", [True, False])
def test_it_is_computed_once(jit_compile: bool) -> None:
    @tf.function(jit_compile=jit_compile)
    def twice(number: tf.Tensor) -> dict[str, tf.Tensor]:
        alike = {"number": tf.zeros_like(number), "odd": tf.constant(False)}
        return in_one_turn(lambda: {"number": 2 * number, "odd": number % 2 > 0}, alike, always=number > 0)

    found = twice(tf.constant(21))
    assert found["number"] == 42
    assert found["odd"]
