"""What each request passes before anything else sees it."""

from fastapi import FastAPI
from sqlalchemy.exc import OperationalError, TimeoutError
from starlette.types import ASGIApp, Receive, Scope, Send

from app.docs import PAGE_FILES
from app.errors import KerbError, TooMany, Unauthenticated
from app.keys.keyring import Keyring
from app.keys.service import OPEN, Access
from app.problems import database_problem, problem_response
from app.rates import Rates
from app.state import ACCESS, declared_routes

PUBLIC = frozenset(
    ("/healthz", "/readyz", "/openapi.json", "/docs", *(f"/docs/{name}" for name in PAGE_FILES))
)
"""Paths that need no key: they tell nothing of what anybody did."""


class Gate:
    """Middleware that finds out what a request may do, and refuses those that come without a key they need.

    Args:
        app: the application.
        keys: tells what a request may do.
        rates: how many requests a second a key may send, or an address without one.
    """

    def __init__(self, app: ASGIApp, keys: Keyring, rates: Rates) -> None:
        self._app = app
        self._keys = keys
        self._rates = rates

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers the request, or lets the application do so."""
        if scope["type"] == "http" and scope["path"] not in PUBLIC:
            try:
                scope[ACCESS] = await self._find_access(scope)
            except KerbError as error:
                await problem_response(error, scope["path"])(scope, receive, send)
                return
            except (OperationalError, TimeoutError) as error:
                response = database_problem(error, scope["method"], scope["path"])
                await response(scope, receive, send)
                return
        await self._app(scope, receive, send)

    async def _find_access(self, scope: Scope) -> Access:
        """What the request may do, if it's one of not too many."""
        try:
            access = await self._keys.find(scope["headers"])
        except Unauthenticated:
            self._count(scope["client"][0] if scope.get("client") else "")
            raise
        if access is not OPEN:
            self._count(access.key_id or "")
        return access

    def _count(self, name: str) -> None:
        wait = self._rates.wait_seconds(name)
        if wait:
            raise TooMany("Expected fewer requests in so short a time; wait, or send them more slowly.", wait)


def check_routes(app: FastAPI) -> None:
    """Sees to it that each route says which scope it needs, and that those of `PUBLIC` alone need none.

    Raises:
        TypeError: one doesn't.
    """
    for route in declared_routes(app):
        if len(route.scopes) != (route.path not in PUBLIC):
            found = ", ".join(route.scopes) or "none"
            raise TypeError(f"Expected {route.path} to need one scope, or to be PUBLIC; received {found}.")
