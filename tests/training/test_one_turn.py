"""A computation in a loop of one turn: it gives what it gives, and XLA compiles it as one function."""

import pytest
import tensorflow as tf

import app.training.plan  # noqa: F401  sets XLA's flags
from app.training.one_turn import in_one_turn


def doubled(number: tf.Tensor) -> dict[str, tf.Tensor]:
    alike = {"number": tf.zeros_like(number), "odd": tf.constant(False)}
    return in_one_turn(lambda: {"number": 2 * number, "odd": number % 2 > 0}, alike, always=number > 0)


@pytest.mark.parametrize("jit_compile", [True, False])
def test_it_gives_what_is_computed(jit_compile: bool) -> None:
    found = tf.function(doubled, jit_compile=jit_compile)(tf.constant(21))
    assert found["number"] == 42
    assert found["odd"]


def test_it_is_one_function() -> None:
    compiled = tf.function(doubled, jit_compile=True)
    program = compiled.experimental_get_compiler_ir(tf.constant(21))(stage="optimized_hlo")
    assert 'xla_cpu_small_call="true"' in program
    assert " while(" in program
