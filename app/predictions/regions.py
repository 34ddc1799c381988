"""Large arrays of numbers in a JSON body: cut out of it, and parsed some at a time.

What simdjson builds of a whole array of a million numbers is several times as large as its text. Of a piece
it stays in the processor's caches, and takes half the time; and between two pieces others have a turn.

Where a region of the body from a bracket to a bracket is left out, a text stands in its place that nobody can
foresee. If what is left is JSON with that text as a value, and the region is an array, then the body was JSON
with the array there; in a text of the body, its quotes would make what is left no JSON.
"""

import re
import secrets
from typing import Literal, NamedTuple

import numpy as np
import simdjson

from app.predictions.rectangles import lists_of, rectangle
from app.predictions.sessions import Array

LEAST_REGION_BYTES = 256 * 1024
"""Shortest region that is cut out."""

PIECE_BYTES = 128 * 1024
"""About as much is parsed at a time."""

_MOST_TRIES = 100
"""So many shorter arrays are passed over; bodies of more of them, or of many texts, stay as they are."""

_OPENING = re.compile(rb"[\[ \t\r\n]{1,256}")
"""The brackets that an array begins with."""

_PLACE = secrets.token_hex(16)


class Region(NamedTuple):
    """Where an array lies in a body: from its first bracket to behind its last."""

    start: int
    end: int


def cut_out(body: bytes) -> tuple[bytes, dict[str, Region]]:
    """A body without its large arrays of numbers, and these by the text that stands in their place."""
    regions: dict[str, Region] = {}
    if len(body) < LEAST_REGION_BYTES:
        return body, regions
    kept: list[bytes] = []
    at = copied = tries = 0
    while (opening := body.find(b"[", at)) >= 0 and tries < _MOST_TRIES:
        # Neither texts nor the ends of objects are in an array of numbers.
        quote = body.find(b'"', opening)
        end = len(body) if quote < 0 else quote
        brace = body.find(b"}", opening, end)
        end = end if brace < 0 else brace
        closing = body.rfind(b"]", opening, end) + 1
        at = end
        tries += 1
        if closing - opening >= LEAST_REGION_BYTES:
            place = f"{_PLACE}{len(regions)}"
            regions[place] = Region(opening, closing)
            kept += (body[copied:opening], b'"%b"' % place.encode())
            at = copied = closing
    return b"".join((*kept, body[copied:])), regions


def read_region(body: bytes, region: Region, kind: Literal["d", "i", "u"]) -> Array:
    """The array that a region is, its lists all as `rectangle` takes them.

    Args:
        body: in which it lies.
        region: where.
        kind: of the numbers, as `rectangle` has it.

    Raises:
        ValueError, TypeError, RuntimeError, LookupError, OverflowError: it's none.
    """
    start, end = region.start + 1, region.end - 1
    depth = _OPENING.match(body, region.start, region.end).group().count(b"[")  # type: ignore[union-attr]
    # Of two elements of the outermost list; where there is space between the brackets, it isn't found.
    between = b"]" * (depth - 1) + b","
    parser = simdjson.Parser()
    arrays: list[Array] = []
    while True:
        comma = body.find(between, min(start + PIECE_BYTES, end), end)
        stop = end if comma < 0 else comma + depth - 1
        piece = b"[%b]" % body[start:stop]
        array = rectangle(parser.parse(piece), kind)
        if piece.count(b"[") != lists_of(array):
            raise ValueError("Expected numbers in the innermost lists.")
        arrays.append(array)
        if comma < 0:
            return np.concatenate(arrays)
        start = stop + 1
