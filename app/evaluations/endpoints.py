"""The routes that count anew with a finished run's model: HTTP in, HTTP out."""

from collections.abc import Callable
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from pydantic import Field
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from app.bodies import json_answer, json_body, problems, read_document_body
from app.evaluations import schemas, service
from app.evaluations.documents import Evaluation
from app.evaluations.own_data import own_data
from app.predictions.scorers import Scorer
from app.predictions.targets import RunTarget
from app.runs.schemas import Statistics
from app.runs.service import get_succeeded_run, load_spec
from app.spec.dataset import RunData
from app.spec.parsing import parse
from app.spec.run import RunSpec
from app.state import MayPredict, MayRead, State

router = APIRouter(tags=["evaluations"])

OwnData = Callable[[], RunData]
"""Loads the samples that a run names."""

Threshold = Annotated[float, Field(allow_inf_nan=False)]


@router.get("/runs/{run_id}/statistics", response_model=Statistics, responses=problems(404, 409, 422))
async def get_statistics(
    run_id: str,
    state: MayRead,
    threshold: Annotated[
        list[Threshold],
        Query(
            max_length=1000,
            default_factory=list,
            description="Count elements above this instead; repeatable.",
        ),
    ],
) -> Response:
    """The final statistics of a run that succeeded; for other thresholds its data are scored once more."""
    stored = await run_in_threadpool(_read_statistics, state, run_id)
    if not threshold:
        return json_answer(stored)
    return await _with_model(
        state, run_id, lambda spec, scorer, own: service.at_thresholds(stored, spec, scorer, own(), threshold)
    )


def _read_statistics(state: State, run_id: str) -> dict[str, Any]:
    with state.database.reading() as session:
        run = get_succeeded_run(session, run_id)
        return {"run_id": run.id, **(run.statistics or {})}


@router.get(
    "/runs/{run_id}/statistics/elements_above",
    response_model=schemas.Curve,
    responses=problems(404, 409, 422),
)
async def get_elements_above(
    run_id: str,
    state: MayRead,
    points: Annotated[int, Query(ge=2, le=10_000, description="How many thresholds.")] = 101,
) -> Response:
    """How many elements lie above a threshold, from the least prediction to the largest, on each split."""
    return await _with_model(
        state, run_id, lambda spec, scorer, own: service.curve(run_id, spec, scorer, own(), points)
    )


@router.post(
    "/runs/{run_id}/evaluate",
    response_model=schemas.Evaluated,
    responses=problems(404, 409, 413, 415, 422),
    openapi_extra=json_body(Evaluation),
)
async def evaluate_run(run_id: str, request: Request, state: MayPredict) -> Response:
    """Figures of a run's model on a part of its data, or on other data."""
    body = await read_document_body(request)
    asked = await run_in_threadpool(parse, Evaluation, body)

    def count(spec: RunSpec, scorer: Scorer, own: OwnData) -> dict[str, Any]:
        return service.evaluate(run_id, spec, scorer, own() if asked.dataset is None else None, asked)

    return await _with_model(state, run_id, count)


async def _with_model(
    state: State, run_id: str, count: Callable[[RunSpec, Scorer, OwnData], dict[str, Any]]
) -> Response:
    """What is counted with a run's document, model and data, in a thread."""
    served = await state.predictor.resolve(RunTarget(run_id))

    def work() -> Response:
        with state.database.reading() as session:
            spec = load_spec(session, get_succeeded_run(session, run_id))
        return json_answer(
            count(spec, served.scorer, lambda: own_data(spec, state.database, state.settings.data_dir))
        )

    return await run_in_threadpool(work)
