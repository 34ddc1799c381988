"""The body of `POST /runs/{run_id}/evaluate`."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from app.spec.base import SpecModel
from app.spec.dataset import Dataset
from app.spec.mistakes import mistake

Threshold = Annotated[float, Field(allow_inf_nan=False)]


class Evaluation(SpecModel):
    """On which data a run's model is evaluated: a part of its own, or other data."""

    split: Literal["train", "validation", "test"] | None = None
    """A part of the run's own data."""

    dataset: Dataset | None = None
    """Other data, as in a run document."""

    thresholds: (
        Annotated[tuple[Threshold, ...], Field(strict=False, min_length=1, max_length=1000)] | None
    ) = None
    """Above which elements are counted; by default those of the run's document."""

    @model_validator(mode="after")
    def _one_of_both(self) -> "Evaluation":
        if (self.split is None) == (self.dataset is None):
            found = "neither" if self.split is None else "both"
            raise mistake(f"Expected split or dataset; received {found}.")
        return self
