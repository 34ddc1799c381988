"""Whether penalties fit the model and the data, told before anything is trained."""

from collections.abc import Mapping, Sequence
from math import prod
from typing import Any

from numpy.typing import NDArray

from app.errors import InvalidDocument
from app.spec import quantities
from app.spec.expressions import ExpressionError, shape_of, variables_of
from app.spec.graph import Graph
from app.spec.layers.base import Shape, show
from app.spec.names import did_you_mean
from app.spec.penalties import ElementsAbovePenalty, Penalty
from app.spec.pointers import join, received
from app.spec.quantities import WeightsOf
from app.spec.thresholds import ColumnThreshold

Arrays = Mapping[str, NDArray[Any]]


def check_penalties(
    penalties: Sequence[Penalty], graph: Graph, columns: Arrays, targets: Arrays, pointer: str = "/penalties"
) -> None:
    """Checks every penalty against the model's layers and the columns of the data.

    Args:
        penalties: the `penalties` field of the document.
        graph: the model.
        columns: the data's further columns, `(samples, …)` by name.
        targets: `(samples, …)` by output name.
        pointer: JSON Pointer to `penalties`.

    Raises:
        InvalidDocument: a penalty names a layer or a column that isn't there, or has another number of
            thresholds or coefficients than there are elements.
    """
    for position, penalty in enumerate(penalties):
        where = join(pointer, position)
        if isinstance(penalty.of, WeightsOf):
            _check_weights(penalty.of, graph, where)
            continue
        of, shape = _measured(penalty.of, graph, where)
        _check_shape(penalty, shape, where)
        _check_thresholds(penalty, shape, columns, where)
        if isinstance(penalty, quantities.ExpressionOf):
            _check_expression(penalty, shape, targets.get(of), where)


def _measured(of: str | None, graph: Graph, where: str) -> tuple[str, Shape]:
    """The name of what a penalty measures, and the shape of one sample of it."""
    outputs = graph.output_shapes
    if of is None:
        if len(outputs) > 1:
            names = ", ".join(outputs)
            raise InvalidDocument.at(
                f"{where}/of", f"Expected one of the outputs {names}, as there are several; received nothing."
            )
        (of,) = outputs
    shapes = {node.name: node.shape for node in graph.nodes} | outputs
    if of not in shapes:
        raise InvalidDocument.at(
            f"{where}/of",
            f"Expected the name of an output or a layer; received {received(of)}.{did_you_mean(of, shapes)}",
        )
    return of, shapes[of]


def _check_weights(of: WeightsOf, graph: Graph, where: str) -> None:
    counts = {node.name: node.parameter_count for node in graph.nodes}
    if not counts.get(of.weights):
        raise InvalidDocument.at(
            f"{where}/of/weights",
            f"Expected the name of a layer with weights; received {received(of.weights)}."
            f"{did_you_mean(of.weights, [name for name, count in counts.items() if count])}",
        )


def _check_shape(penalty: Penalty, shape: Shape, where: str) -> None:
    elements = _elements(shape)
    if isinstance(penalty, quantities.Linear) and len(penalty.coefficients) != elements:
        raise InvalidDocument.at(
            f"{where}/coefficients",
            f"Expected a number for each of the elements {show(shape)}; "
            f"received {len(penalty.coefficients)}.",
        )
    if isinstance(penalty, quantities.Orthogonality) and len(shape) < 2:
        raise InvalidDocument.at(
            f"{where}/of", f"Expected a matrix a sample for orthogonality; received shape {show(shape)}."
        )
    k = penalty.k if isinstance(penalty, ElementsAbovePenalty) else None
    if k is not None and elements is not None and k > elements:
        raise InvalidDocument.at(
            f"{where}/k", f"Expected at most the {elements} elements of a sample; received {k}."
        )


def _check_thresholds(penalty: Penalty, shape: Shape, columns: Arrays, where: str) -> None:
    elements = _elements(shape)
    for field in ("threshold", "lower", "upper"):
        threshold = getattr(penalty, field, None)
        if isinstance(threshold, list) and len(threshold) not in (1, elements):
            raise InvalidDocument.at(
                f"{where}/{field}",
                f"Expected a number for each of the elements {show(shape)}; received {len(threshold)}.",
            )
        if isinstance(threshold, ColumnThreshold):
            _check_column(threshold.column, elements, columns, f"{where}/{field}/column")


def _check_column(name: str, elements: int | None, columns: Arrays, pointer: str) -> None:
    if name not in columns:
        raise InvalidDocument.at(
            pointer,
            f"Expected the name of one of the data's columns; received {received(name)}."
            f"{did_you_mean(name, columns)}",
        )
    length = prod(columns[name].shape[1:])
    if length not in (1, elements):
        raise InvalidDocument.at(
            pointer,
            f"Expected a column with one number a sample, or one for each of {elements} elements; "
            f"received one with {length}.",
        )


def _check_expression(
    penalty: quantities.ExpressionOf, shape: Shape, target: NDArray[Any] | None, where: str
) -> None:
    shapes: dict[str, Shape] = {"y_pred": (None, *shape)}
    if target is not None:
        shapes["y_true"] = (None, *in_rank_of(shape, target.shape[1:]))
    elif "y_true" in variables_of(penalty.node):
        raise InvalidDocument.at(
            f"{where}/expression", f"Expected an output with targets for y_true; received {penalty.of}."
        )
    try:
        shape_of(penalty.node, shapes)
    except ExpressionError as error:
        raise InvalidDocument.at(f"{where}/expression", f"{error}.") from error


def in_rank_of(shape: Shape, target_shape: Shape) -> Shape:
    """A target's shape with axes of length 1 at its end, or without, to have as many as the output's."""
    trimmed = list(target_shape)
    while len(trimmed) > len(shape) and trimmed[-1] == 1:
        trimmed.pop()
    return (*trimmed, *(1,) * (len(shape) - len(trimmed)))


def _elements(shape: Shape) -> int | None:
    return None if None in shape else prod(length for length in shape if length is not None)
