"""The routes of runs: HTTP in, HTTP out; what happens is in `app.runs.service`."""

import re
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Header, Query, Request
from pydantic import AfterValidator, BeforeValidator
from starlette.concurrency import run_in_threadpool
from starlette.responses import FileResponse, Response, StreamingResponse

from app.accept import rating
from app.bodies import json_answer, json_body, problems, read_document_body
from app.datasets.service import describe_dataset
from app.errors import NotFound
from app.limits import check_limits
from app.memory import check_fits
from app.runs import comparison, schemas, service
from app.runs.answers import metrics_answer, run_answer
from app.runs.artifacts import check_artifact, list_files, matches, wants_part
from app.runs.events import LAST_EVENT_ID, Position
from app.runs.files import ARTIFACTS
from app.runs.history import read_history
from app.runs.service import RunFilter
from app.runs.tables import ENDED, RunStatus
from app.runs.waiting import follow_events
from app.spec.checks import ModelSummary, check_run
from app.spec.parsing import parse_run
from app.spec.run import RunSpec
from app.state import MayRead, MayTrain, State

router = APIRouter(tags=["runs"])

MOST_EPOCHS = 2**31 - 1

_DATE = re.compile(r"\d{4}-\d\d-\d\d")


def _written_out(text: str) -> str:
    if not _DATE.match(text):  # a number would be taken for seconds since 1970, 20260131 as well
        raise ValueError("a moment such as 2026-01-31T12:00:00Z")
    return text


def _in_utc(moment: datetime) -> datetime:
    try:
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except OverflowError as error:
        raise ValueError("a moment between the years 1 and 9999") from error


def _tag(text: str) -> str:
    if ":" not in text:
        raise ValueError("key:value")
    return text


def _ids(text: str) -> str:
    if not 2 <= len(text.split(",")) <= 100:
        raise ValueError("2 to 100 ids with commas between them")
    return text


Ids = Annotated[str, AfterValidator(_ids)]
Moment = Annotated[datetime, BeforeValidator(_written_out), AfterValidator(_in_utc)]
Tag = Annotated[str, AfterValidator(_tag)]


@router.post(
    "/runs",
    status_code=201,
    response_model=schemas.Run,
    responses=problems(413, 415, 422),
    openapi_extra=json_body(RunSpec),
)
async def post_run(
    request: Request,
    state: MayTrain,
    idempotency_key: Annotated[str | None, Header(min_length=1, max_length=255)] = None,
    prefer: Annotated[str | None, Header()] = None,
) -> Response:
    """Puts a run into the queue.

    - `Idempotency-Key`: a repeated request with the same key and body answers with the same run; with another
      body it's refused.
    - `Prefer: wait=SECONDS`: the answer comes when the run has ended, or when that time is up.
    """
    body = await read_document_body(request)
    run_id = await run_in_threadpool(_create_run, state, body, idempotency_key)
    headers = {"Location": f"/runs/{run_id}"}
    wait_seconds = _read_wait(prefer)
    if wait_seconds is not None:
        wait_seconds = min(wait_seconds, state.settings.max_wait_seconds)
        await state.watcher.wait_until_ended(run_id, wait_seconds)
        headers["Preference-Applied"] = f"wait={wait_seconds:g}"
    return await run_in_threadpool(_answer_run, state, run_id, 201, headers)


def _create_run(state: State, body: bytes, idempotency_key: str | None) -> str:
    body_hash = service.hash_body(body)
    if idempotency_key is not None:
        with state.database.reading() as session:
            repeated = service.find_repeated(session, idempotency_key, body_hash)
            if repeated is not None:
                return repeated.id
    spec = parse_run(body)
    with state.database.reading() as session:
        described = describe_dataset(session, spec.dataset)
    parameters = check_run(spec, described).parameter_count
    check_fits(parameters, state.settings.memory_of_worker())
    check_limits(spec, parameters, state.settings)
    new = service.build_run(spec, body_hash, idempotency_key)
    with state.database.writing() as session:
        describe_dataset(session, spec.dataset)  # so that it can't be deleted meanwhile
        service.check_start(session, spec.start_from)
        service.check_queue(session, 1, state.settings.max_queued_runs)
        return service.create_run(session, new).id


def _read_wait(prefer: str | None) -> float | None:
    """The seconds of `wait` in a `Prefer` header (RFC 7240); preferences that can't be read are ignored."""
    found = re.search(r"(?:^|[,;\s])wait\s*=\s*\"?(\d{1,9}(?:\.\d+)?)", prefer or "", re.IGNORECASE)
    return float(found[1]) if found else None


