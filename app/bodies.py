"""Bodies: strict JSON in and out, and how both are described in the OpenAPI document.

Requests are read as bytes and parsed by `app.spec.parsing`, whose messages point into the client's
document; so FastAPI doesn't see a body parameter, and what it would have described is told it here.
"""

from asyncio import Future, ensure_future
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import aclosing
from io import BytesIO
from typing import Any

import orjson
from fastapi import Request
from pydantic import BaseModel
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect
from starlette.responses import Response

from app.compression import decompress
from app.direct_body import EXTENSION, DirectBody, Take
from app.errors import InvalidDocument, TooLarge, UnsupportedMediaType
from app.headers import headers_of
from app.problems import Problem
from app.spec.strict_json import depth_of

DOCUMENTS: dict[str, type[BaseModel]] = {}
"""The classes of request bodies by name; `app.openapi` describes them."""

_LOOP_BYTES = 64 * 1024
"""Longest body that the event loop's thread decompresses itself."""

_THREAD_BYTES = 1024 * 1024
"""As much of a body is gathered for a thread."""

_READABLE = ("application/json", "application/x-www-form-urlencoded")


async def read_json_body(request: Request, most_bytes: int, others: Sequence[str] = ()) -> bytes:
    """The body of a request that carries JSON.

    `application/x-www-form-urlencoded` is read as JSON too, as it's what `curl -d` says of any body, and
    so is a body without a `Content-Type`.

    Args:
        request: whose body.
        most_bytes: longest body.
        others: media types that the route reads besides, for the message.

    Raises:
        UnsupportedMediaType: the body says that it's something else, or compressed.
        TooLarge: it's larger.
    """
    headers = headers_of(request.scope)
    declared = headers.get(b"content-type", b"application/json")
    if declared != b"application/json":
        _check_media_type(declared.decode("latin-1"), others)
    _check_head(headers, most_bytes, compressed=False)
    return await _read_rest(request, most_bytes)


async def read_document_body(request: Request) -> bytes:
    """The body of a request that carries a document in JSON.

    Raises:
        UnsupportedMediaType, TooLarge: as `read_json_body` does, by the settings.
        InvalidDocument: it's nested more deeply than the settings allow.
    """
    settings = request.app.state.kerb.settings
    body = await read_json_body(request, settings.max_body_bytes)
    most = settings.max_json_depth
    depth = depth_of(body) if len(body) <= _LOOP_BYTES else await run_in_threadpool(depth_of, body)
    if depth > most:
        message = f"Expected lists and objects at most {most} deep; received them {depth} deep."
        raise InvalidDocument.at("", message)
    return body


async def read_encoded_body(request: Request, most_bytes: int) -> bytes:
    """The body of a request of any `Content-Type`, decompressed if it says that it's compressed.

    Args:
        request: whose body.
        most_bytes: longest body, before and after it's decompressed.

    Raises:
        UnsupportedMediaType: it's compressed by something else than gzip or deflate.
        InvalidDocument: it isn't what its `Content-Encoding` says.
        TooLarge: it's larger.
    """
    headers = headers_of(request.scope)
    _check_head(headers, most_bytes, compressed=True)
    body = await _read_rest(request, most_bytes)
    if b"content-encoding" not in headers:
        return body
    encoding = headers[b"content-encoding"].decode("latin-1")
    if len(body) <= _LOOP_BYTES:
        return decompress(body, encoding, most_bytes)
    return await run_in_threadpool(decompress, body, encoding, most_bytes)


async def _read_rest(request: Request, most_bytes: int) -> bytes:
    """A body whose head has been looked at."""
    body, more = await _next_chunk(request)
    if not more and len(body) <= most_bytes:  # as of most requests
        return body
    whole = BytesIO()  # grows where it is; parts that are joined at last would need memory twice
    received = whole.write(body)
    while more and received <= most_bytes:
        body, more = await _next_chunk(request)
        received += whole.write(body)
    if received > most_bytes:
        raise _too_large(most_bytes)
    return whole.getvalue()


async def body_chunks(request: Request, most_bytes: int) -> AsyncGenerator[bytes]:
    """The parts of a body, as they come.

    Args:
        request: whose body.
        most_bytes: as many may come in all.

    Raises:
        UnsupportedMediaType: the body says that it's compressed.
        TooLarge: it's larger.
    """
    _check_head(headers_of(request.scope), most_bytes, compressed=False)
    received, more = 0, True
    while more:
        chunk, more = await _next_chunk(request)
        received += len(chunk)
        if received > most_bytes:
            raise _too_large(most_bytes)
        yield chunk


