"""JSON Pointers (RFC 6901), and a short form of what a client sent, for messages."""

import json
from collections.abc import Sequence
from typing import Any

LONGEST_RECEIVED = 60
"""Characters of a received value that a message repeats."""


def join(pointer: str, *segments: str | int) -> str:
    """`pointer` made longer by `segments`: `join("/model", "layers", 0)` is `"/model/layers/0"`."""
    return pointer + "".join("/" + str(segment).replace("~", "~0").replace("/", "~1") for segment in segments)


def resolve(document: Any, path: Sequence[str | int]) -> Any:
    """The value that `path` leads to in `document`.

    Raises:
        LookupError: it leads nowhere.
    """
    for segment in path:
        document = document[segment]
    return document


def received(value: Any) -> str:
    """How a message names what a client sent: short, and in JSON's terms."""
    if isinstance(value, dict):
        return "an empty object" if not value else "an object"
    if isinstance(value, list | tuple):
        return "an empty list" if not value else f"a list of {len(value)}"
    if value is None or isinstance(value, bool | int | float | str):
        text = json.dumps(value, ensure_ascii=False)
        return text if len(text) <= LONGEST_RECEIVED else text[: LONGEST_RECEIVED - 1] + "…"
    return type(value).__name__