def _answer_run(
    state: State, run_id: str, status: int = 200, headers: dict[str, str] | None = None
) -> Response:
    with state.database.reading() as session:
        run = service.get_run(session, run_id)
        return json_answer(run_answer(run, service.get_inline_data(session, run_id)), status, headers)


@router.post(
    "/runs/validate",
    response_model=schemas.ValidRun,
    responses=problems(413, 415, 422),
    openapi_extra=json_body(RunSpec),
)
async def validate_run(request: Request, state: MayTrain) -> Response:
    """Checks a run document to the end, shapes included, and trains nothing."""
    body = await read_document_body(request)
    return json_answer(asdict(await run_in_threadpool(_check_run, state, body)))


def _check_run(state: State, body: bytes) -> ModelSummary:
    spec = parse_run(body)
    with state.database.reading() as session:
        described = describe_dataset(session, spec.dataset)
        service.check_start(session, spec.start_from)
    summary = check_run(spec, described)
    check_fits(summary.parameter_count, state.settings.memory_of_worker())
    check_limits(spec, summary.parameter_count, state.settings)
    return summary


@router.get("/runs", response_model=schemas.RunList, responses=problems(422))
def list_runs(
    state: MayRead,
    status: Annotated[RunStatus | None, Query(description="Only runs of this status.")] = None,
    name: Annotated[str | None, Query(description="Only runs of exactly this name.")] = None,
    tag: Annotated[
        list[Tag] | None, Query(description="Only runs with this tag, `key:value`; repeatable.")
    ] = None,
    created_after: Annotated[
        Moment | None, Query(description="Only runs made later; without a zone, UTC.")
    ] = None,
    created_before: Annotated[Moment | None, Query(description="Only runs made earlier.")] = None,
    limit: Annotated[int, Query(ge=1, le=500, description="Most runs of the answer.")] = 50,
    after: Annotated[
        str | None, Query(pattern="^run_[0-9a-f]{26}$", description="`next` of the page before.")
    ] = None,
) -> Response:
    """Runs, the newest first. Arrays of inline datasets are left out; their shapes stand in their place."""
    tags = [(key, value) for key, _, value in (text.partition(":") for text in tag or ())]
    wanted = RunFilter(status, name, tags, created_after, created_before)
    with state.database.reading() as session:
        runs, more = service.list_runs(session, wanted, limit, after)
    return json_answer({"items": [run_answer(run) for run in runs], "next": runs[-1].id if more else None})


@router.get("/runs/compare", response_model=schemas.RunComparison, responses=problems(404, 422))
def compare_runs(
    state: MayRead,
    ids: Annotated[Ids, Query(description="Ids of 2 to 100 runs, with commas between them.")],
) -> Response:
    """Runs side by side: where their documents differ, and all their figures."""
    with state.database.reading() as session:
        return json_answer(comparison.compare_runs(session, ids.split(",")))


@router.get("/runs/{run_id}", response_model=schemas.Run, responses=problems(404))
def get_run(run_id: str, state: MayRead) -> Response:
    """One run: document, status, progress, times, verdicts, error."""
    return _answer_run(state, run_id)


@router.delete("/runs/{run_id}", status_code=204, response_class=Response, responses=problems(404, 409))
def delete_run(run_id: str, state: MayTrain) -> Response:
    """Deletes a run, its history and its artifacts. One that is being trained must be cancelled first."""
    with state.database.writing() as session:
        service.delete_run(session, run_id)
    state.files.remove(run_id)
    return Response(status_code=204)


@router.post("/runs/{run_id}/cancel", response_model=schemas.Run, responses=problems(404, 409))
def cancel_run(run_id: str, state: MayTrain) -> Response:
    """Cancels a run that is queued or being trained; the worker stops within a second."""
    with state.database.writing() as session:
        service.cancel_run(session, run_id)
    state.files.remove(run_id)
    return _answer_run(state, run_id)


@router.get(
    "/runs/{run_id}/metrics",
    response_model=schemas.Metrics,
    responses=problems(404, 422) | {200: {"content": {"text/csv": {"schema": {"type": "string"}}}}},
)
def get_metrics(
    run_id: str,
    state: MayRead,
    since_epoch: Annotated[int, Query(ge=0, le=MOST_EPOCHS, description="Only epochs after this one.")] = 0,
    max_points: Annotated[
        int | None, Query(ge=1, le=MOST_EPOCHS, description="At most so many epochs, evenly spread.")
    ] = None,
    accept: Annotated[str, Header()] = "application/json",
) -> Response:
    """The history, one entry an epoch; as CSV if `Accept` prefers `text/csv`."""
    with state.database.reading() as session:
        run = service.get_run(session, run_id)
        history = read_history(session, run, since_epoch)
    if max_points is not None:
        history = history.thinned(max_points)
    if rating(accept, ["text/csv"]) > rating(accept, ["application/json"]):
        return Response(history.csv(), media_type="text/csv")
    return json_answer(metrics_answer(run_id, history))


