"""The forms of a plot, and which of them a request asks for."""

from typing import Literal

from app.accept import rating
from app.errors import InvalidDocument
from app.spec.parsing import expected_one_of

Form = Literal["json", "png", "svg", "html"]

MEDIA_TYPES: dict[Form, str] = {
    "json": "application/json",
    "png": "image/png",
    "svg": "image/svg+xml",
    "html": "text/html",
}
"""What each form is answered as."""


def form_of(suffix: str, asked: str | None, accept: str) -> Form:
    """The form that a request asks for: by the suffix of the name, by `format`, or else by `Accept`.

    Args:
        suffix: what follows the dot of the plot's name; empty without one.
        asked: the parameter `format`.
        accept: the header; of forms that it rates the same, JSON comes first, then PNG, SVG and HTML.

    Raises:
        InvalidDocument: there is no such form.
    """
    for text in (suffix, asked):
        if text:
            if text not in MEDIA_TYPES:
                raise InvalidDocument.at("", f"format: {expected_one_of('forms', list(MEDIA_TYPES), text)}")
            return text
    return max(MEDIA_TYPES, key=lambda form: rating(accept, [MEDIA_TYPES[form]]))
