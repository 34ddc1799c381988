"""How the rows of a split are walked, batch by batch, inside a compiled loop."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import tensorflow as tf

Rows = dict[str, Any]
"""The samples of a split on the device: `inputs`, `targets` and `columns` by name, `sample_weight`."""

State = dict[str, Any]
"""A nest of tensors that goes into a step and comes out changed."""

Step = Callable[[tf.Tensor, State, int], State]
"""From the batch's index, the state and the batch's size to the next state."""


@dataclass(frozen=True)
class Schedule:
    """How the rows of a split are walked.

    Attributes:
        samples: rows of the split.
        batch_size: rows a step, at most `samples`.
        shuffle: whether each epoch has a new order. One batch needs none.
    """

    samples: int
    batch_size: int
    shuffle: bool = False

    @property
    def steps(self) -> int:
        """Full batches."""
        return self.samples // self.batch_size

    @property
    def remainder(self) -> int:
        """Rows of the last, smaller batch; 0 where there is none."""
        return self.samples % self.batch_size


def take(rows: Rows, order: tf.Tensor | None, start: tf.Tensor, size: int) -> Rows:
    """`size` rows from `start` on, in the given order or as they lie."""
    if order is None:
        return _each(
            lambda tensor: tf.slice(
                tensor, [start] + [0] * (tensor.shape.rank - 1), [size, *tensor.shape[1:]]
            ),
            rows,
        )
    chosen = tf.slice(order, [start], [size])
    return _each(lambda tensor: tf.gather(tensor, chosen), rows)


def _each(change: Callable[[tf.Tensor], tf.Tensor], rows: Rows) -> Rows:
    changed: Rows = tf.nest.map_structure(change, rows)
    return changed


def walk_batches(walk: Schedule, step: Step, loop: State) -> State:
    """Applies `step(index, loop, size)` to each full batch and then to the smaller last one.

    A single batch is not put into a loop of its own: that lets the compiler fuse across it. After several,
    the smaller one is, though it's a loop of one turn: XLA compiles small loops as one function
    (`app.training.plan`), and doesn't dissolve this one, as its index comes out of the other.
    """
    if walk.steps == 1 and not walk.remainder:
        return step(tf.constant(0), loop, walk.batch_size)

    def steps(until: int, size: int, state: tuple[tf.Tensor, State]) -> tuple[tf.Tensor, State]:
        after: tuple[tf.Tensor, State] = tf.while_loop(
            lambda index, _: index < until, lambda index, loop: (index + 1, step(index, loop, size)), state
        )
        return after

    state = steps(walk.steps, walk.batch_size, (tf.constant(0), loop))
    if walk.remainder:
        state = steps(walk.steps + 1, walk.remainder, state)
    return state[1]


def gather_batches(walk: Schedule, look: Callable[[tf.Tensor, int], State]) -> State:
    """What `look(index, size)` gives for every batch, concatenated along the first axis."""
    found = [look(tf.constant(0), walk.batch_size)]
    if walk.steps > 1:
        signature = tf.nest.map_structure(lambda t: tf.TensorSpec(t.shape, t.dtype), found[0])
        stacked = tf.map_fn(
            lambda index: look(index, walk.batch_size),
            tf.range(1, walk.steps),
            fn_output_signature=signature,
            parallel_iterations=1,
        )
        found.append(tf.nest.map_structure(lambda t: tf.reshape(t, (-1, *t.shape[2:])), stacked))
    if walk.remainder:
        found.append(look(tf.constant(walk.steps), walk.remainder))
    if len(found) == 1:
        return found[0]
    gathered: State = tf.nest.map_structure(lambda *parts: tf.concat(parts, axis=0), *found)
    return gathered
