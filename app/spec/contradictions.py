"""Limits that can't hold, alone or together, found before anything is trained.

Three things are looked at. What the output's activation and the other limits leave to each element of an
output gives the range in which every other quantity of that output lies; a limit outside that range can't
hold. Two limits of one quantity must have a value in common. And quantities that determine one another, as
recall and the false negative rate, or counts above two thresholds, are limits of one quantity.

Not every contradiction is found: a run may still end with the verdict that its limits weren't held.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from app.errors import FieldProblem
from app.spec.constraints import DEFAULT_TOLERANCE, Constraint, Interval, Quantity
from app.spec.graph import Graph, Node
from app.spec.layers.activation import ReLU, Softmax
from app.spec.layers.hard import Bounded, Simplex
from app.spec.layers.recurrent import Recurrent
from app.spec.pointers import join
from app.spec.quantities import (
    Bounds,
    ElementsAbove,
    ExcessAbove,
    Linear,
    NormOf,
    ShortfallBelow,
    SumTo,
    WeightsOf,
)
from app.spec.quantity_checks import elements_of
from app.spec.rates import Rate
from app.spec.thresholds import Threshold

Floats = NDArray[np.float64]

ACTIVATION_RANGES: Mapping[str, tuple[float, float]] = {
    "exponential": (0, math.inf),
    "hard_sigmoid": (0, 1),
    "hard_tanh": (-1, 1),
    "log_sigmoid": (-math.inf, 0),
    "log_softmax": (-math.inf, 0),
    "relu": (0, math.inf),
    "relu6": (0, 6),
    "sigmoid": (0, 1),
    "softmax": (0, 1),
    "softplus": (0, math.inf),
    "softsign": (-1, 1),
    "sparse_plus": (0, math.inf),
    "sparse_sigmoid": (0, 1),
    "sparsemax": (0, 1),
    "squareplus": (0, math.inf),
    "tanh": (-1, 1),
}
"""Where the values of an activation lie, where that isn't everywhere."""

SLACK = 1e-9
"""Relative error of adding up that isn't taken for a contradiction."""


class _Elements(NamedTuple):
    """What the elements of a sample can be: least and largest value of each, and their sum if it's fixed."""

    lower: Floats
    upper: Floats
    total: float | None


def check_contradictions(constraints: Sequence[Constraint], graph: Graph) -> list[FieldProblem]:
    """The limits that can't hold, each with the reason.

    Args:
        constraints: of the document, each right in itself and with known names.
        graph: the model.
    """
    elements = _elements_by_node(graph)
    problems = list(_tighten(constraints, graph, elements))
    if not problems:
        problems += _outside_range(constraints, graph, elements)
    if not problems:
        problems += _against_each_other(constraints, graph)
    return problems


def _elements_by_node(graph: Graph) -> dict[str, _Elements]:
    return {
        node.name: _elements_of_node(node, count)
        for node in graph.nodes
        if (count := elements_of(node.shape)) is not None
    }


def _elements_of_node(node: Node, count: int) -> _Elements:
    layer = node.layer
    low, high = -math.inf, math.inf
    activation = None if isinstance(layer, Recurrent) else getattr(layer, "activation", None)
    if isinstance(layer, Bounded):
        low, high = layer.lower, layer.upper
    elif isinstance(layer, ReLU):
        low = 0.0 if layer.negative_slope == 0 else low
    elif isinstance(layer, Simplex | Softmax):
        low, high = 0.0, 1.0
    elif activation is not None:
        low, high = ACTIVATION_RANGES.get(activation, (low, high))
    adds_to_one = isinstance(layer, Simplex | Softmax) or activation in ("softmax", "sparsemax")
    total = 1.0 if adds_to_one and len(node.shape) == 1 else None
    return _Elements(np.full(count, low), np.full(count, high), total)


def _node_of(quantity: Quantity, graph: Graph) -> str | None:
    """The node whose output a quantity is measured on; None if it's on weights."""
    if isinstance(quantity.of, WeightsOf):
        return None
    of = quantity.of or next(iter(graph.outputs))
    return graph.outputs.get(of, of)


