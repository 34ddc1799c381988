"""The routes of sweeps: HTTP in, HTTP out; what happens is in `app.sweeps.service`."""

from typing import Annotated, Any

from fastapi import APIRouter, Header, Query, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from app.bodies import json_answer, json_body, problems, read_document_body
from app.errors import NotFound
from app.spec.parsing import parse
from app.state import MayRead, MayTrain, State
from app.sweeps import results, schemas, service
from app.sweeps.documents import Goal, Metric, Objective, SweepSpec
from app.sweeps.settings import document_of
from app.sweeps.tables import SweepRow

router = APIRouter(tags=["sweeps"])

Number = Annotated[int, Query(ge=0, lt=2**31, description="Number of a setting.")]


@router.post(
    "/sweeps",
    status_code=201,
    response_model=schemas.Sweep,
    responses=problems(413, 415, 422),
    openapi_extra=json_body(SweepSpec),
)
async def post_sweep(request: Request, state: MayTrain) -> Response:
    """Puts the runs of a study into the queue."""
    body = await read_document_body(request)

    def create() -> Response:
        sweep_id = service.create_sweep(state.database, parse(SweepSpec, body), state.settings)
        return _answer(state, sweep_id, 201, {"Location": f"/sweeps/{sweep_id}"})

    return await run_in_threadpool(create)


@router.get("/sweeps", response_model=schemas.SweepList, responses=problems(422))
def list_sweeps(
    state: MayRead,
    limit: Annotated[int, Query(ge=1, le=500, description="Most sweeps of the answer.")] = 50,
    after: Annotated[
        str | None, Query(pattern="^sweep_[0-9a-f]{26}$", description="`next` of the page before.")
    ] = None,
) -> Response:
    """Sweeps, the newest first, without documents and results."""
    with state.database.reading() as session:
        sweeps, more = service.list_sweeps(session, limit, after)
        ended = service.count_ended(session, [sweep.id for sweep in sweeps])
    items = [_summary(sweep, ended[sweep.id]) for sweep in sweeps]
    return json_answer({"items": items, "next": sweeps[-1].id if more else None})


@router.get("/sweeps/{sweep_id}", response_model=schemas.Sweep, responses=problems(404))
def get_sweep(sweep_id: str, state: MayRead) -> Response:
    """A sweep: status, progress, the best setting and the table of all, as far as it is."""
    return _answer(state, sweep_id)


@router.post("/sweeps/{sweep_id}/cancel", response_model=schemas.Sweep, responses=problems(404, 409))
def cancel_sweep(sweep_id: str, state: MayTrain) -> Response:
    """Cancels a sweep and those of its runs that haven't ended; what has ended stays."""
    with state.database.writing() as session:
        cancelled = service.cancel_sweep(session, sweep_id)
    for run_id in cancelled:
        state.files.remove(run_id)
    return _answer(state, sweep_id)


@router.get(
    "/sweeps/{sweep_id}/table",
    response_model=list[schemas.SweepTableRow],
    responses=problems(404) | {200: {"content": {"text/csv": {"schema": {"type": "string"}}}}},
)
def get_sweep_table(
    sweep_id: str, state: MayRead, accept: Annotated[str, Header()] = "application/json"
) -> Response:
    """The table alone; as CSV if `Accept` names `text/csv`."""
    rows = _rows(state, sweep_id)
    if "text/csv" in accept.lower():
        return Response(results.table_csv(rows), media_type="text/csv")
    return json_answer(rows)


@router.get("/sweeps/{sweep_id}/tradeoff", response_model=schemas.Tradeoff, responses=problems(404, 422))
def get_tradeoff(
    sweep_id: str,
    state: MayRead,
    x: Annotated[Metric, Query(description="Name of a figure of the table.")],
    y: Annotated[Metric, Query(description="Name of another.")],
    x_goal: Annotated[Goal, Query(description="Which of its values are better.")] = "minimize",
    y_goal: Annotated[Goal, Query(description="Likewise of the other.")] = "maximize",
) -> Response:
    """The trade-off curve: the means of two figures for each setting, and which of them no other beats."""
    objectives = Objective(metric=x, goal=x_goal), Objective(metric=y, goal=y_goal)
    points = results.tradeoff(_rows(state, sweep_id), *objectives)
    return json_answer({"x": x, "y": y, "points": points})


@router.get("/sweeps/{sweep_id}/compare", response_model=schemas.Comparison, responses=problems(404, 422))
def compare_settings(
    sweep_id: str,
    state: MayRead,
    a: Number,
    b: Number,
    metric: Annotated[Metric, Query(description="Name of a figure of the table.")],
) -> Response:
    """Two settings, pair by pair over the same seeds and folds, with two tests of significance."""
    with state.database.reading() as session:
        service.get_sweep(session, sweep_id)
        settings = service.settings_of(session, sweep_id)
        outcomes = service.outcomes_of(session, sweep_id)
    for number in (a, b):
        if number not in settings:
            raise NotFound(f"There is no setting {number} of sweep {sweep_id}.")
    rungs = [max((o.rung for o in outcomes if o.setting == number), default=0) for number in (a, b)]
    same = [outcome for outcome in outcomes if outcome.rung == min(rungs)]
    return json_answer(results.compare(same, a, b, metric))


def _rows(state: State, sweep_id: str) -> list[dict[str, Any]]:
    with state.database.reading() as session:
        service.get_sweep(session, sweep_id)
        return results.table(service.settings_of(session, sweep_id), service.outcomes_of(session, sweep_id))


def _answer(
    state: State, sweep_id: str, status: int = 200, headers: dict[str, str] | None = None
) -> Response:
    with state.database.reading() as session:
        sweep = service.get_sweep(session, sweep_id)
        ended = service.count_ended(session, [sweep_id])[sweep_id]
        settings = service.settings_of(session, sweep_id)
        rows = results.table(settings, service.outcomes_of(session, sweep_id))
    spec = service.spec_of(sweep)
    best = next(iter(results.ranked(spec, rows)), None)
    content = _summary(sweep, ended) | {
        "best": None if best is None else _best(spec, best),
        "front": results.front(spec, rows) if spec.objectives else [],
        "table": rows,
        "document": sweep.document,
    }
    return json_answer(content, status, headers)


def _best(spec: SweepSpec, row: dict[str, Any]) -> dict[str, Any]:
    document = document_of(spec, row["parameters"])
    return row | {"document": document, "holds_limits": results.holds_limits(spec, row)}


def _summary(sweep: SweepRow, ended: dict[str, int]) -> dict[str, Any]:
    progress = {"finished": sum(ended.values()), "total": sweep.total, "failed": ended.get("failed", 0)}
    fields = ("id", "name", "status", "created_at", "finished_at")
    return {field: getattr(sweep, field) for field in fields} | {"progress": progress, "error": sweep.error}
