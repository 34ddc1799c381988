"""The shapes of the answers about datasets, for the OpenAPI document."""

from datetime import datetime
from typing import Any

from app.runs.schemas import Answer


class Column(Answer):
    """One column of a dataset, or one array of an NPZ file."""

    name: str
    """As in the file."""
    type: str
    """Type of its elements: `int64`, `double`, `string`, `uint8`, …"""
    shape: list[int]
    """Shape of one row's value; empty for a single value."""
    missing: int
    """Rows without a value; of floats, those that are NaN too."""
    first_missing: int | None
    """The first of them, counted from 0."""
    min: float | int | None
    """Least value; null where there is none or it's no number."""
    max: float | int | None
    """Largest value."""
    categories: list[str | bool | int] | None
    """The different values in ascending order, of texts, truth values and integers with at most 1,000."""


class DatasetSummary(Answer):
    """A dataset in a list."""

    id: str
    """Identifier; those made later sort later."""
    name: str | None
    """From the request that uploaded it first."""
    form: str
    """What was uploaded: `csv`, `parquet`, `arrow`, `npz` or `json`."""
    digest: str
    """Of the uploaded bytes: `blake3:`, and BLAKE3 in hexadecimal, as `b3sum` has it."""
    bytes: int
    """Length of what was uploaded."""
    created_at: datetime
    """When it was uploaded."""
    rows: int
    """How many samples."""
    columns: list[Column]
    """In the file's order."""


class Dataset(DatasetSummary):
    """A dataset."""

    preview: list[dict[str, Any]]
    """The first five rows, by column name; values of more than 100 elements are left out."""


class DatasetList(Answer):
    """Datasets, the newest first."""

    items: list[DatasetSummary]
    """The page."""
    next: str | None
    """What to ask for as `after`; null at the end."""