async def receive_body(request: Request, most_bytes: int, take: Take) -> None:
    """Hands the parts of a body to a function, in threads, as it may wait for a disk.

    Args:
        request: whose body.
        most_bytes: as many may come in all.
        take: gets one part after another.

    Raises:
        UnsupportedMediaType, TooLarge: as `body_chunks` does.
        ClientDisconnect: the client has gone.
    """
    async with aclosing(body_chunks(request, most_bytes)) as chunks:
        first = await anext(chunks)
        rest = _direct_body(request)
        if rest is None:
            await _take_chunks(first, chunks, take)
            return
    try:
        await rest.receive(first, take)
    except ConnectionError as error:
        raise ClientDisconnect from error


async def _take_chunks(first: bytes, others: AsyncIterator[bytes], take: Take) -> None:
    """Hands over many at a time, while the next come: to begin something in a thread takes time, too."""

    def take_all(chunks: list[bytes]) -> None:
        for chunk in chunks:
            take(chunk)

    taking: Future[None] | None = None
    waiting, size = [first], len(first)
    try:
        async for chunk in others:
            waiting.append(chunk)
            size += len(chunk)
            if size >= _THREAD_BYTES:
                if taking is not None:
                    await taking
                taking = ensure_future(run_in_threadpool(take_all, waiting))
                waiting, size = [], 0
    finally:
        if taking is not None:
            await taking  # also where the client has gone: nothing is taken after this
    await run_in_threadpool(take_all, waiting)


def _direct_body(request: Request) -> DirectBody | None:
    """What is still to come of a body, if the server gives it away."""
    extension = request.scope.get("extensions", {}).get(EXTENSION)
    return extension["begin"]() if extension else None


def _check_head(headers: dict[bytes, bytes], most_bytes: int, compressed: bool) -> None:
    if not compressed and b"content-encoding" in headers:
        encoding = headers[b"content-encoding"].decode("latin-1")
        if encoding.lower() != "identity":
            raise UnsupportedMediaType(f"Expected a body without Content-Encoding; received {encoding!r}.")
    if int(headers.get(b"content-length", b"0")) > most_bytes:
        raise _too_large(most_bytes)


async def _next_chunk(request: Request) -> tuple[bytes, bool]:
    """Some more of a body, and whether that isn't all."""
    message = await request.receive()
    if message["type"] == "http.disconnect":
        raise ClientDisconnect
    return message.get("body", b""), message.get("more_body", False)


def _check_media_type(declared: str, others: Sequence[str]) -> None:
    media_type = declared.partition(";")[0].strip().lower()
    if media_type not in _READABLE and not media_type.endswith("+json"):
        known = " or ".join(filter(None, [", ".join(["application/json", *others[:-1]]), *others[-1:]]))
        raise UnsupportedMediaType(f"Expected a body of Content-Type {known}; received {declared!r}.")


def _too_large(most_bytes: int) -> TooLarge:
    return TooLarge(f"Expected a body of at most {most_bytes} bytes; received a larger one.")


class Answer(Response):
    """A whole answer of status 200, its headers in bytes, so that making and sending it takes few steps.

    Args:
        body: the answer's.
        media_type: of the body.
        headers: others, names in lower case.
    """

    def __init__(self, body: bytes, media_type: bytes, *headers: tuple[bytes, bytes]) -> None:
        self.status_code = 200
        self.body = body
        self.background = None
        self.raw_headers = [
            (b"content-length", b"%d" % len(body)),
            (b"content-type", media_type),
            *headers,
        ]


def json_answer(content: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """An answer in strict JSON; a number that isn't finite is null."""
    body = orjson.dumps(content, option=orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_UTC_Z)
    return Response(body, status, dict(headers or {}), "application/json")


def json_body(document: type[BaseModel]) -> dict[str, Any]:
    """The `openapi_extra` of a route that reads `document` from its body."""
    DOCUMENTS[document.__name__] = document
    schema = {"$ref": f"#/components/schemas/{document.__name__}"}
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The `responses` of a route that may answer with these errors, or with 503, as any may."""
    return {status: {"model": Problem} for status in sorted({*statuses, 503})}
