"""`/openapi.json`, and `/docs`, which shows it: with files of the service's own, so that it needs no network,
and a policy that lets these run and no others.
"""

import base64
import hashlib
import re
from collections.abc import Awaitable, Callable
from importlib.resources import files
from pathlib import Path

from fastapi import FastAPI
from fastapi.openapi.docs import get_swagger_ui_html
from starlette.responses import FileResponse, HTMLResponse, Response

from app.bodies import json_answer

SCRIPT, STYLE, ICON = PAGE_FILES = ("swagger-ui-bundle.js", "swagger-ui.css", "favicon.png")
"""What the page loads, below its own path."""

_INLINE = re.compile(r"<script>(.*?)</script>", re.DOTALL)


def add_docs(app: FastAPI) -> None:
    """Adds both."""
    html = get_swagger_ui_html(
        openapi_url="openapi.json",
        title=app.title,
        swagger_js_url=f"docs/{SCRIPT}",
        swagger_css_url=f"docs/{STYLE}",
        swagger_favicon_url=f"docs/{ICON}",
    )
    page = bytes(html.body)
    headers = {"Content-Security-Policy": _policy(page.decode())}

    async def get_docs() -> HTMLResponse:
        return HTMLResponse(page, headers=headers)

    def get_document() -> Response:  # in a thread, as the first time takes a second
        return json_answer(app.openapi())

    app.add_api_route("/docs", get_docs, include_in_schema=False, response_class=HTMLResponse)
    app.add_api_route("/openapi.json", get_document, include_in_schema=False, response_class=Response)
    folder = Path(str(files("fastapi_offline"))) / "static"
    for name in PAGE_FILES:
        app.add_api_route(
            f"/docs/{name}", _sender(folder / name), include_in_schema=False, response_class=FileResponse
        )


def _sender(path: Path) -> Callable[[], Awaitable[FileResponse]]:
    async def send() -> FileResponse:
        return FileResponse(path)

    return send


def _policy(page: str) -> str:
    hashes = [hashlib.sha256(script.encode()).digest() for script in _INLINE.findall(page)]
    inline = " ".join(f"'sha256-{base64.b64encode(digest).decode()}'" for digest in hashes)
    return "; ".join(
        (
            "default-src 'none'",
            f"script-src 'self' {inline}",
            "style-src 'self' 'unsafe-inline'",
            "img-src 'self' data:",
            "connect-src 'self'",
            "base-uri 'none'",
            "frame-ancestors 'none'",
        )
    )
