"""Reads the body of `:predict` and writes its answer.

Rows, `{"instances": […]}`, are answered by `{"predictions": […]}`; columns, `{"inputs": …}`, by
`{"outputs": …}`. Where there is one output, it stands alone; several come by name, for rows in each of them.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import orjson

from app.errors import InvalidDocument
from app.predictions.features import has_categories
from app.predictions.instances import read_instances
from app.predictions.numbers import LEAST_BYTES, fit_numbers, read_numbers
from app.predictions.sessions import Array, ModelInput
from app.spec.parsing import expected_one_of
from app.spec.pointers import join, received
from app.spec.strict_json import read_json

SIGNATURE_NAME = "serving_default"

_FIELDS = ("signature_name", "instances", "inputs")


class ServingRequest(NamedTuple):
    """What a client asks for.

    Attributes:
        by_rows: whether it sent rows, and is to get rows.
        arrays: by input name, each (n, …).
    """

    by_rows: bool
    arrays: dict[str, Array]


def read_predict(body: bytes, inputs: Sequence[ModelInput]) -> ServingRequest:
    """The request in a body.

    Raises:
        MalformedDocument: the body isn't JSON.
        InvalidDocument: a field is wrong, or an instance doesn't fit the model.
    """
    if len(body) >= LEAST_BYTES and not has_categories(inputs):
        numbers = read_numbers(body)
        asked = None if numbers is None else _fit_request(numbers, inputs)
        if asked is not None:
            return asked
    document = read_json(body)
    field = _check_document(document)
    values = document[field]
    if field == "instances" and not isinstance(values, list):
        raise InvalidDocument.at("/instances", f"Expected a list of rows; received {received(values)}.")
    arrays = read_instances(values, inputs, maybe_booleans=True, pointer=f"/{field}")
    return ServingRequest(field == "instances", arrays)


def _fit_request(document: dict[str, Any], inputs: Sequence[ModelInput]) -> ServingRequest | None:
    """The request of which the numbers are arrays already; None where they don't fit as they are."""
    field = _check_document(document)
    values = document[field]
    arrays = None if field == "instances" and isinstance(values, dict) else fit_numbers(values, inputs)
    return None if arrays is None else ServingRequest(field == "instances", arrays)


def _check_document(document: Any) -> str:
    """The field that holds the values, of a document whose other fields are right."""
    if not isinstance(document, dict):
        raise InvalidDocument.at("", f"Expected an object; received {received(document)}.")
    for name in document:
        if name not in _FIELDS:
            raise InvalidDocument.at(join("", name), expected_one_of("fields", _FIELDS, name))
    signature = document.get("signature_name", SIGNATURE_NAME)
    if signature not in ("", SIGNATURE_NAME):
        message = (
            f'Expected the signature "{SIGNATURE_NAME}", as a model has one; received {received(signature)}.'
        )
        raise InvalidDocument.at("/signature_name", message)
    given = [name for name in ("instances", "inputs") if name in document]
    if len(given) != 1:
        found = " and ".join(given) or "neither"
        raise InvalidDocument.at("", f"Expected instances or inputs; received {found}.")
    return given[0]


def predict_answer(outputs: Mapping[str, Array], by_rows: bool) -> bytes:
    """The body of the answer."""
    alone = next(iter(outputs.values())) if len(outputs) == 1 else None
    if not by_rows:
        content: dict[str, Any] = {"outputs": dict(outputs) if alone is None else alone}
    elif alone is not None:
        content = {"predictions": alone}
    else:
        rows = zip(*outputs.values(), strict=True)
        content = {"predictions": [dict(zip(outputs, map(np.asarray, row), strict=True)) for row in rows]}
    return orjson.dumps(content, option=orjson.OPT_SERIALIZE_NUMPY)
