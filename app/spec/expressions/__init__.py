"""Expressions: arithmetic that a document may contain, such as `mean(square(y_true - y_pred), axis=-1)`.

They are read by a grammar of their own into a tree of calls, never by Python. An expression can't loop, reach
an attribute or name anything but its variables and functions, and its size is limited.

All variables have as many axes as `y_pred`, the first one the batch. An axis that is summed over stays, with
length 1, so that `y_pred / sum(y_pred, axis=-1)` divides each row by its sum. A comparison is 1 where it
holds and 0 elsewhere.
"""

from app.spec.expressions.parser import parse_expression
from app.spec.expressions.shapes import Shape, shape_of
from app.spec.expressions.tree import (
    FUNCTIONS,
    Call,
    ExpressionError,
    Function,
    Node,
    Number,
    Variable,
    variables_of,
)

__all__ = [
    "FUNCTIONS",
    "Call",
    "ExpressionError",
    "Function",
    "Node",
    "Number",
    "Shape",
    "Variable",
    "parse_expression",
    "shape_of",
    "variables_of",
]
