"""Whether quantities fit what they are measured on: names, lengths and shapes.

What a document alone shows is found here, so that a wrong one is refused before a worker hears of it.
"""

from collections.abc import Iterator, Sequence
from math import prod

from app.errors import FieldProblem
from app.spec.constraints import Constraint, Quantity
from app.spec.expressions import ExpressionError, shape_of, variables_of
from app.spec.layers.base import Shape, show
from app.spec.names import letters
from app.spec.penalties import ElementsAbovePenalty, Penalty
from app.spec.pointers import join, received
from app.spec.quantities import (
    ActivationSparsity,
    ExpressionOf,
    Linear,
    Orthogonality,
    TotalVariation,
    WeightsOf,
    WeightSparsity,
)
from app.spec.rates import Rate
from app.spec.surroundings import Surroundings
from app.spec.thresholds import ColumnThreshold, QuantileThreshold, Threshold


def check_penalties(penalties: Sequence[Penalty], around: Surroundings) -> list[FieldProblem]:
    """What is wrong with the penalties of a document, given its model and data."""
    return [
        problem
        for index, penalty in enumerate(penalties)
        for problem in _check(penalty, join("/penalties", index), around)
    ]


def check_constraints(constraints: Sequence[Constraint], around: Surroundings) -> list[FieldProblem]:
    """What is wrong with the quantities of constraints, one by one, given the model and the data.

    Whether their limits can hold together is told by `app.spec.contradictions`.
    """
    problems = []
    for index, constraint in enumerate(constraints):
        pointer = join("/constraints", index)
        found = list(_check(constraint.quantity, join(pointer, "quantity"), around))
        if not found and constraint.over != "mean" and _sums_over_samples(constraint.quantity, around):
            message = "Expected mean, as the expression has one value in all samples."
            found.append(FieldProblem(join(pointer, "over"), message))
        problems += found
    return problems + list(_second_projections(constraints, around))


def _second_projections(constraints: Sequence[Constraint], around: Surroundings) -> Iterator[FieldProblem]:
    """A second limit that projects the same output: it could break the first, which then held nothing."""
    first: dict[str, int] = {}
    for index, constraint in enumerate(constraints):
        if not constraint.projects:
            continue
        output = str(constraint.quantity.of or next(iter(around.outputs)))
        if output in first:
            field = "guarantee" if constraint.guarantee else "method"
            message = (
                f"Expected one limit that projects the predictions of {output}, as a second projection "
                f"could break the first; received another beside /constraints/{first[output]}."
            )
            yield FieldProblem(join("/constraints", index, field), message)
        first.setdefault(output, index)


def measured_shape(quantity: Penalty | Quantity, around: Surroundings) -> Shape | None:
    """The shape of a sample of what a quantity is measured on; None if it's weights, or isn't there."""
    of = quantity.of
    if of is None:
        return next(iter(around.outputs.values())) if len(around.outputs) == 1 else None
    if isinstance(of, WeightsOf) or isinstance(quantity, WeightSparsity):
        return None
    return around.outputs.get(of, around.layers.get(of))


def elements_of(shape: Shape | None) -> int | None:
    """Elements of a sample of this shape; None where that isn't fixed."""
    if shape is None or None in shape:
        return None
    return prod(length for length in shape if length is not None)


def _check(quantity: Penalty | Quantity, pointer: str, around: Surroundings) -> Iterator[FieldProblem]:
    problem = _wrong_name(quantity, pointer, around)
    if problem is not None:
        yield problem
        return
    shape = measured_shape(quantity, around)
    for field in ("threshold", "lower", "upper"):
        threshold = getattr(quantity, field, None)
        if threshold is not None:
            yield from _check_threshold(threshold, shape, join(pointer, field), around)
    elements = elements_of(shape)
    match quantity:
        case Linear(coefficients=coefficients) if elements not in (None, len(coefficients)):
            yield FieldProblem(join(pointer, "coefficients"), _expected_numbers(elements, len(coefficients)))
        case ElementsAbovePenalty(k=k) if elements is not None and k is not None and k > elements:
            message = f"Expected at most {elements}, the elements of a sample; received {k}."
            yield FieldProblem(join(pointer, "k"), message)
        case TotalVariation() if shape is not None and _without_neighbours(shape):
            message = f"Expected samples with neighbouring elements; received shape {show(shape)}."
            yield FieldProblem(join(pointer, "of"), message)
        case Orthogonality() if shape is not None and len(shape) < 2:
            message = f"Expected samples with two axes or more; received shape {show(shape)}."
            yield FieldProblem(join(pointer, "of"), message)
        case ExpressionOf() if shape is not None:
            yield from _check_expression(quantity, shape, pointer, around)
        case Rate():
            yield from _check_rate(quantity, shape, pointer, around)


def _wrong_name(quantity: Penalty | Quantity, pointer: str, around: Surroundings) -> FieldProblem | None:
    """That `of` names nothing, or something without what is to be measured."""
    of = quantity.of
    where = join(pointer, "of")
    if of is None:
        if len(around.outputs) == 1:
            return None
        outputs = ", ".join(around.outputs)
        return FieldProblem(where, f"Expected one of the model's outputs ({outputs}); received nothing.")
    if isinstance(of, WeightsOf):
        return _unless_known(
            of.weights, list(around.weighted), "a layer with weights", join(where, "weights")
        )
    if isinstance(quantity, WeightSparsity):
        return _unless_known(of, list(around.weighted), "a layer with weights", where)
    if isinstance(quantity, ActivationSparsity):
        return _unless_known(of, list(around.layers), "a layer", where)
    if isinstance(quantity, Rate):
        return _unless_known(of, list(around.outputs), "an output", where)
    names = list(dict.fromkeys([*around.outputs, *around.layers]))
    return _unless_known(of, names, "an output or a layer", where)


