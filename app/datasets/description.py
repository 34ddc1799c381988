"""What is told of a dataset, whatever form it came in."""

import math
from typing import Any

TABLE_FILE = "data.arrow"
"""What a table becomes; arrays become `0.npy`, `1.npy`, …."""

PARQUET_FILE = "data.parquet"
"""A table that no run has needed yet."""

PREVIEW_ROWS = 5
MOST_PREVIEW_ELEMENTS = 100
MOST_CATEGORIES = 1000
"""Different values of a column up to which they're told."""

MOST_CATEGORY_CHARACTERS = 100_000
"""Characters of all of them together."""


def described(
    name: str,
    kind: str,
    shape: list[int],
    *,
    missing: int,
    first_missing: int | None,
    low: float | int | None,
    high: float | int | None,
    categories: list[Any] | None,
) -> dict[str, Any]:
    """A column as it's stored and answered; fields as in `app.datasets.schemas.Column`."""
    return {
        "name": name,
        "type": kind,
        "shape": shape,
        "missing": missing,
        "first_missing": first_missing,
        "min": low,
        "max": high,
        "categories": categories,
    }


def preview_value(value: Any) -> Any:
    """A value of the preview, as JSON has it; None in place of a large one, and of what isn't finite."""
    if isinstance(value, list):
        return [preview_value(item) for item in value] if _elements(value) <= MOST_PREVIEW_ELEMENTS else None
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if value is None or isinstance(value, bool | int) else str(value)[:MOST_PREVIEW_ELEMENTS]


def _elements(value: Any) -> int:
    return sum(_elements(item) for item in value) if isinstance(value, list) else 1
