"""The tree of an expression, and the functions that it may call."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple


class ExpressionError(ValueError):
    """An expression can't be read, or doesn't fit the arrays it's for.

    Args:
        message: "Expected …; received …".
        position: of the character it's about, from 0.
    """

    def __init__(self, message: str, position: int) -> None:
        super().__init__(f"{message} at character {position + 1}")
        self.position = position


@dataclass(frozen=True)
class Number:
    """A number that is written out."""

    value: float
    position: int


@dataclass(frozen=True)
class Variable:
    """An array by its name."""

    name: str
    position: int


@dataclass(frozen=True)
class Call:
    """A function or an operator, applied.

    Attributes:
        function: a name in `FUNCTIONS`, or that of an operator.
        arguments: what it's applied to.
        options: what is fixed in the text: `axis`, `k`, `exponent`.
        position: of the function's name or of the operator.
    """

    function: str
    arguments: tuple["Node", ...]
    position: int
    options: Mapping[str, Any] = field(default_factory=dict)


Node = Number | Variable | Call


class Function(NamedTuple):
    """How a function is called.

    Attributes:
        arguments: how many there are.
        options: names with defaults; `...` must be given.
    """

    arguments: int
    options: Mapping[str, Any] = {}


_REDUCTION = Function(1, {"axis": None})
_OF_EACH_ELEMENT = Function(1)

FUNCTIONS: Final[Mapping[str, Function]] = {
    "mean": _REDUCTION,
    "sum": _REDUCTION,
    "max": _REDUCTION,
    "min": _REDUCTION,
    "sort": Function(1, {"axis": -1}),
    "top_k": Function(1, {"k": ..., "axis": -1}),
    "square": _OF_EACH_ELEMENT,
    "abs": _OF_EACH_ELEMENT,
    "sqrt": _OF_EACH_ELEMENT,
    "log": _OF_EACH_ELEMENT,
    "exp": _OF_EACH_ELEMENT,
    "sigmoid": _OF_EACH_ELEMENT,
    "tanh": _OF_EACH_ELEMENT,
    "relu": _OF_EACH_ELEMENT,
    "softplus": _OF_EACH_ELEMENT,
    "maximum": Function(2),
    "minimum": Function(2),
    "where": Function(3),
    "clip": Function(3),
}
"""The functions of the language."""


def variables_of(node: Node) -> set[str]:
    """The names of the variables that an expression uses."""
    if isinstance(node, Variable):
        return {node.name}
    if isinstance(node, Call):
        return {name for argument in node.arguments for name in variables_of(argument)}
    return set()
