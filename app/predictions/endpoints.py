"""`POST /predict`."""

from collections.abc import Iterator
from typing import IO, Any

from fastapi import APIRouter, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response, StreamingResponse

from app.bodies import Answer, body_chunks, json_body, problems, read_json_body
from app.headers import headers_of
from app.predictions.media import MEDIA_TYPES, TABLES, Form, answer_form, table_form
from app.predictions.queries import PARAMETERS, REPEATABLE, read_query
from app.predictions.schemas import PredictAnswer, PredictDocument
from app.predictions.table_answers import IN_MEMORY_BYTES, open_spool
from app.state import MayPredict, State

CHUNK_BYTES = 256 * 1024
"""As much of a large answer is sent at once."""

_TABLE_TYPES = tuple(TABLES)
_JSON_ANSWERS = (b"*/*", b"application/json")

router = APIRouter(tags=["predictions"])

PATH = "/predict"


_FILE = {"schema": {"type": "string", "format": "binary"}}
_FILES = {media_type: _FILE for form, media_type in MEDIA_TYPES.items() if form != "json"}


def _described() -> dict[str, Any]:
    """The body and the query, for the OpenAPI document."""
    described = json_body(PredictDocument)
    described["requestBody"]["content"].update((media_type, _FILE) for media_type in TABLES)
    text = {"type": "string"}
    described["parameters"] = [
        {
            "name": name,
            "in": "query",
            "description": f"{description} For bodies that hold instances alone.",
            "schema": {"type": "array", "items": text} if name in REPEATABLE else text,
        }
        for name, description in PARAMETERS.items()
    ]
    return described


@router.post(
    PATH,
    summary="Predictions of a run, with statistics of this batch",
    response_model=PredictAnswer,
    responses=problems(404, 409, 413, 415, 422) | {200: {"content": _FILES}},
    openapi_extra=_described(),
)
async def predict(request: Request, state: MayPredict) -> Response:
    """Predictions of a run, of a named model, or of several runs together.

    The answer counts how many elements of these predictions lie above the threshold. Where the body holds
    instances alone, in another form than JSON, the query says whose they are. `Accept` chooses the form of
    the answer; statistics come with JSON and with lines of JSON.
    """
    headers = headers_of(request.scope)
    accept = headers.get(b"accept", b"*/*")
    answered = "json" if accept in _JSON_ANSWERS else answer_form(accept.decode("latin-1"))
    content_type = headers.get(b"content-type", b"application/json")
    form = None if content_type == b"application/json" else table_form(content_type.decode("latin-1"))
    if form is not None:
        return await _predict_table(request, state, form, answered)
    body = await read_json_body(request, state.settings.max_body_bytes, _TABLE_TYPES)
    if answered == "json":
        return Answer(await state.predictor.predict(body), b"application/json")
    file = await state.predictor.predict_in_form(body, answered, state.settings.data_dir)
    return _file_answer(file, answered)


async def _predict_table(request: Request, state: State, form: Form, answered: Form) -> Response:
    target, wanted = read_query(request.query_params)
    folder = state.settings.data_dir
    with open_spool(folder) as file:
        await _spool(request, state.settings.max_table_bytes, file)
        return _file_answer(
            await state.predictor.predict_table(form, file, target, wanted, answered, folder), answered
        )


async def _spool(request: Request, most_bytes: int, file: IO[bytes]) -> None:
    """Writes a body into a file, from its start; in a thread, as the disk may make it wait."""
    waiting: list[bytes] = []
    size = 0
    async for chunk in body_chunks(request, most_bytes):
        waiting.append(chunk)
        size += len(chunk)
        if size >= IN_MEMORY_BYTES:
            await run_in_threadpool(file.writelines, waiting)
            waiting, size = [], 0
    file.writelines(waiting)
    file.seek(0)


def _file_answer(file: IO[bytes], form: Form) -> Response:
    size = file.tell()
    file.seek(0)
    if size <= IN_MEMORY_BYTES:
        with file:
            return Response(file.read(), media_type=MEDIA_TYPES[form])
    chunks = _read_chunks(file)
    return StreamingResponse(chunks, headers={"Content-Length": str(size)}, media_type=MEDIA_TYPES[form])


def _read_chunks(file: IO[bytes]) -> Iterator[bytes]:
    with file:
        while chunk := file.read(CHUNK_BYTES):
            yield chunk
