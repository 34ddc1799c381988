"""The run document: one JSON object that says what is trained, on what, and how."""

from typing import Annotated

from pydantic import Field

from app.spec.augmentation import AnyAugmentation
from app.spec.base import SpecModel
from app.spec.constraints import Constraint
from app.spec.dataset import AnyDataset
from app.spec.fit import Fit
from app.spec.losses import LossSpec
from app.spec.metrics import MetricsSpec
from app.spec.model import ModelSpec
from app.spec.optimizers import Adam, Optimizer
from app.spec.penalties import Penalty
from app.spec.split import Split
from app.spec.statistics import Statistics

Label = Annotated[str, Field(max_length=200)]


class RunSpec(SpecModel):
    """A run document."""

    name: Annotated[str, Field(max_length=200)] | None = None
    """What people call the run."""

    tags: Annotated[dict[Label, Label], Field(max_length=50)] = Field(default_factory=dict)
    """Texts by which runs are found again."""

    seed: Annotated[int, Field(ge=0, lt=2**31)] = 0
    """Everything random comes from it: initial weights, orders of the rows, dropout, augmentation."""

    start_from: Annotated[str, Field(pattern="^run_[0-9a-f]{26}$")] | None = None
    """Id of a run that has succeeded, with a model of the same weights: this one begins with its weights
    and, for limits of the same quantity, with its multipliers."""

    dataset: AnyDataset
    """The samples."""

    split: Split | None = None
    """Which rows train, validate and test; without it all rows train."""

    augmentation: Annotated[tuple[AnyAugmentation, ...], Field(strict=False, max_length=20)] = ()
    """Random changes to training batches, one after the other."""

    model: ModelSpec
    """The Keras model."""

    loss: LossSpec
    """What is minimised."""

    penalties: Annotated[tuple[Penalty, ...], Field(strict=False, max_length=100)] = ()
    """What is added to the loss, each with a fixed weight."""

    constraints: Annotated[tuple[Constraint, ...], Field(strict=False, max_length=100)] = ()
    """Limits that training is to hold by itself."""

    optimizer: Optimizer = Adam()
    """How the weights are moved."""

    metrics: MetricsSpec = ()
    """What is reported beside the loss."""

    export: bool = True
    """Whether the trained model is written as files and can be asked for predictions. Without it a run leaves
    its history and its statistics only, in less time; runs of sweeps are many."""

    fit: Fit = Fit()
    """How long and in which steps it trains."""

    statistics: Statistics = Statistics()
    """What is counted on each part of the data in the end."""
