"""Runs side by side: where their documents differ, and their figures."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy.orm import Session, undefer

from app.errors import NotFound
from app.runs.figures import figures_of
from app.runs.service import get_inline_data
from app.runs.tables import RunRow
from app.spec.pointers import join

ABSENT = {"absent": True}
"""Stands where a document hasn't the field."""


def compare_runs(session: Session, run_ids: Sequence[str]) -> dict[str, Any]:
    """Several runs side by side, as `app.runs.schemas.RunComparison` has them.

    Raises:
        NotFound: there is no such run.
    """
    runs = [_run(session, run_id) for run_id in run_ids]
    data = [(run.document["dataset"].get("id"), get_inline_data(session, run.id)) for run in runs]
    figures = [figures_of(session, run) for run in runs]
    names = dict.fromkeys(name for of_run in figures for name in of_run)
    documents = [_without(run.document, ("name", "tags")) for run in runs]
    return {
        "runs": [{"id": run.id, "name": run.name, "status": run.status} for run in runs],
        "same_data": all(one == data[0] for one in data),
        "differences": _differences(documents, ""),
        "metrics": {name: [of_run.get(name) for of_run in figures] for name in names},
    }


def _run(session: Session, run_id: str) -> RunRow:
    run = session.get(RunRow, run_id, options=[undefer(RunRow.statistics)])
    if run is None:
        raise NotFound(f"There is no run {run_id!r}.")
    return run


def _without(document: dict[str, Any], fields: Sequence[str]) -> dict[str, Any]:
    return {name: value for name, value in document.items() if name not in fields}


def _differences(values: Sequence[Any], pointer: str) -> dict[str, list[Any]]:
    """By JSON Pointer, the values that aren't the same in all; as deep inside as they differ."""
    if all(value == values[0] for value in values):
        return {}
    if all(isinstance(value, dict) for value in values):
        keys: list[Any] = list(dict.fromkeys(key for value in values for key in value))
        parts = {key: [value.get(key, ABSENT) for value in values] for key in keys}
    elif all(isinstance(value, list) and len(value) == len(values[0]) for value in values):
        parts = {place: [value[place] for value in values] for place in range(len(values[0]))}
    else:
        return {pointer: list(values)}
    found: dict[str, list[Any]] = {}
    for key, inner in parts.items():
        found |= _differences(inner, join(pointer, key))
    return found
