"""The routes of datasets: HTTP in, HTTP out; what happens is in `app.datasets.service`."""

import shutil
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from app.bodies import json_answer, problems, receive_body
from app.datasets import schemas, service
from app.datasets.reception import Reception, ReceptionLimits
from app.datasets.service import DatasetFiles
from app.datasets.size import DatasetSize
from app.datasets.tables import DatasetRow
from app.datasets.upload import FORMS, MULTIPART, upload_of
from app.runs.files import gathering
from app.state import MayRead, MayTrain

router = APIRouter(tags=["datasets"])

_FILE = {"schema": {"type": "string", "format": "binary"}}
_FORM = {
    "schema": {
        "type": "object",
        "properties": {"file": _FILE["schema"], "name": {"type": "string", "maxLength": 255}},
        "required": ["file"],
    }
}


@router.post(
    "/datasets",
    status_code=201,
    response_model=schemas.Dataset,
    responses=problems(413, 415, 422) | {200: {"model": schemas.Dataset}},
    openapi_extra={
        "requestBody": {"required": True, "content": dict.fromkeys(FORMS, _FILE) | {MULTIPART: _FORM}}
    },
)
async def post_dataset(
    request: Request,
    state: MayTrain,
    name: Annotated[str | None, Query(max_length=255, description="For people, and for the list.")] = None,
) -> Response:
    """Stores a file of samples. Bytes that are there already answer `200` with the dataset made of them."""
    upload = upload_of(request.headers.get("content-type", ""))
    settings = state.settings
    files = DatasetFiles(settings.data_dir)
    size = DatasetSize(settings.max_dataset_rows, settings.max_dataset_values, settings.max_dataset_bytes)
    limits = ReceptionLimits(settings.max_body_bytes, size, settings.dataset_memory_bytes)
    most_bytes = settings.max_body_bytes if upload.form == "json" else settings.max_table_bytes
    with gathering(files.upload()) as folder, Reception(upload, folder, limits) as reception:
        await receive_body(request, most_bytes, reception.take)
        dataset, new = await run_in_threadpool(
            service.store, state.database, files, name or upload.name, reception
        )
    headers = {"Location": f"/datasets/{dataset.id}"}
    return json_answer(_answer(dataset), 201 if new else 200, headers)


@router.get("/datasets", response_model=schemas.DatasetList, responses=problems(422))
def list_datasets(
    state: MayRead,
    name: Annotated[str | None, Query(description="Only datasets of exactly this name.")] = None,
    limit: Annotated[int, Query(ge=1, le=500, description="Most datasets of the answer.")] = 50,
    after: Annotated[
        str | None, Query(pattern="^ds_[0-9a-f]{26}$", description="`next` of the page before.")
    ] = None,
) -> Response:
    """Datasets, the newest first, without previews."""
    with state.database.reading() as session:
        datasets, more = service.list_datasets(session, name, limit, after)
    items = [_summary(dataset) for dataset in datasets]
    return json_answer({"items": items, "next": datasets[-1].id if more else None})


@router.get("/datasets/{dataset_id}", response_model=schemas.Dataset, responses=problems(404))
def get_dataset(dataset_id: str, state: MayRead) -> Response:
    """One dataset: columns, types, missing values, ranges, and its first rows."""
    with state.database.reading() as session:
        return json_answer(_answer(service.get_dataset(session, dataset_id)))


@router.delete(
    "/datasets/{dataset_id}", status_code=204, response_class=Response, responses=problems(404, 409)
)
def delete_dataset(dataset_id: str, state: MayTrain) -> Response:
    """Deletes a dataset and its files. One that a run needs which hasn't ended stays."""
    with state.database.writing() as session:
        service.delete_dataset(session, dataset_id)
    shutil.rmtree(DatasetFiles(state.settings.data_dir).folder(dataset_id), ignore_errors=True)
    return Response(status_code=204)


def _answer(dataset: DatasetRow) -> dict[str, Any]:
    return _summary(dataset) | {"preview": dataset.preview}


def _summary(dataset: DatasetRow) -> dict[str, Any]:
    fields = ("id", "name", "form", "digest", "bytes", "created_at", "rows", "columns")
    return {field: getattr(dataset, field) for field in fields}
