"""`/docs`: the OpenAPI document as a page, with a policy that lets its own scripts run and no others."""

import base64
import hashlib
import re

from fastapi import FastAPI
from fastapi.openapi.docs import get_swagger_ui_html
from starlette.responses import HTMLResponse

PATH = "/docs"

_SOURCE = "https://cdn.jsdelivr.net"
_INLINE = re.compile(r"<script>(.*?)</script>", re.DOTALL)


def add_docs_page(app: FastAPI) -> None:
    """Adds the page."""
    page = bytes(get_swagger_ui_html(openapi_url="openapi.json", title=app.title).body)
    headers = {"Content-Security-Policy": _policy(page.decode())}

    async def get_docs() -> HTMLResponse:
        return HTMLResponse(page, headers=headers)

    app.add_api_route(PATH, get_docs, include_in_schema=False, response_class=HTMLResponse)


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
