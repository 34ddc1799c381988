"""The worker's end of `app.calls`: functions that answer the API while the main thread trains."""

import logging
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from app.calls import CallRow
from app.database import Database, utc_now
from app.errors import InvalidDocument, RunError
from app.packing import pack_arrays, unpack_arrays
from app.runs.files import RunFiles

logger = logging.getLogger(__name__)

FORGET_AFTER = timedelta(minutes=10)
"""Age at which a question is thrown away, whose asker must have died."""

Answerer = Callable[[dict[str, Any]], dict[str, Any]]


def answerers(files: RunFiles) -> dict[str, Answerer]:
    """The functions that answer, by kind of question. Imports Keras."""
    from app.training.loss_evaluation import evaluate_loss
    from app.training.scoring import SavedModels

    models = SavedModels()

    def predict(payload: dict[str, Any]) -> dict[str, Any]:
        path = files.artifacts(payload["run_id"]) / "model.keras"
        return pack_arrays(models.predict(path, unpack_arrays(payload["inputs"])))

    def activations(payload: dict[str, Any]) -> dict[str, Any]:
        path = files.artifacts(payload["run_id"]) / "model.keras"
        return pack_arrays(models.activations(path, payload["layers"], unpack_arrays(payload["inputs"])))

    return {"evaluate_loss": evaluate_loss, "predict": predict, "activations": activations}


def answer_next_call(database: Database, known: dict[str, Answerer]) -> bool:
    """Answers the question that has waited longest; False if none waits."""
    with database.engine.connect() as connection:
        if connection.scalar(select(CallRow.id).where(CallRow.status == "asked").limit(1)) is None:
            return False
    with database.writing() as session:
        call = _take_call(session)
    if call is None:
        return False
    values = _answer(known, call)
    with database.writing() as session:
        session.execute(update(CallRow).where(CallRow.id == call.id).values(status="answered", **values))
    return True


def forget_old_calls(session: Session) -> None:
    """Throws questions away that nobody waits for any more."""
    session.execute(delete(CallRow).where(CallRow.created_at < utc_now() - FORGET_AFTER))


def _take_call(session: Session) -> CallRow | None:
    oldest = (
        select(CallRow.id)
        .where(CallRow.status == "asked")
        .order_by(CallRow.id)
        .limit(1)
        .with_for_update(skip_locked=True)
        .scalar_subquery()
    )
    taken = update(CallRow).where(CallRow.id == oldest, CallRow.status == "asked").values(status="taken")
    return session.scalars(taken.returning(CallRow)).first()


def _answer(known: dict[str, Answerer], call: CallRow) -> dict[str, Any]:
    """The columns that hold the answer, or why there is none."""
    try:
        return {"answer": known[call.kind](call.payload)}
    except InvalidDocument as error:
        return {"error": {"problems": [list(problem) for problem in error.problems]}}
    except RunError as error:
        return {"error": {"run_error": error.message, "pointer": error.pointer}}
    except Exception:  # whatever it is, it ends this question and not the worker
        logger.exception("call failed call=%s kind=%s", call.id, call.kind)
        message = "The worker couldn't answer, for a reason that Kerb doesn't know; its log has the details."
        return {"error": {"unknown": message}}
