"""How long and in which steps a run trains, with Keras's words for it."""

import re
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from app.spec.base import SpecModel
from app.spec.mistakes import mistake
from app.spec.optimizers import CLIPS, NotNegative, Positive
from app.spec.schedules import LearningRateSchedule

Mode = Literal["auto", "min", "max"]
Count = Annotated[int, Field(ge=0, lt=2**31)]
AtLeastOne = Annotated[int, Field(ge=1, lt=2**31)]


class EarlyStopping(SpecModel):
    """Stops when a figure has stopped improving."""

    monitor: Annotated[str, Field(min_length=1)] = "val_loss"
    """Name of the figure in the history."""

    min_delta: NotNegative = 0.0
    """Least change that counts as an improvement."""

    patience: Count = 0
    """Epochs without improvement before training stops."""

    mode: Mode = "auto"
    """Whether smaller or larger is better; `auto` tells by the figure's name."""

    baseline: float | None = None
    """Value that must be beaten."""

    restore_best_weights: bool = False
    """End with the weights of the best epoch."""

    start_from_epoch: Count = 0
    """Epochs to wait before looking."""


class ReduceLROnPlateau(SpecModel):
    """Lowers the learning rate when a figure has stopped improving."""

    monitor: Annotated[str, Field(min_length=1)] = "val_loss"
    """Name of the figure in the history."""

    factor: Annotated[float, Field(gt=0, lt=1)] = 0.1
    """What the learning rate is multiplied by."""

    patience: Count = 10
    """Epochs without improvement before that."""

    mode: Mode = "auto"
    """Whether smaller or larger is better; `auto` tells by the figure's name."""

    min_delta: NotNegative = 1e-4
    """Least change that counts as an improvement."""

    cooldown: Count = 0
    """Epochs to wait after a reduction before looking again."""

    min_lr: NotNegative = 0.0
    """Least learning rate."""


class GradientClip(SpecModel):
    """A limit on gradients; exactly one of the three."""

    clipnorm: Positive | None = None
    """Largest norm of the gradient of each weight."""

    clipvalue: Positive | None = None
    """Largest absolute value of each element of a gradient."""

    global_clipnorm: Positive | None = None
    """Largest norm of the gradient of all weights together."""

    @model_validator(mode="after")
    def _check_one(self) -> "GradientClip":
        named = [name for name in CLIPS if getattr(self, name) is not None]
        if len(named) != 1:
            received = " and ".join(named) or "none of them"
            raise mistake(f"Expected exactly one of {', '.join(CLIPS)}; received {received}.")
        return self


def _numbered(value: Any) -> Any:
    """JSON has only text for keys; a class is a number."""
    if not isinstance(value, dict):
        return value
    for key in value:
        if isinstance(key, str) and not re.fullmatch("0|[1-9][0-9]{0,8}", key):
            raise mistake(f'Expected a class\'s number, such as "0"; received "{key}".', key)
    return {int(key): weight for key, weight in value.items()}


ClassWeight = Annotated[
    dict[Count, NotNegative],
    Field(min_length=1),
    BeforeValidator(_numbered, json_schema_input_type=dict[str, float]),
]
"""How much the samples of each class count: `{"0": 1, "1": 3}`."""


class Fit(SpecModel):
    """What `model.fit` and its callbacks take in Keras."""

    epochs: AtLeastOne = 1
    """Passes over the training rows."""

    batch_size: AtLeastOne = 32
    """Rows of a step."""

    shuffle: bool = True
    """A new order of the rows each epoch."""

    early_stopping: EarlyStopping | None = None
    """Stop when a figure has stopped improving."""

    learning_rate_schedule: LearningRateSchedule | None = None
    """The learning rate as a function of the step; in place of the optimizer's `learning_rate`."""

    reduce_lr_on_plateau: ReduceLROnPlateau | None = None
    """Lower the learning rate when a figure has stopped improving."""

    gradient_clip: GradientClip | None = None
    """A limit on gradients; the same as the optimizer's argument of that name."""

    class_weight: ClassWeight | None = None
    """How much the samples of each class count in the loss; classes that aren't named count 1."""

    time_limit_seconds: Positive | None = None
    """Stop after the epoch in which so much time has passed, and keep what was reached."""

    record_every: AtLeastOne = 1
    """Epochs between entries of the history; the last epoch always has one."""

    @model_validator(mode="after")
    def _check_learning_rate(self) -> "Fit":
        if self.learning_rate_schedule and self.reduce_lr_on_plateau:
            raise mistake(
                "Expected either learning_rate_schedule or reduce_lr_on_plateau; received both.",
                "reduce_lr_on_plateau",
            )
        return self