def _unless_known(name: str, names: list[str], what: str, pointer: str) -> FieldProblem | None:
    if name in names:
        return None
    alike = [known for known in names if letters(known) == letters(name)]
    hint = f' Did you mean "{alike[0]}"?' if alike else ""
    listing = f" ({', '.join(names)})" if names else ", but there is none"
    return FieldProblem(pointer, f"Expected the name of {what}{listing}; received {received(name)}.{hint}")


def _check_threshold(
    threshold: Threshold, shape: Shape | None, pointer: str, around: Surroundings
) -> Iterator[FieldProblem]:
    elements = elements_of(shape)
    match threshold:
        case list() if elements not in (None, len(threshold)):
            yield FieldProblem(pointer, _expected_numbers(elements, len(threshold)))
        case ColumnThreshold(column=column):
            problem = _unless_known(
                column, list(around.columns), "a column of the dataset", join(pointer, "column")
            )
            if problem is not None:
                yield problem
                return
            numbers = elements_of(around.columns[column])
            if numbers != 1 and elements not in (None, numbers):
                message = f"Expected a column of 1 or {elements} numbers a sample; received one of {numbers}."
                yield FieldProblem(join(pointer, "column"), message)
        case QuantileThreshold() if elements == 1:
            message = "Expected several elements a sample, to take a quantile of; received one."
            yield FieldProblem(pointer, message)


def _expected_numbers(elements: int | None, count: int) -> str:
    return f"Expected {elements} numbers, one for each element of a sample; received {count}."


def _without_neighbours(shape: Shape) -> bool:
    walked = shape[:1] if len(shape) < 2 else shape[:-1]
    return all(length is not None and length < 2 for length in walked)


def _check_expression(
    quantity: ExpressionOf, shape: Shape, pointer: str, around: Surroundings
) -> Iterator[FieldProblem]:
    where = join(pointer, "expression")
    name = quantity.of or next(iter(around.outputs))
    target = around.targets.get(name)
    if "y_true" in variables_of(quantity.node):
        if target is None:
            yield FieldProblem(where, f"Expected no y_true, as {name} has no target; received it.")
            return
        if len(_in_rank(target, len(shape))) != len(shape):
            message = f"Expected targets with as many axes as y_pred, {show(shape)}; received {show(target)}."
            yield FieldProblem(where, message)
            return
    try:
        _shape_of_values(quantity, shape, target)
    except ExpressionError as error:
        yield FieldProblem(where, f"{error}.")


def _shape_of_values(quantity: ExpressionOf, shape: Shape, target: Shape | None) -> Shape:
    shapes: dict[str, Shape] = {"y_pred": (None, *shape)}
    if target is not None:
        shapes["y_true"] = (None, *_in_rank(target, len(shape)))
    return shape_of(quantity.node, shapes)


def _sums_over_samples(quantity: Quantity, around: Surroundings) -> bool:
    shape = measured_shape(quantity, around)
    if not isinstance(quantity, ExpressionOf) or shape is None:
        return False
    target = around.targets.get(quantity.of or next(iter(around.outputs)))
    return _shape_of_values(quantity, shape, target)[:1] != (None,)


def _in_rank(shape: Shape, rank: int) -> Shape:
    """A shape with lengths of 1 appended, or taken away, until it has `rank` axes."""
    while len(shape) > rank and shape[-1] == 1:
        shape = shape[:-1]
    return (*shape, *[1] * (rank - len(shape)))


def _check_rate(
    rate: Rate, shape: Shape | None, pointer: str, around: Surroundings
) -> Iterator[FieldProblem]:
    for index, group in enumerate(rate.groups):
        if around.groups is None or group not in around.groups:
            known = (
                "there is none"
                if around.groups is None
                else ", ".join(map(str, sorted(around.groups, key=str)))
            )
            where = join(pointer, "where") if rate.difference is None else join(pointer, "difference", index)
            yield FieldProblem(
                where, f"Expected a group of the dataset ({known}); received {received(group)}."
            )
    if shape is None or not shape:
        return
    classes, elements = shape[-1], elements_of(shape)
    target = around.targets.get(rate.of or next(iter(around.outputs)))
    given = None if target is None else elements_of(target)
    if rate.class_index is not None and classes is not None and rate.class_index >= max(classes, 2):
        message = f"Expected one of the {classes} classes of the output, from 0; received {rate.class_index}."
        yield FieldProblem(join(pointer, "class_index"), message)
    elif rate.class_index is not None and classes == 1:
        message = "Expected an output with several classes; received one with a single element."
        yield FieldProblem(join(pointer, "class_index"), message)
    elif given is not None and elements is not None and given != elements and classes is not None:
        if given * classes != elements:
            message = (
                f"Expected targets for an output of shape {show(shape)}; received shape {show(target or ())}."
            )
            yield FieldProblem(join(pointer, "of"), message)
        elif rate.class_index is None and rate.type != "accuracy":
            message = f"Expected which of the {classes} classes counts as positive; received nothing."
            yield FieldProblem(join(pointer, "class_index"), message)
