"""From a client's JSON to a spec, or to a list of what is wrong with it and where.

Pydantic finds the mistakes; here its words become Kerb's: "Expected …; received …", with a JSON Pointer
into the document that the client wrote. Pydantic also puts the names of union members into its locations;
those aren't in the client's document, so they are dropped, and of several members of a union only the
mistakes of the one that was most likely meant are told.
"""

import json
import re
from collections.abc import Sequence
from typing import Any, NamedTuple, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from app.errors import FieldProblem, InvalidDocument
from app.spec.annotations import known_fields
from app.spec.base import SpecModel
from app.spec.names import did_you_mean, nearest_names
from app.spec.pointers import join, received, resolve
from app.spec.run import RunSpec
from app.spec.strict_json import read_json

MOST_PROBLEMS = 50
"""Mistakes told in one answer."""

MOST_NAMES = 15
"""Known names that a message lists in full, where some of them are near to what was received."""

Spec = TypeVar("Spec", bound=SpecModel)


def parse_run(body: bytes | dict[str, Any]) -> RunSpec:
    """The run document in `body`: JSON text, or what it was parsed to.

    Raises:
        MalformedDocument: the text isn't JSON.
        InvalidDocument: a field is wrong; every one found is named, up to `MOST_PROBLEMS`.
    """
    return parse(RunSpec, body)


def parse(spec: type[Spec], body: bytes | dict[str, Any], prefix: str = "") -> Spec:
    """The document in `body` as a `spec`.

    Args:
        spec: the class of the document.
        body: JSON text, or what it was parsed to.
        prefix: JSON Pointer of `body` in the client's document, where it's only a part of one.

    Raises:
        MalformedDocument: the text isn't JSON.
        InvalidDocument: a field is wrong.
    """
    document = read_json(body) if isinstance(body, bytes) else body
    try:
        return spec.model_validate(document)
    except ValidationError as error:
        raise InvalidDocument(problems_of(error, spec, document, prefix)) from error


def problems_of(
    error: ValidationError, spec: type[BaseModel], document: Any, prefix: str = ""
) -> list[FieldProblem]:
    """Pydantic's errors in Kerb's words, with pointers into `document`."""
    mistakes = [_Mistake.of(details, document) for details in error.errors(include_url=False)]
    mistakes = [mistake for mistake in mistakes if not mistake.repeats_one_of(mistakes)]
    problems = [mistake.problem(spec, document, prefix) for mistake in _likely(mistakes, 0)]
    return list(dict.fromkeys(problems))[:MOST_PROBLEMS]


class _Step(NamedTuple):
    """One part of pydantic's location of an error."""

    segment: str | int
    is_key: bool
    """Whether it's in the client's document; otherwise it names a member of a union."""


class _Mistake(NamedTuple):
    """An error of pydantic, with its location told apart into keys and union members."""

    steps: tuple[_Step, ...]
    details: ErrorDetails

    @classmethod
    def of(cls, details: ErrorDetails, document: Any) -> "_Mistake":
        location = details["loc"]
        steps: list[_Step] = []
        value = document
        for position, segment in enumerate(location):
            if isinstance(value, dict):
                segment = str(segment)  # a validator may have read a key as a class's number
            missing = details["type"] == "missing" and position == len(location) - 1
            inside = missing or (_holds(value, segment) and not _is_member(value, location, position))
            steps.append(_Step(segment, inside))
            if inside and not missing:
                value = value[segment]
        return cls(tuple(steps), details)

    @property
    def path(self) -> list[str | int]:
        return [step.segment for step in self.steps if step.is_key]

    def repeats_one_of(self, mistakes: Sequence["_Mistake"]) -> bool:
        """Whether a list is called too short only because its elements are wrong."""
        depth = len(self.steps)
        return self.details["type"] == "too_short" and any(
            len(other.steps) > depth and other.steps[:depth] == self.steps for other in mistakes
        )

    def problem(self, spec: type[BaseModel], document: Any, prefix: str) -> FieldProblem:
        kind, context = self.details["type"], self.details.get("ctx", {})
        path = self.path
        if kind == "mistake":
            return FieldProblem(join(prefix, *path, *context["path"]), context["message"])
        if kind in ("value_error", "assertion_error"):
            return FieldProblem(join(prefix, *path), str(context["error"]))
        if kind == "extra_forbidden":
            message = expected_one_of("fields", known_fields(spec, self.steps[:-1]), str(path[-1]))
            return FieldProblem(join(prefix, *path), message)
        if kind in ("union_tag_invalid", "union_tag_not_found"):
            discriminator = context["discriminator"].strip("'")
            # A validator may have made an object of a plain name; the client's document has no such field.
            if discriminator.isidentifier() and isinstance(resolve(document, path), dict):
                path = [*path, discriminator]
            if kind == "union_tag_not_found":
                return FieldProblem(
                    join(prefix, *path), "Expected a name, as the field is required; received nothing."
                )
            message = expected_one_of("names", _quoted(context["expected_tags"]), context["tag"])
            return FieldProblem(join(prefix, *path), message)
        if kind == "literal_error" and isinstance(self.details["input"], str):
            choices = _quoted(context["expected"])
            return FieldProblem(join(prefix, *path), expected_one_of("names", choices, self.details["input"]))
        what = "nothing" if kind == "missing" else received(self.details["input"])
        if "; received" in self.details["msg"]:
            return FieldProblem(join(prefix, *path), self.details["msg"])
        return FieldProblem(join(prefix, *path), f"Expected {_expected(self.details)}; received {what}.")


