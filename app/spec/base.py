"""What all parts of the run document share: strictness, and names that are nearly right.

A document's numbers must be JSON numbers (no text, no booleans) and finite; a field that isn't known
is an error which names the nearest known one.
"""

from typing import Any

from pydantic import BaseModel, ConfigDict


class SpecModel(BaseModel):
    """Base of every class of the run document."""

    model_config = ConfigDict(
        extra="forbid",
        strict=True,
        frozen=True,
        # A class's validator is built when it's first needed: building all of them took a quarter of the
        # time that the API needs to start, and most are only ever used as parts of others.
        defer_build=True,
        allow_inf_nan=False,
        use_attribute_docstrings=True,
        ser_json_inf_nan="null",
    )

    def document(self) -> dict[str, Any]:
        """The JSON form, with every default filled in."""
        return self.model_dump(mode="json", by_alias=True)
