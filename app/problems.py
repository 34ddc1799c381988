"""Errors as answers: every one is `application/problem+json` (RFC 9457), none shows a traceback.

The form is `{"type", "title", "status", "detail", "errors": [{"pointer", "message"}]}` and `code`, the
stable word of `app.errors`. `pointer` is a JSON Pointer into the posted document; a problem with a
parameter of the request names it in `parameter` instead.
"""

import logging
import math
import re
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

import orjson
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.routing import iter_route_contexts
from pydantic import BaseModel, ConfigDict
from sqlalchemy.exc import OperationalError, TimeoutError
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import compile_path

from app.errors import (
    STORAGE_FAILURES,
    Conflict,
    Forbidden,
    IdempotencyMismatch,
    InvalidDocument,
    InvalidRange,
    KerbError,
    Misdirected,
    NotFound,
    RunError,
    TooLarge,
    TooMany,
    Unauthenticated,
    Unavailable,
    UnsupportedMediaType,
)
from app.spec.pointers import received

logger = logging.getLogger(__name__)

MEDIA_TYPE = "application/problem+json"

# The first class that matches gives the status.
_STATUSES: tuple[tuple[type[KerbError], int], ...] = (
    (InvalidDocument, 422),
    (IdempotencyMismatch, 422),
    (RunError, 422),
    (Unauthenticated, 401),
    (Forbidden, 403),
    (Misdirected, 421),
    (NotFound, 404),
    (Conflict, 409),
    (TooLarge, 413),
    (TooMany, 429),
    (InvalidRange, 416),
    (UnsupportedMediaType, 415),
    (Unavailable, 503),
)

_PARAMETER = re.compile(r"{[^}]*}")

RETRY_AFTER_SECONDS = 2
"""What a client is told to wait when a part of the service isn't ready."""


class ProblemField(BaseModel):
    """One wrong field of a document, or one wrong parameter of a request."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    pointer: str
    """JSON Pointer (RFC 6901) into the posted document; `""` is the whole of it."""
    message: str
    """What was expected and what was received."""
    parameter: str | None = None
    """Name of the wrong query parameter or header, if it isn't the document that is wrong."""


