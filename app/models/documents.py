"""The bodies of the routes of named models."""

from typing import Literal

from pydantic import Field, model_validator

from app.spec.base import SpecModel
from app.spec.mistakes import mistake

MOST_MEMBERS = 100

RunIds = list[str]


class ModelDocument(SpecModel):
    """What a version of a model is made of: one run, or several that predict together."""

    run_id: str | None = None
    """The run; it must have succeeded."""
    run_ids: RunIds | None = Field(default=None, min_length=1, max_length=MOST_MEMBERS)
    """The runs of an ensemble, all of the same inputs and outputs."""
    combine: Literal["mean", "vote"] | None = None
    """How the predictions of an ensemble become one: their mean (the default), or the share of votes for each
    class."""

    @model_validator(mode="after")
    def _check_one(self) -> "ModelDocument":
        if (self.run_id is None) == (self.run_ids is None):
            given = "neither" if self.run_id is None else "both"
            raise mistake(f'Expected "run_id" or "run_ids"; received {given}.')
        if self.run_id is not None and self.combine is not None:
            raise mistake('Expected "combine" with "run_ids" only; received it with "run_id".', "combine")
        return self


class RollbackDocument(SpecModel):
    """Which version is to be current."""

    version: int = Field(ge=1, lt=2**31)
    """One that the model has."""
