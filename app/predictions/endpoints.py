"""`POST /predict`."""

from fastapi import APIRouter, Request
from starlette.responses import Response

from app.bodies import json_body, problems, read_json_body
from app.predictions.schemas import PredictAnswer, PredictDocument
from app.state import Shared

router = APIRouter(tags=["predictions"])


@router.post(
    "/predict",
    summary="Predictions of a run, with statistics of this batch",
    response_model=PredictAnswer,
    responses=problems(404, 409, 413, 415, 422),
    openapi_extra=json_body(PredictDocument),
)
async def predict(request: Request, state: Shared) -> Response:
    """Scores instances with the model of a run that has succeeded.

    The answer counts how many elements of these predictions lie above the threshold.
    """
    answer = await state.predictor.predict(await read_json_body(request))
    return Response(answer, media_type="application/json")
