"""The grammar of expressions, and its parser.

comparison = sum [ ( "<" | "<=" | ">" | ">=" | "==" | "!=" ) sum ]
sum        = product { ( "+" | "-" ) product }
product    = negation { ( "*" | "/" ) negation }
negation   = "-" negation | power
power      = atom [ "**" exponent ]                 exponent: a number, perhaps negative
atom       = number | variable | call | "(" comparison ")"
call       = function "(" comparison { "," comparison } { "," option "=" integer } ")"
"""

import re
from collections.abc import Collection, Mapping, Sequence
from difflib import get_close_matches
from typing import Any, Final, NamedTuple

from app.spec.expressions.tree import FUNCTIONS, Call, ExpressionError, Function, Node, Number, Variable
from app.spec.pointers import received

MAX_CHARACTERS: Final = 2_000
"""The longest expression."""
MAX_NESTING: Final = 50
"""The most brackets and minus signs around a part of an expression."""
MAX_NODES: Final = 250
"""The most numbers, variables, operators and calls in one expression."""
MAX_NUMBER: Final = 3e38
"""The largest number, that of float32."""
MAX_EXPONENT: Final = 32.0
"""The largest exponent, either sign."""

_OPTION_RANGES: Final = {"axis": (-8, 7), "k": (1, 1_000_000)}

_OPERATORS: Final[Sequence[Mapping[str, str]]] = (
    {
        "<": "less",
        "<=": "less_equal",
        ">": "greater",
        ">=": "greater_equal",
        "==": "equal",
        "!=": "not_equal",
    },
    {"+": "add", "-": "subtract"},
    {"*": "multiply", "/": "divide"},
)
"""The operators between two operands, from those that bind least, with the names they have in the tree."""

_TOKEN = re.compile(
    r"\s*(?:(?P<number>(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)"
    r"|(?P<name>[A-Za-z_][A-Za-z0-9_]*)"
    r"|(?P<symbol>\*\*|[<>=!]=|[-+*/<>(),=])"
    r"|(?P<end>$)"
    r"|(?P<other>.))",
    re.DOTALL,
)


class _Token(NamedTuple):
    kind: str
    text: str
    position: int


def parse_expression(text: str, variables: Collection[str]) -> Node:
    """The tree of an expression.

    Args:
        text: the expression, at most `MAX_CHARACTERS` long.
        variables: the names it may use.

    Raises:
        ExpressionError: it isn't an expression, uses another name, or is too large.
    """
    if len(text) > MAX_CHARACTERS:
        raise ExpressionError(
            f"Expected at most {MAX_CHARACTERS} characters; received {len(text)}, the first too many",
            MAX_CHARACTERS,
        )
    return _Parser(text, variables).parse()


