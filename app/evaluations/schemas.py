"""What the routes answer."""

from typing import Any

from pydantic import BaseModel, ConfigDict


class Evaluated(BaseModel):
    """Figures of a run's model on some data."""

    model_config = ConfigDict(use_attribute_docstrings=True, extra="allow")

    run_id: str
    """The run."""
    samples: int
    """How many samples were scored."""
    elements_above: list[dict[str, Any]]
    """For each threshold, as in the run's statistics."""
    activation_sparsity: dict[str, dict[str, float | None]] | None = None
    """By layer, as in the run's statistics; not of a run whose layers' activations couldn't be exported."""
    constraints: list[dict[str, Any]] | None = None
    """Where the run's limits stand on these data; only with limits."""


class Curve(BaseModel):
    """How many elements lie above a threshold, for a whole range of thresholds."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    run_id: str
    """The run."""
    outputs: dict[str, dict[str, Any]]
    """By output: `thresholds`, from the least prediction to the largest, and `splits`: for each part of
    the data the `fraction` of elements above each of them and the mean count `per_sample`."""
