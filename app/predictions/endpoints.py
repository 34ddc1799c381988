"""`POST /predict`."""

from typing import cast

from fastapi import APIRouter, Request
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from app.bodies import json_body, problems, read_json_body
from app.errors import KerbError
from app.predictions.schemas import PredictAnswer, PredictDocument
from app.problems import problem_response
from app.state import Shared, State

router = APIRouter(tags=["predictions"])

PATH = "/predict"


@router.post(
    PATH,
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


class PredictionShortcut:
    """Middleware that answers `POST /predict` itself.

    The layers that a request passes on its way to a route take as long as scoring a row. What the shortcut
    doesn't know by its path, such as where the application is mounted below another, takes the long way.

    Args:
        app: the application.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers the request."""
        if scope["type"] != "http" or scope["path"] != PATH or scope["method"] != "POST":
            await self._app(scope, receive, send)
            return
        request = Request(scope, receive)
        try:
            response = await predict(request, cast(State, request.app.state.kerb))
        except KerbError as error:
            response = problem_response(error)
        except ClientDisconnect:
            return
        await response(scope, receive, send)