def _tighten(
    constraints: Sequence[Constraint], graph: Graph, elements: dict[str, _Elements]
) -> Iterator[FieldProblem]:
    """Narrows `elements` by the limits that hold for each element, and tells where nothing is left."""
    for index, constraint in enumerate(constraints):
        node = _node_of(constraint.quantity, graph)
        if node not in elements or not _never_broken(constraint):
            continue
        before = elements[node]
        lower, upper = _bounds_of(constraint.quantity)
        after = _Elements(np.maximum(before.lower, lower), np.minimum(before.upper, upper), before.total)
        if (after.lower > after.upper).any():
            place = int((after.lower > after.upper).argmax())
            yield FieldProblem(
                join("/constraints", index),
                f"Expected a limit that can hold together with the model's output and the limits before it; "
                f"received one that leaves nothing between {after.lower[place]:g} and {after.upper[place]:g} "
                f"for element {place} of {node}.",
            )
            return
        elements[node] = after


def _never_broken(constraint: Constraint) -> bool:
    """Whether the quantity, which isn't negative, must be 0 for every sample."""
    return constraint.allowed.high <= DEFAULT_TOLERANCE and constraint.over in ("mean", "every_sample")


def _bounds_of(quantity: Quantity) -> tuple[Floats | float, Floats | float]:
    """The bounds of each element where this quantity is 0."""
    lower: Floats | float = -math.inf
    upper: Floats | float = math.inf
    match quantity:
        case ElementsAbove(threshold=threshold) | ExcessAbove(threshold=threshold):
            upper = _numbers(threshold, math.inf)
        case ShortfallBelow(threshold=threshold):
            lower = _numbers(threshold, -math.inf)
        case Bounds():
            lower, upper = _numbers(quantity.lower, -math.inf), _numbers(quantity.upper, math.inf)
    return lower, upper


def _numbers(threshold: Threshold | None, otherwise: float) -> Floats | float:
    """The numbers of a threshold; `otherwise` where the document alone doesn't tell them."""
    if isinstance(threshold, float):
        return threshold
    return np.array(threshold) if isinstance(threshold, list) else otherwise


def _outside_range(
    constraints: Sequence[Constraint], graph: Graph, elements: Mapping[str, _Elements]
) -> Iterator[FieldProblem]:
    """The limits outside the range that the elements leave to their quantity."""
    for index, constraint in enumerate(constraints):
        node = _node_of(constraint.quantity, graph)
        if node is None or node not in elements:
            continue
        possible = _range_of(constraint.quantity, elements[node])
        slack = SLACK * max([1.0, *(abs(end) for end in possible if math.isfinite(end))])
        if not constraint.allowed.meets(Interval(possible.low - slack, possible.high + slack)):
            yield FieldProblem(
                join("/constraints", index, constraint.limit_field),
                f"Expected a limit that can hold: {constraint.quantity.type} of {node} is "
                f"{_shown(possible)}, given its {len(elements[node].lower)} elements and their bounds; "
                f"received {constraint.limit:g}.",
            )


def _shown(interval: Interval) -> str:
    if interval.low == interval.high:
        return f"{interval.low:g}"
    if math.isinf(interval.high):
        return f"at least {interval.low:g}"
    if math.isinf(interval.low):
        return f"at most {interval.high:g}"
    return f"from {interval.low:g} to {interval.high:g}"


