"""Thresholds: what a penalty or a constraint compares each element with.

A number; a list with one number for each element of a sample (row-major); a column of the dataset; or
one that changes with each prediction, taken from the sample's own elements. Gradients don't flow
through a threshold: the elements move, the threshold is read off them anew at each step.
"""

from typing import Annotated, Any

from pydantic import Discriminator, Field, Tag

from app.spec.base import SpecModel

Numbers = Annotated[list[float], Field(min_length=1)]
"""A JSON list of numbers, with at least one."""


class ColumnThreshold(SpecModel):
    """A threshold for each sample, or for each element of each sample, read from the dataset."""

    column: Annotated[str, Field(min_length=1)]
    """Name of the column; one number a sample, or one for each of its elements."""


class QuantileThreshold(SpecModel):
    """A quantile of the sample's own elements, interpolated linearly as `numpy.quantile` does."""

    quantile: Annotated[float, Field(ge=0, le=1)]
    """Which quantile, from 0 (least element) to 1 (largest)."""


class MeanPlusStdThreshold(SpecModel):
    """Mean plus a number of standard deviations (÷ n) of the sample's own elements."""

    mean_plus_std: float
    """How many standard deviations above the mean; may be negative."""


def _kind(value: Any) -> str | None:
    """Tag of the form in which a threshold is written, None if it is none of them."""
    if isinstance(value, (int, float)):
        return "<number>"
    if isinstance(value, list):
        return "<list>"
    for name in ("column", "quantile", "mean_plus_std"):
        if name in value if isinstance(value, dict) else hasattr(value, name):
            return f"<{name}>"
    return None


Threshold = Annotated[
    Annotated[float, Tag("<number>")]
    | Annotated[Numbers, Tag("<list>")]
    | Annotated[ColumnThreshold, Tag("<column>")]
    | Annotated[QuantileThreshold, Tag("<quantile>")]
    | Annotated[MeanPlusStdThreshold, Tag("<mean_plus_std>")],
    Discriminator(
        _kind,
        custom_error_type="threshold_form",
        custom_error_message='a number, a list of numbers, {"column": name}, {"quantile": q} or '
        '{"mean_plus_std": k}',
    ),
]
