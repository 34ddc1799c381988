"""Compressed bodies: gzip and deflate, in bounded memory."""

import zlib

from app.errors import InvalidDocument, TooLarge, UnsupportedMediaType

_WINDOW_BITS = {"gzip": 16 + zlib.MAX_WBITS, "deflate": zlib.MAX_WBITS}
"""Of zlib's decompressor, by `Content-Encoding`; `deflate` is zlib's own form (RFC 9110)."""

LEAST_COMPRESSED_BYTES = 1024
"""Shortest answer for which compressing is worth it."""

FAST = 1
"""zlib's level: numbers hardly get smaller at a higher one."""


def decompress(body: bytes, encoding: str, most_bytes: int) -> bytes:
    """A body as it was before it was compressed.

    Args:
        body: as it was received.
        encoding: its `Content-Encoding`; `identity` or `""` for none.
        most_bytes: longest result; no more is ever decompressed.

    Raises:
        UnsupportedMediaType: another encoding than gzip or deflate.
        InvalidDocument: the body isn't what the encoding says, or ends too early.
        TooLarge: the result would be longer.
    """
    encoding = encoding.strip().lower()
    if encoding in ("", "identity"):
        return body
    if encoding not in _WINDOW_BITS:
        raise UnsupportedMediaType(f"Expected Content-Encoding gzip or deflate; received {encoding!r}.")
    reader = zlib.decompressobj(_WINDOW_BITS[encoding])
    try:
        content = reader.decompress(body, most_bytes + 1)
    except zlib.error as error:
        raise InvalidDocument.at(
            "", f"Expected a body compressed by {encoding}; received another."
        ) from error
    if len(content) > most_bytes:
        raise TooLarge(f"Expected at most {most_bytes} bytes when decompressed; received more.")
    if not reader.eof or reader.unused_data:
        raise InvalidDocument.at("", f"Expected one whole {encoding} stream; received part of one, or more.")
    return content


def compress(body: bytes, accepted: str) -> tuple[bytes, str | None]:
    """An answer as the client would have it, and its `Content-Encoding`; None for as it is.

    Args:
        body: the answer.
        accepted: the request's `Accept-Encoding`.
    """
    encoding = _preferred(accepted) if accepted and len(body) >= LEAST_COMPRESSED_BYTES else None
    if encoding is None:
        return body, None
    writer = zlib.compressobj(FAST, wbits=_WINDOW_BITS[encoding])
    return writer.compress(body) + writer.flush(), encoding


def _preferred(accepted: str) -> str | None:
    """The first encoding of a list that is known here and not refused by `q=0`."""
    for part in accepted.lower().split(","):
        name, *parameters = (piece.strip() for piece in part.split(";"))
        if name in _WINDOW_BITS and not any(text in ("q=0", "q=0.0") for text in parameters):
            return name
    return None
