"""Which of several media types an `Accept` header asks for (RFC 9110, section 12.5.1)."""

from collections.abc import Collection


def rating(accept: str, media_types: Collection[str]) -> float:
    """How much the header asks for one of these media types, names of one and the same form: 0 to 1."""
    highest = 0.0
    for part in accept.lower().split(","):
        media_range, *parameters = (piece.strip() for piece in part.split(";"))
        if any(_includes(media_range, media_type) for media_type in media_types):
            quality = next((_quality(text) for text in parameters if text.startswith("q=")), 1.0)
            highest = max(highest, quality)
    return highest


def _includes(media_range: str, media_type: str) -> bool:
    return media_range in (media_type, media_type.partition("/")[0] + "/*", "*/*")


def _quality(text: str) -> float:
    try:
        return float(text.removeprefix("q="))
    except ValueError:
        return 0.0
