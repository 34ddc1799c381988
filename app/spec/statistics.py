"""Which statistics a run reports of the served model."""

from typing import Annotated

from pydantic import Field

from app.spec.base import SpecModel


class Statistics(SpecModel):
    """What is counted on each part of the data."""

    thresholds: Annotated[tuple[float, ...], Field(strict=False, max_length=100)] = (0.5,)
    """Elements of the output above each of these are counted; above means strictly greater."""

    near_zero: Annotated[float, Field(ge=0)] = 0.001
    """Largest absolute value that counts as near zero."""
