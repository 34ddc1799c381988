"""The OpenAPI document, generated from the routes: `python -m app.openapi` writes `openapi/openapi.json`.

`--check` writes nothing and says by its exit code whether the file is current.
"""

import sys
from pathlib import Path
from typing import Any

import orjson
from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic.json_schema import models_json_schema

from app.bodies import DOCUMENTS
from app.problems import MEDIA_TYPE
from app.state import declared_routes

FILE = Path(__file__).parent.parent / "openapi" / "openapi.json"

_REFERENCE = "#/components/schemas/{model}"


def build(app: FastAPI) -> dict[str, Any]:
    """The OpenAPI document of an application; made once, then remembered."""
    if app.openapi_schema is None:
        document = get_openapi(title=app.title, version=app.version, summary=app.summary, routes=app.routes)
        _add_documents(document)
        _describe_problems(document)
        _describe_keys(document, app)
        app.openapi_schema = document
    return app.openapi_schema


def _add_documents(document: dict[str, Any]) -> None:
    """Describes the bodies that the routes read as bytes.

    Where a class of theirs has the name of one of an answer's, `Document` is added to it.
    """
    models = [(model, "validation") for _, model in sorted(DOCUMENTS.items())]
    _, schemas = models_json_schema(models, ref_template=_REFERENCE)  # type: ignore[arg-type]
    known: dict[str, Any] = document.setdefault("components", {}).setdefault("schemas", {})
    definitions = schemas.get("$defs", {})
    text = orjson.dumps(definitions)
    taken = [name for name in definitions if known.get(name, definitions[name]) != definitions[name]]
    for name in taken:
        old, new = (f'"{_REFERENCE.format(model=name + suffix)}"'.encode() for suffix in ("", "Document"))
        text = text.replace(old, new)
    known |= {name + "Document" * (name in taken): schema for name, schema in orjson.loads(text).items()}


def _describe_problems(document: dict[str, Any]) -> None:
    """Errors are problem documents; FastAPI would have them be JSON, and of a form of its own."""
    for operations in document["paths"].values():
        for operation in operations.values():
            answers: dict[str, Any] = operation["responses"]
            for status in [status for status in answers if status >= "400"]:
                schema = answers[status]["content"].pop("application/json")["schema"]
                if schema["$ref"].endswith("/HTTPValidationError"):
                    del answers[status]  # of a path's text, which is never wrong
                else:
                    answers[status]["content"][MEDIA_TYPE] = {"schema": schema}
    for name in ("HTTPValidationError", "ValidationError"):
        document["components"]["schemas"].pop(name, None)


def _describe_keys(document: dict[str, Any], app: FastAPI) -> None:
    """Says of each route which scope its key needs, and how it refuses others, and what any refuses."""
    document["components"]["securitySchemes"] = {
        "bearer": {"type": "http", "scheme": "bearer"},
        "header": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
    }
    problem = {"content": {MEDIA_TYPE: {"schema": {"$ref": _REFERENCE.format(model="Problem")}}}}
    anywhere = {
        "421": {"description": "The request's Host isn't one of the service's."} | problem,
        "431": {"description": "The request line and headers are larger than may be."} | problem,
    }
    for operations in document["paths"].values():
        for operation in operations.values():
            operation["responses"].update(anywhere)
    refused = {
        "401": {"description": "No key came that is good."} | problem,
        "429": {"description": "Too many requests or runs; Retry-After says when to try again."} | problem,
        "403": {"description": "The key hasn't the scope."} | problem,
    }
    for route in declared_routes(app):
        if not route.scopes or route.path not in document["paths"]:  # public, or there to refuse
            continue
        for method in route.methods - {"HEAD"}:  # HEAD is GET without the content
            operation = document["paths"][route.path][method.lower()]
            operation["security"] = [{name: route.scopes} for name in ("bearer", "header")]
            operation["responses"].update(refused)


def as_text(document: dict[str, Any]) -> bytes:
    """The document as it lies in the repository: the same bytes for the same routes."""
    options = orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS | orjson.OPT_APPEND_NEWLINE
    return orjson.dumps(document, option=options)


def write_or_check(check: bool) -> int:
    """Writes the file, or only says whether it's current; returns the exit code."""
    from app.main import create_app

    current = as_text(create_app().openapi())
    if check:
        if not FILE.exists() or FILE.read_bytes() != current:
            print(f"{FILE.name} is not current; `make generate` writes it anew.", file=sys.stderr)
            return 1
        return 0
    FILE.parent.mkdir(exist_ok=True)
    FILE.write_bytes(current)
    return 0


if __name__ == "__main__":
    sys.exit(write_or_check("--check" in sys.argv))