def _range_of(quantity: Quantity, elements: _Elements) -> Interval:
    """The values that a quantity of one sample can have."""
    lower, upper, total = elements
    match quantity:
        case ElementsAbove(threshold=threshold):
            high_threshold, low_threshold = _numbers(threshold, math.inf), _numbers(threshold, -math.inf)
            return Interval(float((lower > high_threshold).sum()), float((upper > low_threshold).sum()))
        case ExcessAbove(threshold=threshold, norm=norm):
            return _summed(
                lower - _numbers(threshold, math.inf), upper - _numbers(threshold, -math.inf), norm
            )
        case ShortfallBelow(threshold=threshold, norm=norm):
            return _summed(
                _numbers(threshold, -math.inf) - upper, _numbers(threshold, math.inf) - lower, norm
            )
        case NormOf(norm=norm):
            nearest = np.maximum(np.maximum(lower, -upper), 0)
            return _summed(nearest, np.maximum(np.abs(lower), np.abs(upper)), norm)
        case SumTo(value=value, norm=norm):
            sums = (
                Interval(float(lower.sum()), float(upper.sum())) if total is None else Interval(total, total)
            )
            distances = sums.low - value, value - sums.high
            least, most = max(*distances, 0.0), max(abs(distance) for distance in distances)
            return _summed(np.array([least]), np.array([most]), norm)
        case Linear(coefficients=coefficients):
            return _linear(np.array(coefficients), elements)
    return Interval(-math.inf, math.inf)


def _summed(least: Floats, most: Floats, norm: str) -> Interval:
    """Sum of `max(d, 0)^p` for distances d between least and most."""
    power = 2 if norm == "l2" else 1
    return Interval(float((np.maximum(least, 0) ** power).sum()), float((np.maximum(most, 0) ** power).sum()))


def _linear(coefficients: Floats, elements: _Elements) -> Interval:
    lower, upper, total = elements
    if total is not None:
        # Shares of one: a mean of the coefficients (bounds of single elements only narrow it further).
        return Interval(float(coefficients.min() * total), float(coefficients.max() * total))
    used = coefficients != 0  # as 0 · ∞ isn't a number
    ends = np.stack([coefficients[used] * lower[used], coefficients[used] * upper[used]])
    return Interval(float(ends.min(axis=0).sum()), float(ends.max(axis=0).sum()))


def _against_each_other(constraints: Sequence[Constraint], graph: Graph) -> Iterator[FieldProblem]:
    """The limits that have no value in common with one before them."""
    for later, constraint in enumerate(constraints):
        for earlier, other in enumerate(constraints[:later]):
            if _comparable(constraint, other) and not _can_both_hold(constraint, other, graph):
                yield FieldProblem(
                    join("/constraints", later, constraint.limit_field),
                    f"Expected a limit that can hold together with /constraints/{earlier} "
                    f"({other.quantity.type} {_words(other)}); received {_words(constraint)}.",
                )
                break


def _words(constraint: Constraint) -> str:
    return f"{constraint.limit_field.replace('_', ' ')} {constraint.limit:g}"


def _comparable(one: Constraint, other: Constraint) -> bool:
    """Whether both are about the same samples: what holds for every sample holds for mean and quantiles."""
    return one.over == other.over or "every_sample" in (one.over, other.over)


def _can_both_hold(one: Constraint, other: Constraint, graph: Graph) -> bool:
    first, second = _canonical(one, graph), _canonical(other, graph)
    if first.key == second.key:
        return first.allowed.meets(second.allowed)
    if first.threshold is None or second.threshold is None or first.key[:2] != second.key[:2]:
        return True
    # The count above a higher threshold is never the larger one.
    low, high = (first, second) if first.threshold <= second.threshold else (second, first)
    return high.allowed.low <= low.allowed.high


class _Canonical(NamedTuple):
    """A limit in a form in which equal quantities are equal."""

    key: tuple[str, ...]
    allowed: Interval
    threshold: float | None


def _canonical(constraint: Constraint, graph: Graph) -> _Canonical:
    quantity, allowed = constraint.quantity, constraint.allowed
    place = _node_of(quantity, graph) or f"weights of {quantity.of}"
    if isinstance(quantity, ElementsAbove) and isinstance(quantity.threshold, float):
        return _Canonical((quantity.type, place, str(quantity.threshold)), allowed, quantity.threshold)
    if isinstance(quantity, Rate) and quantity.type == "false_negative_rate" and quantity.difference is None:
        quantity = quantity.model_copy(update={"type": "recall"})
        allowed = Interval(1 - allowed.high, 1 - allowed.low)
    return _Canonical((quantity.type, place, quantity.model_dump_json(exclude={"of"})), allowed, None)