class Problem(BaseModel):
    """An error (RFC 9457)."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    type: str
    """URI of the kind of problem."""
    title: str
    """The kind of problem in words."""
    status: int
    """The HTTP status of the answer."""
    detail: str
    """What is wrong here."""
    code: str
    """Stable word for the kind of problem."""
    errors: list[ProblemField]
    """Each wrong field; empty where no single field is to blame."""
    error: str | None = None
    """The same as `detail`, below `/v1` and `/v2`, where clients look for it here."""


def add_problem_handlers(app: FastAPI) -> None:
    """Makes every error of `app` a problem document."""
    app.add_exception_handler(KerbError, _handle_kerb_error)
    app.add_exception_handler(RequestValidationError, _handle_request_error)
    app.add_exception_handler(HTTPException, _handle_http_error)
    app.add_exception_handler(OperationalError, _handle_database_error)
    app.add_exception_handler(TimeoutError, _handle_database_error)
    app.add_exception_handler(OSError, _handle_storage_error)
    app.add_exception_handler(Exception, _handle_unexpected_error)


PROTOCOLS = ("/v1/", "/v2")
"""Paths of protocols whose clients read the `error` text of a problem."""


def problem_response(error: KerbError, path: str = "") -> Response:
    """The answer to `error` at a path."""
    status = next((status for kind, status in _STATUSES if isinstance(error, kind)), 500)
    headers = {"Retry-After": str(RETRY_AFTER_SECONDS)} if status == 503 else None
    if isinstance(error, Unauthenticated):
        headers = {"WWW-Authenticate": 'Bearer realm="kerb"'}
    elif isinstance(error, TooMany):
        headers = {"Retry-After": str(math.ceil(error.retry_seconds))}
    elif isinstance(error, InvalidRange):
        headers = {"Content-Range": f"bytes */{error.size}"}
    return _respond(path, status, error.code, error.title, error.message, _fields(error), headers)


def _fields(error: KerbError) -> list[dict[str, Any]]:
    if isinstance(error, InvalidDocument):
        return [{"pointer": pointer, "message": message} for pointer, message in error.problems]
    if isinstance(error, RunError) and error.pointer is not None:
        return [{"pointer": error.pointer, "message": error.message}]
    return []


def _respond(
    path: str,
    status: int,
    code: str,
    title: str,
    detail: str,
    errors: Sequence[Mapping[str, Any]] = (),
    headers: Mapping[str, str] | None = None,
) -> Response:
    body: dict[str, Any] = {
        "type": f"urn:kerb:problem:{code}",
        "title": title,
        "status": status,
        "detail": detail,
        "code": code,
        "errors": list(errors),
    }
    if path.startswith(PROTOCOLS):
        body["error"] = detail
    return Response(orjson.dumps(body), status, dict(headers or {}), MEDIA_TYPE)


async def _handle_kerb_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, KerbError)
    return problem_response(error, request.url.path)


async def _handle_request_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    problems = [_parameter_problem(details) for details in error.errors()]
    detail = f"{problems[0]['parameter']}: {problems[0]['message']}"
    path = request.url.path
    return _respond(path, 422, "invalid_request", "The request is not valid", detail, problems)


def _parameter_problem(details: Mapping[str, Any]) -> dict[str, str]:
    _place, *path = details["loc"]
    name = ".".join(str(part) for part in path)
    if details["type"] == "missing":
        message = f"Expected the parameter {name!r}, as it is required; received none."
        return {"pointer": "", "parameter": name, "message": message}
    expected = str(details["msg"]).removeprefix("Input should be ").removeprefix("Value error, ")
    expected = re.sub(r"(?<!\w)'([^']*)'", r'"\1"', expected.partition(", unable to")[0])
    expected = expected.replace("String should match", "text of the").replace("String should have", "text of")
    return {
        "pointer": "",
        "parameter": name,
        "message": f"Expected {expected}; received {received(details['input'])}.",
    }


async def _handle_http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    phrase = HTTPStatus(error.status_code).phrase
    detail, headers = error.detail or phrase, error.headers
    if error.status_code == 404:
        detail = f"There is nothing at {request.url.path}."
    elif error.status_code == 405:
        allowed = _allowed_methods(request)
        headers = {"Allow": allowed}
        detail = f"{request.url.path} answers to {allowed}; received {request.method}."
    code = phrase.lower().replace(" ", "_").replace("-", "_")
    return _respond(request.url.path, error.status_code, code, phrase, detail, headers=headers)


def _allowed_methods(request: Request) -> str:
    """All methods of the path; Starlette's own error names those of one of its routes only.

    Where several paths of routes match, it's the one of which the most is written out.
    """
    path = request.scope["path"].removeprefix(request.scope.get("root_path", ""))
    methods: dict[str, set[str]] = {}
    for route in iter_route_contexts(request.app.routes):
        if route.path and route.methods and compile_path(route.path)[0].match(path):
            methods.setdefault(route.path, set()).update(route.methods)
    closest = max(methods, key=lambda template: len(_PARAMETER.sub("", template)))
    return ", ".join(sorted(methods[closest]))


async def _handle_database_error(request: Request, error: Exception) -> Response:
    return database_problem(error, request.method, request.url.path)


def database_problem(error: Exception, method: str, path: str) -> Response:
    """The answer to a request for which the database failed."""
    logger.error("database failed method=%s path=%s error=%s", method, path, error)
    text = str(error)
    message = next((said for hint, said in _DATABASE_FAILURES.items() if hint in text), _UNREACHABLE)
    return problem_response(Unavailable(message), path)


_UNREACHABLE = "The database can't be reached now."

# By what SQLite says.
_DATABASE_FAILURES = {
    "is locked": "The database is busy: another process has kept it locked for too long. Try again.",
    "is full": "The database can't be written: its disk is full. Free some space there, then try again.",
    "unable to open": "The database can't be opened. Is the data folder there, and can it be written?",
    "readonly": "The database can't be written: it's read-only. Mount its disk for writing, then try again.",
    "disk I/O error": "The database can't be read or written: its disk is full, or fails.",
}


async def _handle_storage_error(request: Request, error: Exception) -> Response:
    if not isinstance(error, OSError) or error.errno not in STORAGE_FAILURES:
        raise error
    logger.error("files failed method=%s path=%s error=%s", request.method, request.url.path, error)
    advice = STORAGE_FAILURES[error.errno]
    message = f"The service can't write or read its files now: {error.strerror}. {advice}"
    return problem_response(Unavailable(message), request.url.path)


async def _handle_unexpected_error(request: Request, _error: Exception) -> Response:
    return unexpected_response(request.url.path)


def unexpected_response(path: str) -> Response:
    """The answer at a path where something failed that isn't known to."""
    return _respond(
        path,
        500,
        "internal_error",
        "The service made a mistake",
        "Something went wrong that is no fault of the request. The service's log has the details.",
    )
