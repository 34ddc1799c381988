"""The routes of the Open Inference Protocol: named models, and runs by their ids."""

from typing import Annotated, Any

from fastapi import APIRouter, Header, Request
from pydantic import Field
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from app.bodies import Answer, json_answer, json_body, problems, read_encoded_body
from app.compression import compress
from app.headers import headers_of
from app.models.service import list_models, list_versions
from app.open_inference import schemas
from app.open_inference.answers import infer_answer, model_metadata, server_metadata
from app.open_inference.requests import read_infer
from app.predictions.service import LOOP_BYTES
from app.predictions.targets import RUN_VERSION, ModelTarget, Target, named_target
from app.state import MayPredict, State

router = APIRouter(prefix="/v2", tags=["open inference protocol"])

HEADER_LENGTH = "Inference-Header-Content-Length"

_LENGTH_NAME = HEADER_LENGTH.lower().encode()

HeaderLength = Annotated[
    Annotated[int, Field(ge=0)] | None,
    Header(alias=HEADER_LENGTH, description="Bytes of the JSON part, where binary tensors follow it."),
]

_BINARY = {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}


def _described() -> dict[str, Any]:
    """The body, for the OpenAPI document."""
    described = json_body(schemas.InferDocument)
    described["requestBody"]["content"] |= _BINARY
    return described


@router.get("", response_model=schemas.ServerMetadata)
def get_server(_state: MayPredict) -> Response:
    """What the server is."""
    return json_answer(server_metadata())


@router.get("/health/live", response_model=schemas.Live)
def get_live(_state: MayPredict) -> Response:
    """Whether the server answers."""
    return json_answer({"live": True})


@router.get("/health/ready", response_model=schemas.Ready)
def get_ready(_state: MayPredict) -> Response:
    """Whether the server can score, for which no worker is needed."""
    return json_answer({"ready": True})


@router.post("/repository/index", response_model=list[schemas.IndexItem], responses=problems())
def list_repository(state: MayPredict) -> Response:
    """The current version of each named model, by name."""
    with state.database.reading() as session:
        models, _ = list_models(session, None, None)
    return json_answer(
        [
            {"name": model.name, "version": str(version.version), "state": "READY", "reason": ""}
            for model, version in models
        ]
    )


@router.get("/models/{name}", response_model=schemas.ModelMetadata, responses=problems(404, 409))
async def get_metadata(name: str, state: MayPredict) -> Response:
    """What a model takes and gives."""
    return await _metadata(state, name, None)


@router.get(
    "/models/{name}/versions/{version}", response_model=schemas.ModelMetadata, responses=problems(404, 409)
)
async def get_version_metadata(name: str, version: str, state: MayPredict) -> Response:
    """What a version of a model takes and gives."""
    return await _metadata(state, name, version)


async def _metadata(state: State, name: str, version: str | None) -> Response:
    served = await state.predictor.resolve(named_target(name, version))
    versions = await run_in_threadpool(_versions_of, state, served.target)
    return json_answer(model_metadata(name, versions, served.scorer))


def _versions_of(state: State, target: Target) -> list[str]:
    if not isinstance(target, ModelTarget):
        return [RUN_VERSION]
    with state.database.reading() as session:
        return [str(version.version) for version in reversed(list_versions(session, target.name))]


@router.get("/models/{name}/ready", response_model=schemas.Ready, responses=problems(404, 409))
async def get_model_ready(name: str, state: MayPredict) -> Response:
    """Whether a model can score."""
    return await _ready(state, name, None)


@router.get(
    "/models/{name}/versions/{version}/ready", response_model=schemas.Ready, responses=problems(404, 409)
)
async def get_version_ready(name: str, version: str, state: MayPredict) -> Response:
    """Whether a version of a model can score."""
    return await _ready(state, name, version)


async def _ready(state: State, name: str, version: str | None) -> Response:
    await state.predictor.resolve(named_target(name, version))
    return json_answer({"name": name, "ready": True})


@router.post(
    "/models/{name}/infer",
    response_model=schemas.InferAnswer,
    responses=problems(404, 409, 413, 415, 422) | {200: {"content": _BINARY}},
    openapi_extra=_described(),
)
async def infer(
    name: str, request: Request, state: MayPredict, header_length: HeaderLength = None
) -> Response:
    """Scores inputs with a model."""
    return await answer_infer(request, state, name, None, header_length)


@router.post(
    "/models/{name}/versions/{version}/infer",
    response_model=schemas.InferAnswer,
    responses=problems(404, 409, 413, 415, 422) | {200: {"content": _BINARY}},
    openapi_extra=_described(),
)
async def infer_version(
    name: str, version: str, request: Request, state: MayPredict, header_length: HeaderLength = None
) -> Response:
    """Scores inputs with a version of a model."""
    return await answer_infer(request, state, name, version, header_length)


async def answer_infer(
    request: Request, state: State, name: str, version: str | None, header_length: int | None
) -> Response:
    """The answer to an inference request.

    Args:
        request: its body is still to be read.
        state: of the application.
        name: of a model, or the id of a run.
        version: as it stands in the path; None for the current one.
        header_length: bytes of the JSON part, where binary tensors follow it.
    """
    body = await read_encoded_body(request, state.settings.max_body_bytes)
    target, scorer = await state.predictor.resolve(named_target(name, version))
    names = [tensor.name for tensor in scorer.signature.outputs]
    if len(body) <= LOOP_BYTES:
        asked = read_infer(body, header_length, scorer.inputs, names)
    else:
        asked = await run_in_threadpool(read_infer, body, header_length, scorer.inputs, names)
    outputs = await state.predictor.score(scorer, asked.arrays, "/inputs")
    version_now = str(target.version) if isinstance(target, ModelTarget) else RUN_VERSION
    model = {"model_name": name, "model_version": version_now}
    accepted = headers_of(request.scope).get(b"accept-encoding", b"").decode("latin-1")

    def pack() -> Answer:
        content, head_bytes = infer_answer(model, asked.id, outputs, asked.outputs)
        content, encoding = compress(content, accepted)
        encoded = [(b"content-encoding", encoding.encode())] if encoding else []
        if head_bytes is None:
            return Answer(content, b"application/json", *encoded)
        return Answer(content, b"application/octet-stream", *encoded, (_LENGTH_NAME, b"%d" % head_bytes))

    is_large = sum(output.nbytes for output in outputs.values()) > LOOP_BYTES
    return await run_in_threadpool(pack) if is_large else pack()
