"""The shapes of expressions, known before anything is computed."""

from collections.abc import Mapping, Sequence

from app.spec.expressions.tree import Call, ExpressionError, Node, Number, Variable

Shape = tuple[int | None, ...]
"""The lengths of an array's axes, the batch's first; None is a length that isn't fixed."""


def shape_of(node: Node, shapes: Mapping[str, Shape]) -> Shape:
    """The shape of an expression's value; `()` is a single number.

    Args:
        node: the expression.
        shapes: the shape of each variable, all of the same rank.

    Raises:
        ExpressionError: shapes don't go together, or an axis isn't there.
    """
    if isinstance(node, Number):
        return ()
    if isinstance(node, Variable):
        return shapes[node.name]
    arguments = [shape_of(argument, shapes) for argument in node.arguments]
    if "axis" not in node.options:
        return _broadcast(arguments, node)
    shape, axis = arguments[0], node.options["axis"]
    if axis is None:
        return ()
    if not -len(shape) <= axis < len(shape):
        raise ExpressionError(
            f"Expected an axis of an array of shape {_show(shape)}; received {axis}", node.position
        )
    place = axis % len(shape)
    if node.function == "sort":
        return shape
    if node.function == "top_k":
        return (*shape[:place], _top_k(node, shape, place), *shape[place + 1 :])
    return (*shape[:place], 1, *shape[place + 1 :])


def _top_k(node: Call, shape: Shape, place: int) -> int:
    k: int = node.options["k"]
    length = shape[place]
    if place == 0:
        raise ExpressionError(
            "Expected an axis within a sample for top_k; received that of the batch", node.position
        )
    if length is not None and k > length:
        raise ExpressionError(
            f"Expected a k of at most {length}, the length of the axis; received {k}", node.position
        )
    return k


def _broadcast(shapes: Sequence[Shape], node: Call) -> Shape:
    """The shape of what is done element by element; a length of 1 goes with any."""
    arrays = [shape for shape in shapes if shape]
    if not arrays:
        return ()
    result: list[int | None] = []
    for lengths in zip(*arrays, strict=True):
        fixed = {length for length in lengths if length not in (1, None)}
        if len(fixed) > 1:
            listing = " and ".join(_show(shape) for shape in arrays)
            raise ExpressionError(f"Expected shapes that go together; received {listing}", node.position)
        result.append(fixed.pop() if fixed else None if None in lengths else 1)
    return tuple(result)


def _show(shape: Shape) -> str:
    if not shape:
        return "()"
    first = "batch" if shape[0] is None else str(shape[0])
    rest = ["?" if length is None else str(length) for length in shape[1:]]
    return f"({', '.join([first, *rest])})"