def _is_member(value: Any, location: Sequence[str | int], position: int) -> bool:
    """Whether this segment names the union's member, though the object has a field of that name too.

    As in `{"type": "norm", "norm": "l2"}`, whose fields pydantic finds at `norm/norm` and `norm/weight`.
    """
    segment = location[position]
    named = isinstance(value, dict) and value.get("type") == segment
    return named and position < len(location) - 1 and location[position - 1 : position] != (segment,)


def _holds(value: Any, segment: str | int) -> bool:
    if isinstance(value, dict):
        return segment in value
    return isinstance(value, list) and isinstance(segment, int) and 0 <= segment < len(value)


# The kinds of error that say that a value isn't even of the kind of JSON that a union's member takes.
_OTHER_KIND = re.compile(r"^(\w+_type|int_from_float|none_required|literal_error)$")


def _likely(mistakes: Sequence[_Mistake], depth: int) -> list[_Mistake]:
    """The mistakes worth telling: of each union's members only those of the one most likely meant."""
    chosen: list[_Mistake] = []
    by_step: dict[_Step, list[_Mistake]] = {}
    for mistake in mistakes:
        if len(mistake.steps) == depth:
            chosen.append(mistake)
        else:
            by_step.setdefault(mistake.steps[depth], []).append(mistake)
    members: list[list[_Mistake]] = []
    for step, group in by_step.items():
        if step.is_key:
            chosen += _likely(group, depth + 1)
        else:
            members.append(_likely(group, depth + 1))
    return chosen + _likely_member(members)


def _likely_member(members: list[list[_Mistake]]) -> list[_Mistake]:
    if not members:
        return []
    length = min(len(mistake.path) for group in members for mistake in group)

    def of_another_kind(group: list[_Mistake]) -> bool:
        first = group[0]
        return len(first.path) == length and bool(_OTHER_KIND.match(first.details["type"]))

    fitting = [group for group in members if not of_another_kind(group)]
    if fitting:
        return min(fitting, key=len)
    texts = [group for group in members if _names_text(group[0])]
    if texts:
        return texts[0]
    if len(members) == 1:
        return members[0]
    return [_merged([group[0] for group in members])]


def _names_text(mistake: _Mistake) -> bool:
    return mistake.details["type"] == "literal_error" and isinstance(mistake.details["input"], str)


def _merged(alternatives: list[_Mistake]) -> _Mistake:
    """One mistake for a value that no member of a union takes: "a number or an object"."""
    expected = " or ".join(dict.fromkeys(_expected(mistake.details) for mistake in alternatives))
    details = alternatives[0].details
    message = f"Expected {expected}; received {received(details['input'])}."
    merged = ErrorDetails(
        type="mistake",
        loc=details["loc"],
        msg=message,
        input=details["input"],
        ctx={"message": message, "path": []},
    )
    return _Mistake(alternatives[0].steps, merged)


_EXPECTED = {
    "missing": "a value, as the field is required",
    "bool_type": "true or false",
    "string_type": "text",
    "int_type": "an integer",
    "int_from_float": "an integer",
    "float_type": "a number",
    "finite_number": "a finite number",
    "dict_type": "an object",
    "model_type": "an object",
    "model_attributes_type": "an object",
    "list_type": "a list",
    "tuple_type": "a list",
    "none_required": "null",
    "greater_than": "a number > {gt}",
    "greater_than_equal": "a number >= {ge}",
    "less_than": "a number < {lt}",
    "less_than_equal": "a number <= {le}",
    "multiple_of": "a multiple of {multiple_of}",
    "too_short": "at least {min_length} of them",
    "too_long": "at most {max_length} of them",
    "string_too_short": "text of at least {min_length} characters",
    "string_too_long": "text of at most {max_length} characters",
    "string_pattern_mismatch": "text that matches {pattern}",
    "literal_error": "{expected}",
}


def _expected(details: ErrorDetails) -> str:
    if details["type"] in _EXPECTED:
        return _EXPECTED[details["type"]].format(**details.get("ctx", {})).replace("'", '"')
    return details["msg"].removeprefix("Input should be ").removeprefix("Expected ").rstrip(".")


def _quoted(text: str) -> list[str]:
    """The names in pydantic's listing `'a', 'b' or 'c'`."""
    return re.findall(r"'([^']*)'", text)


def expected_one_of(noun: str, names: Sequence[str], name: object) -> str:
    """The message for a name that isn't one of `names`, with the nearest of those; `noun` is their plural."""
    near = nearest_names(str(name), names)
    shown = near if near and len(names) > MOST_NAMES else names
    count = "the" if shown is names else f"{len(names)}"
    listing = ", ".join(json.dumps(known, ensure_ascii=False) for known in shown)
    which = listing if shown is names else f"such as {listing}"
    hint = did_you_mean(name, names) if isinstance(name, str) else ""
    return f"Expected one of {count} {noun} {which}; received {received(name)}.{hint}"
