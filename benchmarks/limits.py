"""Training with a declared limit against the same model without, over the whole of a run.

A run first fits freely, then holds its limit; so all its epochs are timed, and not the first few. The two are
measured in turns; compilation isn't counted.
"""

from functools import partial

from app.spec.parsing import parse_run
from app.training.preparation import prepare
from benchmarks.constraint_tasks import Document, tasks
from benchmarks.table import Row
from benchmarks.training import in_turns, loop_speed

GOAL = 0.5

ROUNDS = 15
"""A run takes a twentieth of a second or so; a few say little on a machine that is shared."""


def rows() -> list[Row]:
    """A row for each task of `constraint_tasks`."""
    return [against_none(name, document) for name, document in tasks().items()]


def against_none(name: str, document: Document) -> Row:
    """Epochs a second with the limit over those without."""
    limited = prepare(parse_run(document))
    free = prepare(parse_run({**document, "constraints": []}))
    epochs = document["fit"]["epochs"]
    speeds = [partial(loop_speed, limited, epochs), partial(loop_speed, free, epochs)]
    slow, fast = in_turns(speeds, ROUNDS)
    return Row(name, slow / fast, GOAL, note=f"{slow:,.0f} against {fast:,.0f} epochs/s")
