"""`POST /predict`."""

from fastapi import APIRouter, Request
from starlette.responses import Response

from app.bodies import json_body, problems, read_json_body
from app.predictions.schemas import PredictAnswer, PredictDocument
from app.predictions.service import Predictor

router = APIRouter(tags=["predictions"])


@router.post(
    "/predict",
    summary="Predictions of a run, with statistics of this batch",
    response_model=None,
    responses={200: {"model": PredictAnswer}, **problems(404, 409, 413, 415, 422)},
    openapi_extra=json_body(PredictDocument),
)
async def predict(request: Request) -> Response:
    """Scores instances with the model of a run that has succeeded.

    The answer counts how many elements of these predictions lie above the threshold.
    """
    predictor: Predictor = request.app.state.kerb.predictor
    return Response(await predictor.predict(await read_json_body(request)), media_type="application/json")
