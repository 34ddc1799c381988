"""Reads the body of `POST /predict`; by hand, as a prediction can't wait for a validator."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple, NoReturn

import numpy as np

from app.errors import InvalidDocument
from app.models.documents import MOST_MEMBERS
from app.predictions.columns import fit_columns, read_columns
from app.predictions.features import has_categories
from app.predictions.instances import read_instances
from app.predictions.numbers import LEAST_BYTES, fit_numbers, read_numbers
from app.predictions.sessions import Array, ModelInput
from app.predictions.targets import EnsembleTarget, ModelTarget, RunTarget, Target
from app.spec.parsing import expected_one_of
from app.spec.pointers import join, received
from app.spec.strict_json import read_json

MOST_THRESHOLDS = 1000

Returned = Literal["probabilities", "classes"]

_TARGET_FIELDS = ("run_id", "model", "version", "run_ids", "combine")
_DATA_FIELDS = ("instances", "inputs", "columns")
_QUOTED = {field: f'"{field}"'.encode() for field in _DATA_FIELDS}
_FIELDS = (*_TARGET_FIELDS, *_DATA_FIELDS, "threshold", "thresholds", "statistics", "return")
_STATISTICS = ("counts", "activation_sparsity")


class Wanted(NamedTuple):
    """What the answer is to hold, besides the usual.

    Attributes:
        thresholds: above which elements are counted; None for those of the run's document.
        returned: the predictions as they are, or the classes that they say.
        counts: whether the count of every sample is to be told, too.
        layers: whose activation sparsity on this batch is to be told.
    """

    thresholds: Sequence[float] | None = None
    returned: Returned = "probabilities"
    counts: bool = False
    layers: Sequence[str] = ()


USUAL = Wanted()


class PredictRequest(NamedTuple):
    """What a client asks for.

    Attributes:
        body: as it came.
        target: what is to predict.
        field: which field the instances are in: `instances`, `inputs` or `columns`.
        instances: its value, parsed JSON or rectangles of numbers as arrays; still to be read for the model.
        wanted: what the answer is to hold.
    """

    body: bytes
    target: Target
    field: str
    instances: Any
    wanted: Wanted = USUAL

    def arrays(self, inputs: Sequence[ModelInput]) -> dict[str, Array]:
        """What a model of these inputs takes, by input name, each (n, …) of its input's dtype, n ≥ 1.

        Raises:
            InvalidDocument: a name, a shape or a number isn't one that the model takes.
        """
        if _is_numbers(self.instances):
            fit = fit_columns if self.field == "columns" else fit_numbers
            fitted = None if has_categories(inputs) else fit(self.instances, inputs)
            if fitted is not None:
                return fitted
            return _read_document(self.body, read_json(self.body)).arrays(inputs)
        read = read_columns if self.field == "columns" else read_instances
        maybe_booleans = _may_hold_booleans(self.body, self.field)
        return read(self.instances, inputs, maybe_booleans=maybe_booleans, pointer=f"/{self.field}")


def _is_numbers(instances: Any) -> bool:
    if isinstance(instances, dict):
        return any(isinstance(value, np.ndarray) for value in instances.values())
    return isinstance(instances, np.ndarray)


def read_request(body: bytes) -> PredictRequest:
    """The request in a body.

    Raises:
        MalformedDocument: the body isn't JSON.
        InvalidDocument: a field is unknown, missing or wrong.
    """
    document = read_numbers(body) if len(body) >= LEAST_BYTES else None
    return _read_document(body, read_json(body) if document is None else document)


def _read_document(body: bytes, document: Any) -> PredictRequest:
    if not isinstance(document, dict):
        _refuse("", "an object", document)
    for name in document:
        if name not in _FIELDS:
            raise InvalidDocument.at(join("", name), expected_one_of("fields", _FIELDS, name))
    if len(document) == 2 and "run_id" in document and "instances" in document:  # as most are
        return PredictRequest(body, _run_target(document), "instances", document["instances"])
    target = read_target(document)
    fields = [field for field in _DATA_FIELDS if field in document]
    if not fields:
        raise InvalidDocument.at("/instances", 'Expected a value for "instances"; received nothing.')
    if len(fields) > 1:
        message = f'Expected one of "instances", "inputs" and "columns"; received {len(fields)} of them.'
        raise InvalidDocument.at(f"/{fields[1]}", message)
    return PredictRequest(body, target, fields[0], document[fields[0]], _read_wanted(document))


def read_target(document: Mapping[str, Any]) -> Target:
    """What a document names to predict.

    Raises:
        InvalidDocument: it names nothing, too much, or something of a wrong form.
    """
    given = [name for name in ("run_id", "model", "run_ids") if document.get(name) is not None]
    if not given:
        if "run_id" in document:
            _refuse("/run_id", "text", document["run_id"])
        raise InvalidDocument.at("/run_id", 'Expected a value for "run_id"; received nothing.')
    if len(given) > 1:
        message = f'Expected one of "run_id", "model" and "run_ids"; received {len(given)} of them.'
        raise InvalidDocument.at(f"/{given[1]}", message)
    for name, needed in (("version", "model"), ("combine", "run_ids")):
        if document.get(name) is not None and needed not in given:
            message = f'Expected "{name}" with "{needed}" only; received it with "{given[0]}".'
            raise InvalidDocument.at(f"/{name}", message)
    if given == ["run_id"]:
        return _run_target(document)
    return _model_target(document) if given == ["model"] else _ensemble_target(document)


def _run_target(document: Mapping[str, Any]) -> RunTarget:
    run_id = document["run_id"]
    if not isinstance(run_id, str):
        _refuse("/run_id", "text", run_id)
    return RunTarget(run_id)


def _model_target(document: Mapping[str, Any]) -> ModelTarget:
    name, version = document["model"], document.get("version")
    if not isinstance(name, str):
        _refuse("/model", "text", name)
    if version is not None and (isinstance(version, bool) or not isinstance(version, int)):
        _refuse("/version", "a whole number", version)
    if version is not None and not 1 <= version < 2**31:
        _refuse("/version", "the number of a version", version)
    return ModelTarget(name, version)


def _ensemble_target(document: Mapping[str, Any]) -> EnsembleTarget:
    run_ids, combine = document["run_ids"], document.get("combine")
    if not isinstance(run_ids, list) or not 1 <= len(run_ids) <= MOST_MEMBERS:
        _refuse("/run_ids", f"a list of 1 to {MOST_MEMBERS} runs", run_ids)
    for position, run_id in enumerate(run_ids):
        if not isinstance(run_id, str):
            _refuse(f"/run_ids/{position}", "text", run_id)
    if combine not in (None, "mean", "vote"):
        _refuse("/combine", '"mean" or "vote"', combine)
    return EnsembleTarget(tuple(run_ids), combine or "mean")


def _may_hold_booleans(body: bytes, field: str) -> bool:
    """Whether a `true` or `false` may come after the name of the instances.

    No number, and few of the request's other names, have one of the letters; looking for a single byte takes
    a twentieth of the time of looking for the words.
    """
    start = body.find(_QUOTED[field]) + len(_QUOTED[field])
    return body.find(b"u", start) >= 0 or body.find(b"f", start) >= 0


def _read_wanted(document: dict[str, Any]) -> Wanted:
    returned = document.get("return")
    if returned not in (None, "probabilities", "classes"):
        _refuse("/return", '"probabilities" or "classes"', returned)
    wanted = Wanted(_read_thresholds(document), returned or "probabilities")
    statistics = document.get("statistics")
    return wanted if statistics is None else _read_statistics(statistics, wanted)


def _read_statistics(statistics: Any, wanted: Wanted) -> Wanted:
    if not isinstance(statistics, dict):
        _refuse("/statistics", "an object", statistics)
    for name in statistics:
        if name not in _STATISTICS:
            message = expected_one_of("fields", _STATISTICS, name)
            raise InvalidDocument.at(join("/statistics", name), message)
    counts = statistics.get("counts", False)
    if not isinstance(counts, bool):
        _refuse("/statistics/counts", "true or false", counts)
    layers = statistics.get("activation_sparsity", [])
    if not isinstance(layers, list) or not all(isinstance(layer, str) for layer in layers):
        _refuse("/statistics/activation_sparsity", "a list of names of layers", layers)
    return wanted._replace(counts=counts, layers=tuple(dict.fromkeys(layers)))


def _read_thresholds(document: dict[str, Any]) -> Sequence[float] | None:
    one, several = document.get("threshold"), document.get("thresholds")
    if one is not None and several is not None:
        message = 'Expected "threshold" or "thresholds"; received both.'
        raise InvalidDocument.at("/thresholds", message)
    if one is not None:
        return (read_threshold(one, "/threshold"),)
    if several is None:
        return None
    if not isinstance(several, list) or not 1 <= len(several) <= MOST_THRESHOLDS:
        _refuse("/thresholds", f"a list of 1 to {MOST_THRESHOLDS} numbers", several)
    return [read_threshold(value, f"/thresholds/{index}") for index, value in enumerate(several)]


def read_threshold(value: Any, pointer: str) -> float:
    """A finite number.

    Raises:
        InvalidDocument: it's none.
    """
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        _refuse(pointer, "a finite number", value)
    return value


def _refuse(pointer: str, expected: str, value: Any) -> NoReturn:
    raise InvalidDocument.at(pointer, f"Expected {expected}; received {received(value)}.")
