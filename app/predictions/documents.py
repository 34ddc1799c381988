"""Reads the body of `POST /predict`; by hand, as a prediction can't wait for a validator."""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple, NoReturn

from app.errors import InvalidDocument
from app.spec.parsing import expected_one_of
from app.spec.pointers import join, received
from app.spec.strict_json import read_json

MOST_THRESHOLDS = 1000

_INSTANCES = b'"instances"'

_FIELDS = ("run_id", "instances", "threshold", "thresholds")


class PredictRequest(NamedTuple):
    """What a client asks for.

    Attributes:
        run_id: the run whose model is to predict.
        instances: parsed JSON, still to be read for the model.
        thresholds: above which elements are counted; None for those of the run's document.
        maybe_booleans: whether `true` or `false` may stand among the instances.
    """

    run_id: str
    instances: Any
    thresholds: Sequence[float] | None
    maybe_booleans: bool


def read_request(body: bytes) -> PredictRequest:
    """The request in a body.

    Raises:
        MalformedDocument: the body isn't JSON.
        InvalidDocument: a field is unknown, missing or wrong.
    """
    document = read_json(body)
    if not isinstance(document, dict):
        _refuse("", "an object", document)
    for name in document:
        if name not in _FIELDS:
            raise InvalidDocument.at(join("", name), expected_one_of("fields", _FIELDS, name))
    for name in ("run_id", "instances"):
        if name not in document:
            raise InvalidDocument.at(f"/{name}", f'Expected a value for "{name}"; received nothing.')
    run_id = document["run_id"]
    if not isinstance(run_id, str):
        _refuse("/run_id", "text", run_id)
    thresholds = None if len(document) == 2 else _read_thresholds(document)
    return PredictRequest(run_id, document["instances"], thresholds, _may_hold_booleans(body))


def _may_hold_booleans(body: bytes) -> bool:
    """Whether a `true` or `false` may come after the name of the instances.

    No number, and none of the request's other names, has one of the letters; looking for a single byte takes
    a twentieth of the time of looking for the words.
    """
    start = body.find(_INSTANCES) + len(_INSTANCES)
    return body.find(b"u", start) >= 0 or body.find(b"f", start) >= 0


def _read_thresholds(document: dict[str, Any]) -> Sequence[float] | None:
    one, several = document.get("threshold"), document.get("thresholds")
    if one is not None and several is not None:
        message = 'Expected "threshold" or "thresholds"; received both.'
        raise InvalidDocument.at("/thresholds", message)
    if one is not None:
        return (_read_threshold(one, "/threshold"),)
    if several is None:
        return None
    if not isinstance(several, list) or not 1 <= len(several) <= MOST_THRESHOLDS:
        _refuse("/thresholds", f"a list of 1 to {MOST_THRESHOLDS} numbers", several)
    return [_read_threshold(value, f"/thresholds/{index}") for index, value in enumerate(several)]


def _read_threshold(value: Any, pointer: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        _refuse(pointer, "a finite number", value)
    return value


def _refuse(pointer: str, expected: str, value: Any) -> NoReturn:
    raise InvalidDocument.at(pointer, f"Expected {expected}; received {received(value)}.")
