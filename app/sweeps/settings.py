"""Settings: combinations of the axes' values, and the run documents that they make of the base."""

import copy
import math
from collections.abc import Iterator, Sequence
from itertools import product
from typing import Any

import numpy as np

from app.errors import InvalidDocument
from app.spec.pointers import join, received
from app.sweeps.documents import (
    MOST_SETTINGS,
    Axis,
    ChoiceAxis,
    Grid,
    RandomSearch,
    RangeAxis,
    SweepSpec,
    ValuesAxis,
)

Setting = dict[str, Any]
"""A value of each axis by the parameter's name; of a choice, the name of what is chosen."""


def planned_settings(sweep: SweepSpec) -> list[Setting]:
    """The settings of a grid or a random search.

    Raises:
        InvalidDocument: there are too many.
    """
    if isinstance(sweep.search, RandomSearch):
        return [_draw(sweep.axes, sweep.search.seed, trial) for trial in range(sweep.search.trials)]
    assert isinstance(sweep.search, Grid)
    values = [values_of(axis) for axis in sweep.axes]
    count = math.prod(map(len, values))
    if count > MOST_SETTINGS:
        raise InvalidDocument.at("/axes", f"Expected at most {MOST_SETTINGS} combinations; received {count}.")
    names = [axis.parameter for axis in sweep.axes]
    return [dict(zip(names, chosen, strict=True)) for chosen in product(*values)]


def values_of(axis: Axis) -> list[Any]:
    """All values of an axis; of a range without points its ends."""
    match axis:
        case ValuesAxis():
            return list(axis.values)
        case ChoiceAxis():
            return list(axis.choice)
        case RangeAxis():
            space = np.geomspace if axis.scale == "log" else np.linspace
            return [_number(axis, value) for value in space(*axis.range, axis.points or 2).tolist()]


def _number(axis: RangeAxis, value: float) -> float | int:
    value = min(max(value, axis.range[0]), axis.range[1])
    return round(value) if axis.integer else value


def _draw(axes: Sequence[Axis], seed: int, trial: int) -> Setting:
    random = np.random.default_rng([seed, trial])
    setting: Setting = {}
    for axis in axes:
        share = random.random()
        if isinstance(axis, RangeAxis) and axis.points is None:
            low, high = np.log(axis.range) if axis.scale == "log" else axis.range
            value = low + share * (high - low)
            value = float(np.exp(value)) if axis.scale == "log" else float(value)
            setting[axis.parameter] = _number(axis, value)
        else:
            values = values_of(axis)
            setting[axis.parameter] = values[int(share * len(values))]
    return setting


def corners(sweep: SweepSpec) -> Iterator[Setting]:
    """Settings that a guided search may take: each value of each axis once, the ends of ranges among them."""
    first = {axis.parameter: values_of(axis)[0] for axis in sweep.axes}
    yield first
    for axis in sweep.axes:
        for value in values_of(axis)[1:]:
            yield first | {axis.parameter: value}


def document_of(sweep: SweepSpec, setting: Setting) -> dict[str, Any]:
    """The run document of a setting, with the seed of the base and without a fold.

    Raises:
        InvalidDocument: a pointer leads nowhere in the base.
    """
    document = copy.deepcopy(sweep.base)
    for place, axis in enumerate(sweep.axes):
        value = setting[axis.parameter]
        if isinstance(axis, ChoiceAxis):
            for pointer, part in axis.choice[value].items():
                where = join("/axes", place, "choice", value, pointer)
                document = _changed(document, pointer, copy.deepcopy(part), where)
        else:
            for pointer in axis.pointers:
                document = _changed(document, pointer, copy.deepcopy(value), f"/axes/{place}/pointer")
    return document


def _changed(document: Any, pointer: str, value: Any, where: str) -> Any:
    """The document with one field set; all above it must be there."""
    segments = [part.replace("~1", "/").replace("~0", "~") for part in pointer.split("/")[1:]]
    owner = document
    for depth, segment in enumerate(segments):
        last = depth == len(segments) - 1
        if isinstance(owner, dict) and (last or segment in owner):
            key: Any = segment
        elif isinstance(owner, list) and segment.isdecimal() and int(segment) < len(owner):
            key = int(segment)
        else:
            raise InvalidDocument.at(
                where,
                f"Expected a pointer to a field of base; received {received(pointer)}, and there is no "
                f"{received(segment)} in {'/'.join(['', *segments[:depth]]) or 'the document'}.",
            )
        if last:
            owner[key] = value
        else:
            owner = owner[key]
    return document
