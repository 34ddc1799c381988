"""The routes of named models: HTTP in, HTTP out; what happens is in `app.models.service`."""

import re
from collections.abc import Callable
from typing import Annotated, Any, TypeVar

from fastapi import APIRouter, Path, Query, Request
from pydantic import AfterValidator
from sqlalchemy.orm import Session
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from app.bodies import json_answer, json_body, problems, read_document_body
from app.models import schemas, service
from app.models.documents import ModelDocument, RollbackDocument
from app.models.tables import ModelRow, ModelVersionRow
from app.spec.parsing import parse
from app.state import MayRead, MayTrain, State

router = APIRouter(tags=["models"])

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_RUN_ID = re.compile(r"run_[0-9a-f]{26}")

NAMES = "1 to 128 letters, digits, dots, dashes and underscores, a letter or a digit first, and no run's id"

MOST_VERSIONS = 2**31 - 1

Result = TypeVar("Result")


def _check_name(name: str) -> str:
    # Where a run's id or a model's name may stand, each says by its form which it is.
    if not _NAME.fullmatch(name) or _RUN_ID.fullmatch(name):
        raise ValueError(f"a name of {NAMES}")
    return name


Version = Annotated[int, Path(ge=1, le=MOST_VERSIONS, description="Number of a version.")]


@router.put(
    "/models/{name}",
    response_model=schemas.Model,
    responses=problems(404, 409, 413, 415, 422) | {201: {"model": schemas.Model}},
    openapi_extra=json_body(ModelDocument),
)
async def put_model(
    name: Annotated[
        str,
        AfterValidator(_check_name),
        Path(description=f"{NAMES}."),
    ],
    request: Request,
    state: MayTrain,
) -> Response:
    """Makes the next version of a model, and makes it the current one.

    `201` if the name is new. What the current version has already makes no new one.
    """
    document = parse(ModelDocument, await read_document_body(request))
    members = service.members_of(document)

    def put(session: Session) -> bool:
        service.check_members(session, state.files, members)
        return service.put_version(session, name, members)

    new = await _change(state, put)
    return await run_in_threadpool(_answer_model, state, name, 201 if new else 200)


@router.get("/models", response_model=schemas.ModelList, responses=problems(422))
def list_models(
    state: MayRead,
    limit: Annotated[int, Query(ge=1, le=500, description="Most models of the answer.")] = 50,
    after: Annotated[str | None, Query(description="`next` of the page before.")] = None,
) -> Response:
    """Models with their current versions, by name."""
    with state.database.reading() as session:
        models, more = service.list_models(session, limit, after)
    items = [_summary(model, version) for model, version in models]
    return json_answer({"items": items, "next": items[-1]["name"] if more else None})


@router.get("/models/{name}", response_model=schemas.Model, responses=problems(404))
def get_model(name: str, state: MayRead) -> Response:
    """One model and its history."""
    return _answer_model(state, name)


@router.get(
    "/models/{name}/versions/{version}", response_model=schemas.ModelVersion, responses=problems(404, 422)
)
def get_model_version(name: str, version: Version, state: MayRead) -> Response:
    """One version of a model."""
    with state.database.reading() as session:
        return json_answer(_version(service.get_version(session, name, version)))


@router.post(
    "/models/{name}/rollback",
    response_model=schemas.Model,
    responses=problems(404, 413, 415, 422),
    openapi_extra=json_body(RollbackDocument),
)
async def roll_back_model(name: str, request: Request, state: MayTrain) -> Response:
    """Makes a version the current one, an earlier or a later one; no version is lost."""
    version = parse(RollbackDocument, await read_document_body(request)).version
    await _change(state, lambda session: service.roll_back(session, name, version))
    return await run_in_threadpool(_answer_model, state, name)


@router.delete("/models/{name}", status_code=204, response_class=Response, responses=problems(404))
async def delete_model(name: str, state: MayTrain) -> Response:
    """Deletes a name with all its versions; the runs stay."""
    await _change(state, lambda session: service.delete_model(session, name))
    return Response(status_code=204)


@router.delete(
    "/models/{name}/versions/{version}",
    status_code=204,
    response_class=Response,
    responses=problems(404, 409, 422),
)
async def delete_model_version(name: str, version: Version, state: MayTrain) -> Response:
    """Deletes a version that isn't current; its number isn't given again."""
    await _change(state, lambda session: service.delete_version(session, name, version))
    return Response(status_code=204)


async def _change(state: State, function: Callable[[Session], Result]) -> Result:
    """Writes in a thread; who asks for a model from then on gets what was written."""

    def write() -> Result:
        with state.database.writing() as session:
            return function(session)

    result = await run_in_threadpool(write)
    state.names.forget()
    return result


def _answer_model(state: State, name: str, status: int = 200) -> Response:
    with state.database.reading() as session:
        model = service.get_model(session, name)
        versions = service.list_versions(session, name)
    current = next(version for version in versions if version.version == model.current_version)
    content = _summary(model, current) | {"versions": [_version(version) for version in versions]}
    headers = {"Location": f"/models/{name}/versions/{current.version}"}
    return json_answer(content, status, headers)


def _summary(model: ModelRow, current: ModelVersionRow) -> dict[str, Any]:
    times = {"created_at": model.created_at, "updated_at": model.updated_at}
    return {"name": model.name} | _version(current) | times


def _version(version: ModelVersionRow) -> dict[str, Any]:
    return {
        "version": version.version,
        "run_ids": [run.run_id for run in version.runs],
        "combine": version.combine,
        "created_at": version.created_at,
    }