class _Parser:
    """A parser by recursive descent: a method for each rule of the grammar."""

    def __init__(self, text: str, variables: Collection[str]) -> None:
        self._tokens = [
            _Token(str(match.lastgroup), match[str(match.lastgroup)], match.start(str(match.lastgroup)))
            for match in _TOKEN.finditer(text)
        ]
        self._variables = variables
        self._next = 0
        self._nesting = 0
        self._nodes = 0

    def parse(self) -> Node:
        node = self._operation(0)
        if self._token.kind != "end":
            raise self._unexpected("an operator or the end")
        return node

    @property
    def _token(self) -> _Token:
        return self._tokens[self._next]

    def _advance(self) -> _Token:
        token = self._token
        self._next += 1
        return token

    def _unexpected(self, expected: str) -> ExpressionError:
        token = self._token
        what = "the end" if token.kind == "end" else received(token.text)
        return ExpressionError(f"Expected {expected}; received {what}", token.position)

    def _expect(self, symbol: str, expected: str | None = None) -> _Token:
        if self._token.text != symbol:
            raise self._unexpected(expected or f'"{symbol}"')
        return self._advance()

    def _counted(self, node: Node) -> Node:
        self._nodes += 1
        if self._nodes > MAX_NODES:
            raise ExpressionError(
                f"Expected at most {MAX_NODES} numbers, variables, operators and calls; received another",
                node.position,
            )
        return node

    def _operation(self, level: int) -> Node:
        if level == len(_OPERATORS):
            return self._negation()
        operators = _OPERATORS[level]
        node = self._operation(level + 1)
        while self._token.text in operators:
            operator = self._advance()
            arguments = (node, self._operation(level + 1))
            node = self._counted(Call(operators[operator.text], arguments, operator.position))
            if level == 0 and self._token.text in operators:
                raise self._unexpected("one comparison (join two with a product)")
        return node

    def _negation(self) -> Node:
        if self._token.text != "-":
            return self._power()
        minus = self._enter()
        node = self._counted(Call("negative", (self._negation(),), minus.position))
        self._nesting -= 1
        return node

    def _enter(self) -> _Token:
        """The token that opens a deeper level."""
        token = self._advance()
        self._nesting += 1
        if self._nesting > MAX_NESTING:
            raise ExpressionError(
                f"Expected at most {MAX_NESTING} levels of nesting; received another", token.position
            )
        return token

    def _power(self) -> Node:
        base = self._atom()
        if self._token.text != "**":
            return base
        operator = self._advance()
        sign = -1.0 if self._token.text == "-" else 1.0
        if sign < 0:
            self._advance()
        position = self._token.position
        if self._token.kind != "number":
            raise self._unexpected("a number as exponent")
        exponent = sign * self._number().value
        if abs(exponent) > MAX_EXPONENT:
            raise ExpressionError(
                f"Expected an exponent from -{MAX_EXPONENT:g} to {MAX_EXPONENT:g}; received {exponent:g}",
                position,
            )
        if self._token.text == "**":
            raise self._unexpected("one exponent (use brackets)")
        return self._counted(Call("power", (base,), operator.position, {"exponent": exponent}))

    def _number(self) -> Number:
        token = self._advance()
        value = float(token.text)
        if value > MAX_NUMBER:
            raise ExpressionError(
                f"Expected a number of at most {MAX_NUMBER:g}; received {received(token.text)}",
                token.position,
            )
        return Number(value, token.position)

    def _atom(self) -> Node:
        token = self._token
        if token.kind == "number":
            return self._counted(self._number())
        if token.kind == "name":
            self._advance()
            return self._counted(self._call(token) if self._token.text == "(" else self._variable(token))
        if token.text == "(":
            self._enter()
            node = self._operation(0)
            self._expect(")", 'an operator or ")"')
            self._nesting -= 1
            return node
        raise self._unexpected('a number, a name, "-" or "("')

    def _variable(self, token: _Token) -> Variable:
        if token.text in self._variables:
            return Variable(token.text, token.position)
        if token.text in FUNCTIONS:
            raise self._unexpected(f'"(" after the function {token.text}')
        raise _unknown("a variable", self._variables, [*self._variables, *FUNCTIONS], token)

    def _call(self, token: _Token) -> Call:
        function = FUNCTIONS.get(token.text)
        if function is None:
            raise _unknown("a function", FUNCTIONS, FUNCTIONS, token)
        self._enter()
        arguments: list[Node] = []
        options: dict[str, Any] = {}
        while True:
            if len(arguments) < function.arguments:
                arguments.append(self._operation(0))
            else:
                self._option(token.text, function, options)
            if self._token.text != ",":
                break
            self._advance()
        if len(arguments) < function.arguments:
            raise self._unexpected(f'"," and the next of the {function.arguments} arguments of {token.text}')
        for name, default in function.options.items():
            if options.setdefault(name, default) is ...:
                raise self._unexpected(f'"," and {name} for {token.text}')
        self._expect(")", 'an operator, "," or ")"')
        self._nesting -= 1
        return Call(token.text, tuple(arguments), token.position, options)

    def _option(self, function_name: str, function: Function, options: dict[str, Any]) -> None:
        """Reads `axis=-1`, or the -1 alone."""
        free = [name for name in function.options if name not in options]
        if not free:
            raise self._unexpected(f'")", as {function_name} takes no more')
        name = free[0]
        if self._token.kind == "name":
            if self._token.text not in free:
                raise self._unexpected(" or ".join(f'"{option}="' for option in free))
            name = self._advance().text
            self._expect("=")
        options[name] = self._integer(name)

    def _integer(self, name: str) -> int:
        least, largest = _OPTION_RANGES[name]
        position = self._token.position
        negative = self._token.text == "-"
        if negative:
            self._advance()
        if self._token.kind != "number" or not self._token.text.isdecimal():
            raise self._unexpected(f"an integer as {name}")
        text = self._advance().text
        value = -int(text) if negative else int(text)
        if not least <= value <= largest:
            raise ExpressionError(
                f"Expected an integer from {least} to {largest} as {name}; received {received(text)}",
                position,
            )
        return value


def _unknown(what: str, names: Collection[str], near: Collection[str], token: _Token) -> ExpressionError:
    nearest = get_close_matches(token.text, near, n=1)
    hint = f' (did you mean "{nearest[0]}"?)' if nearest else ""
    listing = ", ".join(names)
    return ExpressionError(
        f"Expected {what}: {listing}; received {received(token.text)}{hint}", token.position
    )
