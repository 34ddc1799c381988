"""What each request passes before anything else sees it."""

from typing import cast

from fastapi import FastAPI
from sqlalchemy.exc import OperationalError, TimeoutError
from starlette.types import ASGIApp, Receive, Scope, Send

from app.errors import KerbError
from app.problems import database_problem, problem_response
from app.state import ACCESS, State, declared_routes

PUBLIC = frozenset(("/healthz", "/readyz", "/docs", "/openapi.json"))
"""Paths that need no key: they tell nothing of what anybody did."""


class Gate:
    """Middleware that finds out what a request may do, and refuses those that come without a key they need.

    Args:
        app: the application.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers the request, or lets the application do so."""
        if scope["type"] == "http" and scope["path"] not in PUBLIC:
            state = cast(State, scope["app"].state.kerb)
            try:
                scope[ACCESS] = await state.keys.find(scope["headers"])
            except KerbError as error:
                await problem_response(error, scope["path"])(scope, receive, send)
                return
            except (OperationalError, TimeoutError) as error:
                response = database_problem(error, scope["method"], scope["path"])
                await response(scope, receive, send)
                return
        await self._app(scope, receive, send)


def check_routes(app: FastAPI) -> None:
    """Sees to it that each route says which scope it needs, and that those of `PUBLIC` alone need none.

    Raises:
        TypeError: one doesn't.
    """
    for route in declared_routes(app):
        if len(route.scopes) != (route.path not in PUBLIC):
            found = ", ".join(route.scopes) or "none"
            raise TypeError(f"Expected {route.path} to need one scope, or to be PUBLIC; received {found}.")
