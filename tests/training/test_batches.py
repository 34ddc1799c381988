"""Batches: each row once, the smaller last one, too."""

import pytest
import tensorflow as tf

from app.training.batches import Schedule, State, gather_batches, walk_batches


@pytest.mark.parametrize("jit_compile", [True, False])
@pytest.mark.parametrize(
    ("samples", "batch_size"), [(5, 5), (10, 5), (8, 5), (13, 5), (1, 1), (3, 1)], ids=str
)
def test_each_row_is_walked_once(samples: int, batch_size: int, jit_compile: bool) -> None:
    walk = Schedule(samples, batch_size)
    rows = tf.range(samples)

    def step(index: tf.Tensor, loop: State, size: int) -> State:
        batch = tf.slice(rows, [index * batch_size], [size])
        places = tf.range(size)[:, None] + index * batch_size
        seen = tf.tensor_scatter_nd_add(loop["seen"], places, batch + 1)
        return {"seen": seen, "sizes": loop["sizes"] * 10 + size}

    start = {"seen": tf.zeros((samples,), tf.int32), "sizes": tf.constant(0)}
    loop = tf.function(lambda: walk_batches(walk, step, start), jit_compile=jit_compile)()
    full, last = divmod(samples, batch_size)
    assert list(loop["seen"]) == list(range(1, samples + 1))
    assert str(int(loop["sizes"])) == str(batch_size) * full + (str(last) if last else "")

    def look(index: tf.Tensor, size: int) -> State:
        return {"rows": tf.slice(rows, [index * batch_size], [size])}

    gathered = tf.function(lambda: gather_batches(walk, look), jit_compile=jit_compile)()
    assert list(gathered["rows"]) == list(range(samples))
