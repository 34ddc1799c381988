"""Real documents, changed at random places into what a careless or hostile client might send."""

import copy
import json
import random
from typing import Any

ODD_VALUES: tuple[Any, ...] = (
    None,
    True,
    0,
    -1,
    2**31,
    2**63,
    2**64,
    10**400,
    1e308,
    -1e-320,
    "",
    "\u0000",
    "\ufeff\u202e🙂" * 50,
    "'; DROP TABLE runs; --",
    '" OR 1=1 --',
    "../../etc/passwd",
    "%s%n{0}${x}",
    "x" * 70_000,
    [],
    {},
    [[]],
    [None],
    {"": ""},
    {"type": "Lambda", "config": {"function": "os.system"}},
    {"class_name": "Lambda", "module": "builtins", "registered_name": "exec"},
    {"id": "ds_0000000000000000000000000f"},
)


def mutated(document: Any, chance: random.Random) -> bytes:
    """A body: the document with one to four changes, sometimes broken as text, too."""
    changed = copy.deepcopy(document)
    for _ in range(chance.randint(1, 4)):
        changed = _change(changed, chance)
    body = json.dumps(changed).encode()
    if chance.random() < 0.2:
        body = _break(body, chance)
    return body


def _places(value: Any) -> list[tuple[Any, Any]]:
    """Each container within the value, with a key of it."""
    waiting, found = [value], []
    while waiting:
        container = waiting.pop()
        parts = container.items() if isinstance(container, dict) else enumerate(container)
        for key, part in parts:
            found.append((container, key))
            if isinstance(part, dict | list):
                waiting.append(part)
    return found


def _change(document: Any, chance: random.Random) -> Any:
    places = _places(document) if isinstance(document, dict | list) else []
    if not places or chance.random() < 0.02:
        return copy.deepcopy(chance.choice(ODD_VALUES))
    container, key = chance.choice(places)
    match chance.randrange(6):
        case 0:
            del container[key]
        case 1:
            other, other_key = chance.choice(places)
            try:
                container[key] = copy.deepcopy(other[other_key])
            except (KeyError, IndexError):
                container[key] = None
        case 2 if isinstance(container, dict):
            container[chance.choice(("type", "name", "x", "class_name", "__class__", "é"))] = container.pop(
                key
            )
        case 3:
            inner = container[key]
            for _ in range(chance.choice((1, 5, 90))):
                inner = [inner]
            container[key] = inner
        case 4 if isinstance(container[key], float) or (
            type(container[key]) is int and abs(container[key]) < 1e300
        ):
            container[key] = chance.choice((-1, 0.5, 2, 1e6, 1e30)) * container[key]
        case _:
            container[key] = copy.deepcopy(chance.choice(ODD_VALUES))
    return document


def _break(body: bytes, chance: random.Random) -> bytes:
    at = chance.randrange(len(body) + 1)
    match chance.randrange(5):
        case 0:
            return body[:at]
        case 1:
            return body[:at] + bytes([chance.randrange(256)]) + body[at + 1 :]
        case 2:
            return (
                body[:at] + chance.choice((b"NaN", b"-Infinity", b"1e999", b"\xff\xfe", b"\x00")) + body[at:]
            )
        case 3:
            return b"[" * chance.choice((50, 2000, 200_000)) + body
        case _:
            return body + body


def damaged(content: bytes, chance: random.Random) -> bytes:
    """The content of a binary form with one to three changes: cut, changed, doubled, of other lengths."""
    changed = bytearray(content)
    for _ in range(chance.randint(1, 3)):
        at = chance.randrange(len(changed) + 1)
        match chance.randrange(6):
            case 0:
                del changed[at:]
            case 1:
                changed[at : at + 1] = bytes([chance.randrange(256)])
            case 2:
                changed[at : at + 8] = chance.choice(_LENGTHS)
            case 3:
                changed[at:at] = changed[at : at + chance.randint(1, 200)]
            case 4:
                del changed[at : at + chance.randint(1, 20)]
            case _:
                changed[at:at] = chance.randbytes(chance.choice((1, 4, 1000)))
    return bytes(changed)


_LENGTHS = (
    bytes(8),
    b"\xff" * 8,
    b"\xff\xff\xff\x7f",
    (2**40).to_bytes(8, "little"),
    b"99999999",
    b"nan,inf,",
)