_EVENT = {
    "type": "object",
    "properties": {
        "event": {"enum": ["status", "epochs"]},
        "id": {"type": "string", "pattern": LAST_EVENT_ID},
        "data": {"type": "string", "contentMediaType": "application/json"},
    },
}
_EVENTS = {"text/event-stream": {"itemSchema": _EVENT}}


@router.get(
    "/runs/{run_id}/events",
    response_class=StreamingResponse,
    responses=problems(404, 422)
    | {
        200: {"content": _EVENTS},
        204: {"description": "The run has ended, and `Last-Event-ID` is that of its last event."},
    },
)
async def get_events(
    run_id: str,
    state: MayRead,
    last_event_id: Annotated[
        str | None, Header(pattern=LAST_EVENT_ID, description="The `id` of the last event that was read.")
    ] = None,
) -> Response:
    """The run as it goes on, as server-sent events: `status` and `epochs`, until it has ended.

    The `id` of an event says how much of the run was told up to there. A client that gives it back as
    `Last-Event-ID` gets what comes after it, nothing twice and nothing left out, even if the service was
    started again meanwhile.
    """
    position = Position(0, None) if last_event_id is None else Position.read(last_event_id)
    if await run_in_threadpool(_has_all_events, state, run_id, position):
        return Response(status_code=204)  # which tells a browser not to come back
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    events = follow_events(state.watcher, run_id, position)
    return StreamingResponse(events, headers=headers, media_type="text/event-stream")


def _has_all_events(state: State, run_id: str, position: Position) -> bool:
    with state.database.reading() as session:
        run = service.get_run(session, run_id)
    return run.status in ENDED and run.status == position.status and run.epoch <= position.epoch


@router.get("/runs/{run_id}/artifacts", response_model=schemas.ArtifactList, responses=problems(404, 409))
def list_artifacts(run_id: str, state: MayRead) -> Response:
    """The files of a run that succeeded."""
    with state.database.reading() as session:
        service.get_succeeded_run(session, run_id)
    items = [
        {
            "name": file.name,
            "bytes": file.size,
            "sha256": file.sha256,
            "media_type": ARTIFACTS[file.name],
            "href": f"/runs/{run_id}/artifacts/{file.name}",
        }
        for file in list_files(state.files.artifacts(run_id))
    ]
    return json_answer({"items": items})


_FILE: dict[str, Any] = {
    media_type.partition(";")[0]: {"schema": {} if media_type.endswith("json") else {"type": "string"}}
    for media_type in ARTIFACTS.values()
}
_PART: dict[str, Any] = {media_type: {"schema": {}} for media_type in (*_FILE, "multipart/byteranges")}


@router.head("/runs/{run_id}/artifacts/{name}", include_in_schema=False)
@router.get(
    "/runs/{run_id}/artifacts/{name}",
    response_class=FileResponse,
    responses=problems(404, 409, 416)
    | {
        200: {"content": _FILE},
        206: {"content": _PART, "description": "The part that `Range` asks for."},
        304: {"description": "`If-None-Match` names the content."},
    },
)
def get_artifact(run_id: str, name: str, request: Request, state: MayRead) -> Response:
    """One file of a run that succeeded.

    Its `ETag` is its SHA-256. `If-None-Match` saves sending it again, `Range` asks for a part of it.
    """
    with state.database.reading() as session:
        service.get_succeeded_run(session, run_id)
    folder = state.files.artifacts(run_id)
    found = next((file for file in list_files(folder) if file.name == name), None)
    if found is None:
        raise NotFound(f"Run {run_id} has no artifact {name!r}; it may have {', '.join(ARTIFACTS)}.")
    check_artifact(folder, name)
    etag = f'"{found.sha256}"'
    if matches(request.headers.get("if-none-match", ""), etag):
        return Response(status_code=304, headers={"ETag": etag})
    if not wants_part(request.headers, etag, found.size):
        # A range that doesn't count must be passed over; the response would look at it nevertheless.
        request.scope["headers"] = [item for item in request.scope["headers"] if item[0] != b"range"]
    return FileResponse(folder / name, headers={"ETag": etag}, media_type=ARTIFACTS[name], filename=name)
