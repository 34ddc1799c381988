"""The forms in which instances come and predictions go, by their media types."""

from functools import lru_cache
from typing import Literal

from app.accept import rating

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


_NAMES: dict[Form, list[str]] = {
    form: [media_type, *(name for name, known in TABLES.items() if known == form and name != media_type)]
    for form, media_type in MEDIA_TYPES.items()
}


def table_form(content_type: str) -> Form | None:
    """The form of a body; None for JSON, and for what isn't read at all."""
    return TABLES.get(content_type.partition(";")[0].strip().lower())


@lru_cache(256)
def answer_form(accept: str) -> Form:
    """The form that an `Accept` header rates highest, JSON among equals; JSON if it names none."""
    return max(MEDIA_TYPES, key=lambda form: rating(accept, _NAMES[form]))  # the first of equals
