"""The JSON of runs, as clients and the artifact `run.json` have it."""

from datetime import UTC, datetime
from typing import Any

import orjson

from app.runs.history import History
from app.runs.tables import RunRow


def run_answer(run: RunRow, inline: bytes | None = None) -> dict[str, Any]:
    """A run.

    Args:
        run: its row.
        inline: JSON of the inline dataset; without it the answer has the shapes of its arrays in its place.
    """
    spec = run.document
    if inline is not None:
        spec = spec | {"dataset": spec["dataset"] | {"inline": orjson.Fragment(inline)}}
    return {
        "id": run.id,
        "name": run.name,
        "tags": run.tags,
        "status": run.status,
        "created_at": _moment(run.created_at),
        "started_at": _moment(run.started_at),
        "finished_at": _moment(run.finished_at),
        "progress": {"epoch": run.epoch, "epochs": run.epochs},
        "spec": spec,
        "verdicts": run.verdicts,
        "scoring": run.scoring,
        "error": run.error,
    }


def metrics_answer(run_id: str, history: History) -> dict[str, Any]:
    """A run's history."""
    return {"run_id": run_id, "epochs": history.epochs, "series": history.series()}


def _moment(moment: datetime | None) -> str | None:
    # To the microsecond: `created_after` with the time of a run shown must not find that run again.
    return None if moment is None else moment.astimezone(UTC).isoformat(timespec="microseconds")[:-6] + "Z"
