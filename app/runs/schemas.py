"""The shapes of the answers about runs, for the OpenAPI document."""

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from app.runs.tables import RunStatus


class Answer(BaseModel):
    """Base of what is answered."""

    model_config = ConfigDict(use_attribute_docstrings=True)


class Progress(Answer):
    """How far a run is."""

    epoch: int
    """The last epoch whose history is stored; 0 before the first."""
    epochs: int
    """As many epochs as the document asks for."""


class RunFailure(Answer):
    """Why a run failed."""

    code: str
    """Stable word: `diverged`, `loss_not_differentiable`, `model_rejected`, `worker_lost`, …"""
    message: str
    """The reason in words."""
    pointer: str | None
    """JSON Pointer into the run document, where one field is to blame."""


class Scoring(Answer):
    """What scores with the model of a run."""

    by: Literal["onnxruntime", "worker"]
    """ONNX Runtime within the API; or, slower, a worker with Keras."""
    reason: str | None
    """Why it isn't ONNX Runtime."""


class Run(Answer):
    """A run."""

    id: str
    """Identifier; those made later sort later."""
    name: str | None
    """From the document."""
    tags: dict[str, str]
    """From the document."""
    status: RunStatus
    """`queued` and `running` change by themselves, the others never again."""
    created_at: datetime
    """When it was accepted."""
    started_at: datetime | None
    """When a worker first began to train it."""
    finished_at: datetime | None
    """When it ended."""
    progress: Progress
    """How far it is."""
    spec: dict[str, Any]
    """The run document with every default filled in. In lists each array of `dataset.inline` is replaced by
    `{"shape": [samples, …], "dtype": "float64"}`."""
    verdicts: list[dict[str, Any]]
    """One a constraint: whether the served weights hold it."""
    scoring: Scoring | None
    """What scores with its model; null until it has succeeded."""
    error: RunFailure | None
    """Why it failed, if it did."""


class RunList(Answer):
    """A page of runs, newest first."""

    items: list[Run]
    """The runs."""
    next: str | None
    """What to give as `after` for the next page; null on the last."""


class ValidRun(Answer):
    """What is known of a run before it is trained."""

    parameter_count: int
    """Trainable and other weights of the model."""
    inputs: dict[str, list[int | None]]
    """Shape of a sample of each input."""
    outputs: dict[str, list[int | None]]
    """Shape of a sample's prediction of each output."""
    terms: list[str]
    """Names of the parts of the total that is minimised."""
    layers: list[dict[str, Any]]
    """The layers with their names, output shapes and numbers of parameters."""


class Metrics(Answer):
    """The history of a run."""

    run_id: str
    """The run."""
    epochs: list[int]
    """Numbers of the epochs given, from 1, rising."""
    series: dict[str, list[float | None]]
    """A value for each of `epochs`: `loss`, its terms, metrics; `val_` for validation. Null: not finite."""


class Statistics(Answer):
    """The final statistics of the served weights."""

    run_id: str
    """The run."""
    epoch: int
    """The epoch whose weights are served."""
    splits: dict[str, dict[str, Any]]
    """For `train`, `validation`, `test`: `elements_above`, `activation_sparsity`, `classification` or
    `regression`, `constraints`."""
    weight_sparsity: dict[str, Any]
    """Zeros and norms of each layer's weights."""


class Artifact(Answer):
    """A file of a finished run."""

    name: str
    """File name."""
    bytes: int
    """Size."""
    sha256: str
    """SHA-256 of its content, in hexadecimal; in quotes it's the `ETag`."""
    media_type: str
    """What it is answered as."""
    href: str
    """Where it is."""


class ArtifactList(Answer):
    """The files of a finished run."""

    items: list[Artifact]
    """The files."""


class RunComparison(Answer):
    """Runs side by side."""

    runs: list[dict[str, Any]]
    """`id`, `name` and `status` of each, in the order asked for; all lists below are in this order."""
    same_data: bool
    """Whether all name the same dataset, or have the same samples inside."""
    differences: dict[str, list[Any]]
    """By JSON Pointer into the documents, the values that aren't the same in all; names and tags left out.
    `{"absent": true}` where a document hasn't the field."""
    metrics: dict[str, list[float | None]]
    """The columns of the history at the served epoch, and the statistics' numbers by their paths."""
