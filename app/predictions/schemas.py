"""What `POST /predict` takes and answers, for the OpenAPI document; the route itself reads bytes."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field


class PredictDocument(BaseModel):
    """Instances to be scored by a run's model."""

    model_config = ConfigDict(
        extra="forbid",
        use_attribute_docstrings=True,
        json_schema_extra={"example": {"run_id": "run_…", "instances": [[0.1, -0.4]], "threshold": 0.5}},
    )

    run_id: str
    """The run whose model is to predict; it must have succeeded."""
    instances: list[Any] | dict[str, list[Any]]
    """Rows, `[[…], […]]`; or, as a model of several inputs needs it, an object of rows by input name, or a
    list of objects with one sample's values by input name. Finite numbers of the shape that the model takes;
    at least one row."""
    threshold: float | None = None
    """Above which elements are counted, instead of the thresholds of the run's document."""
    thresholds: list[float] | None = Field(default=None, min_length=1, max_length=1000)
    """Several of them."""


class PerSample(BaseModel):
    """Figures of the counts of all samples."""

    mean: float
    std: float
    min: int
    median: float
    p95: float
    max: int


class ElementsAbove(BaseModel):
    """How many elements of the predictions lie above a threshold."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    output: str | None = None
    """Which output was counted; only where the model has several."""
    threshold: float
    """Elements strictly greater count."""
    total: int
    """Elements above, in all."""
    fraction: float
    """Their share of all elements."""
    per_sample: PerSample
    """Figures of the counts of each sample."""
    histogram: dict[str, int]
    """How many samples have a count, by the count."""


class BatchStatistics(BaseModel):
    """Statistics of this very batch."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    elements_above: list[ElementsAbove]
    """One for each threshold, and, of a model of several outputs, for each output."""


class PredictAnswer(BaseModel):
    """Predictions and their statistics."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    run_id: str
    """The run whose model predicted."""
    predictions: list[Any] | dict[str, list[Any]]
    """One for each instance, in their order; by output name if the model has several. A number that isn't
    finite is null."""
    statistics: BatchStatistics
    guarantees: list[dict[str, Any]] | None = None
    """The limits that every prediction holds, as the model projects it onto them: the `quantity` and one of
    `at_most`, `at_least` and `equals`. Only where the run's document asks for a guarantee."""
