"""What the query of `POST /predict` says, where the body holds the instances alone."""

from typing import NoReturn

from starlette.datastructures import QueryParams

from app.errors import InvalidDocument
from app.predictions.documents import MOST_THRESHOLDS, Wanted, read_target, read_threshold
from app.predictions.targets import Target
from app.spec.parsing import expected_one_of

PARAMETERS = {
    "run_id": "The run that is to predict.",
    "model": "The named model that is to predict.",
    "version": "Which version of the model; by default the current one.",
    "run_ids": "A run of an ensemble; repeatable.",
    "combine": "How an ensemble's predictions become one: `mean` or `vote`.",
    "threshold": "Above which elements are counted; repeatable.",
    "return": "`probabilities` or `classes`.",
    "activation_sparsity": "A layer whose activation sparsity on these instances is told; repeatable.",
}
"""The parameters by name, and what they are."""

REPEATABLE = ("run_ids", "threshold", "activation_sparsity")


def read_query(query: QueryParams) -> tuple[Target, Wanted]:
    """What is to predict, and what the answer is to hold.

    Raises:
        InvalidDocument: a parameter is unknown, missing or wrong; the message names it.
    """
    document: dict[str, object] = {}
    for name in dict(query):
        if name not in PARAMETERS:
            _refuse(name, expected_one_of("parameters", list(PARAMETERS), name))
        values = query.getlist(name)
        if len(values) > 1 and name not in REPEATABLE:
            _refuse(name, f"Expected it once; received it {len(values)} times.")
        document[name] = values if name in REPEATABLE else values[0]
    if "version" in document:
        text = query["version"]
        document["version"] = int(text) if text.isascii() and text.isdigit() and len(text) < 12 else text
    try:
        return read_target(document), _read_wanted(query)
    except InvalidDocument as error:
        problem = error.problems[0]
        raise InvalidDocument.at("", f"{problem.pointer[1:]}: {problem.message}") from error


def _read_wanted(query: QueryParams) -> Wanted:
    texts, returned = query.getlist("threshold"), query.get("return", "probabilities")
    if len(texts) > MOST_THRESHOLDS:
        _refuse("threshold", f"Expected at most {MOST_THRESHOLDS}; received {len(texts)}.")
    thresholds = [read_threshold(_number(text), "/threshold") for text in texts]
    if returned not in ("probabilities", "classes"):
        _refuse("return", f'Expected "probabilities" or "classes"; received "{returned[:60]}".')
    layers = tuple(dict.fromkeys(query.getlist("activation_sparsity")))
    return Wanted(thresholds or None, "classes" if returned == "classes" else "probabilities", layers=layers)


def _number(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text


def _refuse(name: str, message: str) -> NoReturn:
    raise InvalidDocument.at("", f"{name[:60]}: {message}")
