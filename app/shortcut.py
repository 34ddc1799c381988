"""Answers predictions before they have gone through the layers of the web framework.

The layers that a request passes on its way to a route take as long as scoring a row.
"""

from collections.abc import Awaitable, Callable

from fastapi import Request
from sqlalchemy.exc import OperationalError, TimeoutError
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from app.errors import KerbError
from app.headers import headers_of
from app.observation import ROUTE
from app.open_inference.endpoints import HEADER_LENGTH, answer_infer
from app.predictions.endpoints import PATH, predict
from app.problems import database_problem, problem_response
from app.state import ACCESS, State

Answering = Callable[[Request, State], Awaitable[Response]]

_HEADER_LENGTH = HEADER_LENGTH.lower().encode()


class PredictionShortcut:
    """Middleware that answers `POST /predict` and `POST /v2/models/…/infer` itself.

    What it doesn't know by its path, such as where the application is mounted below another, takes the long
    way, and so does what a layer would refuse.

    Args:
        app: the application.
        state: of the application.
    """

    def __init__(self, app: ASGIApp, state: State) -> None:
        self._app = app
        self._state = state

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers the request."""
        answering = _find(scope) if scope["type"] == "http" and scope["method"] == "POST" else None
        if answering is None:
            await self._app(scope, receive, send)
            return
        request = Request(scope, receive)
        try:
            response = await answering(request, self._state.seen_by(scope[ACCESS], "predict"))
        except KerbError as error:
            response = problem_response(error, scope["path"])
        except (OperationalError, TimeoutError) as error:
            response = database_problem(error, "POST", scope["path"])
        await response(scope, receive, send)


def _find(scope: Scope) -> Answering | None:
    """What answers a POST, if that is known here; then the request's route is noted, as the router would."""
    path: str = scope["path"]
    if path == PATH:
        scope[ROUTE] = PATH
        return predict
    match path.split("/"):
        case ["", "v2", "models", name, "infer"] if name:
            version, scope[ROUTE] = None, "/v2/models/{name}/infer"
        case ["", "v2", "models", name, "versions", version, "infer"] if name and version:
            scope[ROUTE] = "/v2/models/{name}/versions/{version}/infer"
        case _:
            return None
    length = headers_of(scope).get(_HEADER_LENGTH)
    if length is not None and not (length.isdigit() and len(length) < 16):
        return None
    header_length = None if length is None else int(length)
    return lambda request, state: answer_infer(request, state, name, version, header_length)
