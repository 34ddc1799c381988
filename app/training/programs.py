"""The compiled programs of a worker, kept for further runs of the same structure."""

import json
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any

import tensorflow as tf

from app.spec.run import RunSpec
from app.training.batches import Rows
from app.training.program import Program

MOST_PROGRAMS = 16
"""Programs kept at once; the one that was used longest ago goes first."""

_programs: OrderedDict[str, Program] = OrderedDict()


def program_for(spec: RunSpec, rows: Mapping[str, Rows], compile_program: Callable[[], Program]) -> Program:
    """The program of a run's structure: one compiled before, or a new one.

    Args:
        spec: the run document.
        rows: the samples on the device; their shapes are part of the structure.
        compile_program: makes the program where there is none yet.
    """
    key = structure(spec, rows)
    program = _programs.pop(key, None) or compile_program()
    _programs[key] = program
    if len(_programs) > MOST_PROGRAMS:
        _programs.popitem(last=False)
    return program


def structure(spec: RunSpec, rows: Mapping[str, Rows]) -> str:
    """What two runs must have in common to share a program, as text.

    That is all of the document but names, seeds, data values, numbers of epochs and the strengths of
    terms; of a strength only counts whether it is there at all.
    """
    document = spec.model_dump(mode="json", by_alias=True, exclude=NOT_STRUCTURE)
    shapes = tf.nest.map_structure(lambda tensor: [tensor.dtype.name, *tensor.shape], dict(rows))
    return json.dumps([_without_strengths(document), shapes], sort_keys=True)


NOT_STRUCTURE: dict[str, Any] = {
    **dict.fromkeys(("name", "tags", "seed", "dataset", "split", "statistics", "export"), True),
    "fit": {"epochs": True, "time_limit_seconds": True, "record_every": True, "class_weight": True},
}
STRENGTHS = {"l1", "l2", "weight"}


def _without_strengths(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            key: bool(item)
            if key in STRENGTHS and isinstance(item, int | float)
            else _without_strengths(item)
            for key, item in value.items()
        }
    return [_without_strengths(item) for item in value] if isinstance(value, list) else value
