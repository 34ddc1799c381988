"""The routes of TensorFlow Serving's REST form: named models, and runs by their ids."""

from collections.abc import Iterable
from typing import Any

from fastapi import APIRouter, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from app.artifacts import TensorSignature
from app.bodies import json_answer, json_body, problems, read_encoded_body
from app.errors import NotFound
from app.predictions.scorers import Served
from app.predictions.service import LOOP_BYTES
from app.predictions.targets import RUN_VERSION, ModelTarget, named_target
from app.spec.pointers import received
from app.state import MayPredict, State
from app.tensorflow_serving import schemas
from app.tensorflow_serving.predict import SIGNATURE_NAME, predict_answer, read_predict

router = APIRouter(prefix="/v1/models", tags=["tensorflow serving"])

_DTYPES = {
    "float16": "DT_HALF",
    "float32": "DT_FLOAT",
    "float64": "DT_DOUBLE",
    "int8": "DT_INT8",
    "int16": "DT_INT16",
    "int32": "DT_INT32",
    "int64": "DT_INT64",
    "uint8": "DT_UINT8",
    "bool": "DT_BOOL",
}


@router.get("/{name}", response_model=schemas.ServingStatus, responses=problems(404, 409))
async def get_serving_status(name: str, state: MayPredict) -> Response:
    """Whether a model can score."""
    return await _status(state, name, None)


@router.get("/{name}/versions/{version}", response_model=schemas.ServingStatus, responses=problems(404, 409))
async def get_serving_version_status(name: str, version: str, state: MayPredict) -> Response:
    """Whether a version of a model can score."""
    return await _status(state, name, version)


async def _status(state: State, name: str, version: str | None) -> Response:
    served = await state.predictor.resolve(named_target(name, version))
    status = {"error_code": "OK", "error_message": ""}
    item = {"version": _version_of(served), "state": "AVAILABLE", "status": status}
    return json_answer({"model_version_status": [item]})


def _version_of(served: Served) -> str:
    target = served.target
    return str(target.version) if isinstance(target, ModelTarget) else RUN_VERSION


@router.get("/{name}/metadata", response_model=schemas.ServingMetadata, responses=problems(404, 409))
async def get_serving_metadata(name: str, state: MayPredict) -> Response:
    """What a model takes and gives."""
    return await _metadata(state, name, None)


@router.get(
    "/{name}/versions/{version}/metadata",
    response_model=schemas.ServingMetadata,
    responses=problems(404, 409),
)
async def get_serving_version_metadata(name: str, version: str, state: MayPredict) -> Response:
    """What a version of a model takes and gives."""
    return await _metadata(state, name, version)


async def _metadata(state: State, name: str, version: str | None) -> Response:
    served = await state.predictor.resolve(named_target(name, version))
    signature = served.scorer.signature
    definition = {
        "inputs": _tensors(signature.inputs),
        "outputs": _tensors(signature.outputs),
        "method_name": "tensorflow/serving/predict",
    }
    spec = {"name": name, "signature_name": "", "version": _version_of(served)}
    metadata = {"signature_def": {"signature_def": {SIGNATURE_NAME: definition}}}
    return json_answer({"model_spec": spec, "metadata": metadata})


def _tensors(tensors: Iterable[TensorSignature]) -> dict[str, Any]:
    return {
        tensor.name: {
            "name": tensor.name,
            "dtype": _DTYPES[tensor.dtype],
            "tensor_shape": {
                "dim": [
                    {"size": "-1" if length is None else str(length), "name": ""}
                    for length in (None, *tensor.shape[1:])
                ],
                "unknown_rank": False,
            },
        }
        for tensor in tensors
    }


@router.post(
    "/{name}:predict",
    response_model=schemas.ServingAnswer,
    responses=problems(404, 409, 413, 415, 422),
    openapi_extra=json_body(schemas.ServingDocument),
)
async def serving_predict(name: str, request: Request, state: MayPredict) -> Response:
    """Predictions of a model."""
    return await _predict(request, state, name, None)


@router.post(
    "/{name}/versions/{version}:predict",
    response_model=schemas.ServingAnswer,
    responses=problems(404, 409, 413, 415, 422),
    openapi_extra=json_body(schemas.ServingDocument),
)
async def serving_predict_version(name: str, version: str, request: Request, state: MayPredict) -> Response:
    """Predictions of a version of a model."""
    return await _predict(request, state, name, version)


@router.post("/{name}:{method}", include_in_schema=False)
@router.post("/{name}/versions/{version}:{method}", include_in_schema=False)
async def refuse_method(method: str, state: MayPredict) -> Response:
    """TensorFlow Serving's `classify` and `regress` need a signature that no model here has."""
    raise NotFound(
        f'Expected the method "predict", as models here have no other; received {received(method)}.'
    )


async def _predict(request: Request, state: State, name: str, version: str | None) -> Response:
    body = await read_encoded_body(request, state.settings.max_body_bytes)
    served = await state.predictor.resolve(named_target(name, version))
    if len(body) <= LOOP_BYTES:
        asked = read_predict(body, served.scorer.inputs)
    else:
        asked = await run_in_threadpool(read_predict, body, served.scorer.inputs)
    outputs = await state.predictor.score(
        served.scorer, asked.arrays, "/instances" if asked.by_rows else "/inputs"
    )
    if sum(output.nbytes for output in outputs.values()) <= LOOP_BYTES:
        content = predict_answer(outputs, asked.by_rows)
    else:
        content = await run_in_threadpool(predict_answer, outputs, asked.by_rows)
    return Response(content, media_type="application/json")
