"""`POST /predict`."""

from collections.abc import Awaitable, Callable
from typing import Any, cast

from fastapi import APIRouter, Request
from fastapi.routing import APIRoute
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from app.bodies import json_body, problems, read_json_body
from app.predictions.schemas import PredictAnswer, PredictDocument
from app.state import State


class BareRoute(APIRoute):
    """A route whose function is called with the request, and nothing else happens.

    FastAPI's solving of dependencies, of which it has none, would take a third of a small prediction's time.
    Errors go to the application's handlers, as everywhere.
    """

    def __init__(self, path: str, endpoint: Callable[[Request], Awaitable[Response]], **options: Any) -> None:
        super().__init__(path, endpoint, **options)

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            response = await endpoint(Request(scope, receive))
            await response(scope, receive, send)

        self.app = app


router = APIRouter(tags=["predictions"], route_class=BareRoute)


@router.post(
    "/predict",
    summary="Predictions of a run, with statistics of this batch",
    response_model=PredictAnswer,
    responses=problems(404, 409, 413, 415, 422),
    openapi_extra=json_body(PredictDocument),
)
async def predict(request: Request) -> Response:
    """Scores instances with the model of a run that has succeeded.

    The answer counts how many elements of these predictions lie above the threshold.
    """
    predictor = cast(State, request.app.state.kerb).predictor
    answer = await predictor.predict(await read_json_body(request))
    return Response(answer, media_type="application/json")
