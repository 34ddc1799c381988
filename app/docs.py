"""`/openapi.json`, and `/docs`, which shows it with a policy that lets its own scripts run and no others."""

import base64
import hashlib
import re

from fastapi import FastAPI
from fastapi.openapi.docs import get_swagger_ui_html
from starlette.responses import HTMLResponse, Response

from app.bodies import json_answer

_SOURCE = "https://cdn.jsdelivr.net"
_INLINE = re.compile(r"<script>(.*?)</script>", re.DOTALL)


def add_docs(app: FastAPI) -> None:
    """Adds both."""
    page = bytes(get_swagger_ui_html(openapi_url="openapi.json", title=app.title).body)
    headers = {"Content-Security-Policy": _policy(page.decode())}

    async def get_docs() -> HTMLResponse:
        return HTMLResponse(page, headers=headers)

    def get_document() -> Response:  # in a thread, as the first time takes a second
        return json_answer(app.openapi())

    app.add_api_route("/docs", get_docs, include_in_schema=False, response_class=HTMLResponse)
    app.add_api_route("/openapi.json", get_document, include_in_schema=False, response_class=Response)


def _policy(page: str) -> str:
    hashes = [hashlib.sha256(script.encode()).digest() for script in _INLINE.findall(page)]
    inline = " ".join(f"'sha256-{base64.b64encode(digest).decode()}'" for digest in hashes)
    return "; ".join(
        (
            "default-src 'none'",
            f"script-src {_SOURCE} {inline}",
            f"style-src {_SOURCE} 'unsafe-inline'",
            "img-src data: https://fastapi.tiangolo.com",
            "connect-src 'self'",
            "base-uri 'none'",
            "frame-ancestors 'none'",
        )
    )
