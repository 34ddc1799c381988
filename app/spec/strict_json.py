"""Read a body as strict JSON, and say where it isn't.

NaN and Infinity aren't JSON, although Python's and JavaScript's habits make them common: a body that
holds one is refused with the pointer of the number.
"""

import json
from typing import Any

import numpy as np
import orjson

from app.errors import FieldProblem, MalformedDocument
from app.spec.pointers import join

MOST_SEARCHED_BYTES = 1024 * 1024
"""Largest body in which a number that JSON can't hold is looked for, as that takes much time and memory; of
larger ones only the line and the column are told."""


_STEPS = np.zeros(256, np.int8)
_STEPS[list(b"[{")] = 1
_STEPS[list(b"]}")] = -1
_MARKS = _STEPS != 0
_MARKS[ord('"')] = True


def depth_of(body: bytes) -> int:
    """How deeply lists and objects are nested in JSON; of what isn't JSON, any number.

    It takes a small part of the time of parsing.
    """
    if b"\\" in body:
        body = body.replace(b"\\\\", b"").replace(b'\\"', b"")
    every = np.frombuffer(body, np.uint8)
    marks = every[_MARKS[every]]
    is_quote = marks == ord('"')
    steps = _STEPS[marks]
    steps[np.cumsum(is_quote) % 2 == 1] = 0  # within a text
    return int(np.cumsum(steps, dtype=np.int64).max(initial=0))


def read_json(body: bytes) -> Any:
    """The JSON value in `body` (UTF-8).

    Raises:
        MalformedDocument: the body isn't JSON; the message names line and column, and for NaN or
            Infinity the pointer leads to the number.
    """
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise MalformedDocument([_find_problem(body, error)]) from error


def _find_problem(body: bytes, error: orjson.JSONDecodeError) -> FieldProblem:
    if not body.strip():
        return FieldProblem("", "Expected JSON; received an empty body.")
    found = _search(body) if len(body) <= MOST_SEARCHED_BYTES else None
    if found is None:
        return FieldProblem("", f"Expected JSON; received text that is not JSON: {error}.")
    pointer, constant = found
    return FieldProblem(pointer, f"Expected a finite number; received {constant.text}.")


def _search(body: bytes) -> "tuple[str, _Constant] | None":
    try:
        document = json.loads(body, parse_constant=_Constant, parse_float=_parse_float)
    except (ValueError, RecursionError):
        return None
    return _find_constant(document)


class _Constant:
    """Stands for a number that JSON can't hold, where Python's lenient parser met one."""

    def __init__(self, text: str) -> None:
        self.text = text


def _parse_float(text: str) -> "float | _Constant":
    number = float(text)
    return _Constant(text) if number in (float("inf"), float("-inf")) else number


def _find_constant(document: Any) -> tuple[str, _Constant] | None:
    waiting: list[tuple[str, Any]] = [("", document)]
    while waiting:
        pointer, value = waiting.pop()
        if isinstance(value, _Constant):
            return pointer, value
        parts = (
            value.items() if isinstance(value, dict) else enumerate(value if isinstance(value, list) else [])
        )
        inner = [(key, part) for key, part in parts if isinstance(part, dict | list | _Constant)]
        waiting += [(join(pointer, key), part) for key, part in reversed(inner)]
    return None
