"""The shapes of the answers about named models, for the OpenAPI document."""

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict


class _Answer(BaseModel):
    model_config = ConfigDict(use_attribute_docstrings=True)


class ModelVersion(_Answer):
    """A version of a model. It never changes."""

    version: int
    """Its number, from 1."""
    run_ids: list[str]
    """The run, or the runs of an ensemble."""
    combine: Literal["mean", "vote"] | None
    """How the predictions of an ensemble become one; null for a single run."""
    created_at: datetime
    """When it was made."""


class ModelSummary(_Answer):
    """A model, and its current version."""

    name: str
    """Its name."""
    version: int
    """The current version."""
    run_ids: list[str]
    """Of the current version."""
    combine: Literal["mean", "vote"] | None
    """Of the current version."""
    created_at: datetime
    """When its first version was made."""
    updated_at: datetime
    """When another version became current."""


class Model(ModelSummary):
    """A model and its history."""

    versions: list[ModelVersion]
    """All versions, the newest first."""


class ModelList(_Answer):
    """A page of models, by name."""

    items: list[ModelSummary]
    """The models."""
    next: str | None
    """What to give as `after` for the next page; null on the last."""
