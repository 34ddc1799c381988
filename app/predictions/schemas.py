"""What `POST /predict` takes and answers, for the OpenAPI document; the route itself reads bytes."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from app.models.documents import MOST_MEMBERS


class WantedStatistics(BaseModel):
    """Statistics that are told only when asked for."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)

    counts: bool = False
    """Whether each count of elements above a threshold comes with the count of every sample."""
    activation_sparsity: list[str] = []
    """Layers whose activation sparsity on this batch is told; of a run, or of a model of one run."""


class PredictDocument(BaseModel):
    """Instances to be scored by a run's model."""

    model_config = ConfigDict(
        extra="forbid",
        use_attribute_docstrings=True,
        json_schema_extra={"example": {"run_id": "run_…", "instances": [[0.1, -0.4]], "threshold": 0.5}},
    )

    run_id: str | None = None
    """The run whose model is to predict; it must have succeeded. One of `run_id`, `model` and `run_ids` is
    needed."""
    model: str | None = None
    """The named model that is to predict."""
    version: int | None = Field(default=None, ge=1)
    """Which version of the model; by default the current one."""
    run_ids: list[str] | None = Field(default=None, min_length=1, max_length=MOST_MEMBERS)
    """Runs of the same inputs and outputs that are to predict together."""
    combine: Literal["mean", "vote"] | None = None
    """How their predictions become one: `mean` (the default), or `vote`, the share of runs for each class."""
    instances: list[Any] | dict[str, list[Any]] | None = None
    """Rows, `[[…], […]]`; or, as a model of several inputs needs it, an object of rows by input name, or a
    list of objects with one sample's values by input name. Finite numbers of the shape that the model takes;
    at least one row. One of `instances`, `inputs` and `columns` is needed."""
    inputs: list[Any] | dict[str, list[Any]] | None = None
    """The same under the name that TensorFlow Serving has for arrays by input name."""
    columns: dict[str, list[Any]] | None = None
    """Columns by name, a value for each sample, as of a data frame: `x` for an input whose samples have one
    element, `x_0`, `x_1`, … for one with several, row by row. To a model of one input columns of any other
    names may come, one for each element, in the order of the elements."""
    threshold: float | None = None
    """Above which elements are counted, instead of the thresholds of the run's document."""
    thresholds: list[float] | None = Field(default=None, min_length=1, max_length=1000)
    """Several of them."""
    statistics: WantedStatistics | None = None
    """Which further statistics are wanted."""
    returned: Literal["probabilities", "classes"] | None = Field(default=None, alias="return")
    """The predictions as they are (`probabilities`, the default), or the `classes` they say: the place of
    the largest along the last axis; or 1 for yes and 0 for no, for each element of an output that was trained
    with a binary loss, or that has one element a sample."""


class PerSample(BaseModel):
    """Figures of the counts of all samples."""

    mean: float
    std: float
    min: int
    median: float
    p95: float
    max: int


class Sparsity(BaseModel):
    """How sparse the activations of a layer are."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    zero_fraction: float | None
    """Share of elements that are 0 exactly."""
    near_zero_fraction: float | None
    """Share of elements whose absolute value is at most the document's `near_zero`."""
    mean_activation: float | None
    mean_absolute_activation: float | None
    dead_units: int | None
    """Elements of a sample that are 0 in every sample of the batch."""
    hoyer: float | None
    """Hoyer's measure, the mean over samples: 0 where all elements are equally large, 1 where one alone isn't
    zero."""


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
    counts: list[int] | None = None
    """The count of every sample, in their order; where it was asked for."""


class LimitHeld(BaseModel):
    """Where a declared limit stands on a batch."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    name: str
    """As in the verdicts of the run."""
    quantity: str
    """What is limited."""
    value: float | None = None
    """Its value over this batch."""
    limit: float | None = None
    """The number that the document gives."""
    satisfied: bool | None
    """Whether the value holds the limit; null where the predictions alone don't tell."""
    slack: float | None = None
    """How far inside the limit the value is; negative is the violation."""
    share_of_samples_satisfied: float | None = None
    """Share of the samples that hold the limit by themselves."""


class BatchStatistics(BaseModel):
    """Statistics of this very batch."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    elements_above: list[ElementsAbove]
    """One for each threshold, and, of a model of several outputs, for each output."""
    activation_sparsity: dict[str, Sparsity] | None = None
    """By layer, for those that were asked for."""
    constraints: list[LimitHeld] | None = None
    """The limits that the run's document declares, counted on this batch."""


class PredictAnswer(BaseModel):
    """Predictions and their statistics."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    run_id: str | None = None
    """The run whose model predicted, if a run was asked for."""
    model: str | None = None
    """The named model that predicted, if one was asked for."""
    version: int | None = None
    """Its version."""
    run_ids: list[str] | None = None
    """The runs that predicted together, if an ensemble was asked for."""
    combine: Literal["mean", "vote"] | None = None
    """How their predictions became one."""
    predictions: list[Any] | dict[str, list[Any]]
    """One for each instance, in their order; by output name if the model has several. A number that isn't
    finite is null."""
    statistics: BatchStatistics
    guarantees: list[dict[str, Any]] | None = None
    """The limits that every prediction holds, as the model projects it onto them: the `quantity` and one of
    `at_most`, `at_least` and `equals`. Only where the run's document asks for a guarantee."""
