"""The forms in which instances come and predictions go, by their media types."""

from functools import lru_cache
from typing import Literal

Form = Literal["json", "ndjson", "csv", "parquet", "arrow", "npy"]

MEDIA_TYPES: dict[Form, str] = {
    "json": "application/json",
    "ndjson": "application/x-ndjson",
    "csv": "text/csv",
    "parquet": "application/vnd.apache.parquet",
    "arrow": "application/vnd.apache.arrow.stream",
    "npy": "application/x-npy",
}
"""What each form is answered as."""

TABLES: dict[str, Form] = {
    "application/x-ndjson": "ndjson",
    "application/ndjson": "ndjson",
    "application/jsonl": "ndjson",
    "text/csv": "csv",
    "application/vnd.apache.parquet": "parquet",
    "application/x-parquet": "parquet",
    "application/vnd.apache.arrow.stream": "arrow",
    "application/vnd.apache.arrow.file": "arrow",
    "application/x-npy": "npy",
    "application/npy": "npy",
}
"""The media types of the forms that hold instances alone; whose they are is said in the query."""


def table_form(content_type: str) -> Form | None:
    """The form of a body; None for JSON, and for what isn't read at all."""
    return TABLES.get(content_type.partition(";")[0].strip().lower())


@lru_cache(256)
def answer_form(accept: str) -> Form:
    """The form that an `Accept` header rates highest, JSON among equals; JSON if it names none."""
    ratings = dict.fromkeys(MEDIA_TYPES, 0.0)
    for part in accept.lower().split(","):
        media_range, *parameters = (piece.strip() for piece in part.split(";"))
        quality = next((_quality(text) for text in parameters if text.startswith("q=")), 1.0)
        for form, media_type in MEDIA_TYPES.items():
            if TABLES.get(media_range) == form or _includes(media_range, media_type):
                ratings[form] = max(ratings[form], quality)
    return max(ratings, key=lambda form: ratings[form])  # the first of equals


def _includes(media_range: str, media_type: str) -> bool:
    return media_range in (media_type, media_type.partition("/")[0] + "/*", "*/*")


def _quality(text: str) -> float:
    try:
        return float(text.removeprefix("q="))
    except ValueError:
        return 0.0
