"""Keras's learning-rate schedules, with Keras's arguments and defaults.

Each gives the learning rate as a function of the step: steps are batches, not epochs.
"""

from typing import Annotated, Literal, get_args

from pydantic import BeforeValidator, Field, model_validator

from app.spec.base import SpecModel
from app.spec.mistakes import mistake
from app.spec.names import typed
from app.spec.optimizers import NotNegative, Positive

Steps = Annotated[int, Field(ge=1, lt=2**31)]


class ExponentialDecay(SpecModel):
    """`initial · decay_rate^(step/decay_steps)`."""

    type: Literal["ExponentialDecay"] = "ExponentialDecay"
    """Kind of schedule."""

    initial_learning_rate: NotNegative
    """Learning rate at the first step."""

    decay_steps: Steps
    """Steps in which it falls by `decay_rate`."""

    decay_rate: Positive
    """Factor."""

    staircase: bool = False
    """Fall in steps rather than smoothly."""


class InverseTimeDecay(SpecModel):
    """`initial / (1 + decay_rate·step/decay_steps)`."""

    type: Literal["InverseTimeDecay"] = "InverseTimeDecay"
    """Kind of schedule."""

    initial_learning_rate: NotNegative
    """Learning rate at the first step."""

    decay_steps: Steps
    """Steps that count as one unit of time."""

    decay_rate: NotNegative
    """How fast it falls."""

    staircase: bool = False
    """Fall in steps rather than smoothly."""


class PolynomialDecay(SpecModel):
    """`(initial − end)·(1 − step/decay_steps)^power + end`."""

    type: Literal["PolynomialDecay"] = "PolynomialDecay"
    """Kind of schedule."""

    initial_learning_rate: NotNegative
    """Learning rate at the first step."""

    decay_steps: Steps
    """Steps until the end."""

    end_learning_rate: NotNegative = 0.0001
    """Learning rate from then on."""

    power: Positive = 1.0
    """1 is a straight line."""

    cycle: bool = False
    """Begin again beyond `decay_steps`."""


class PiecewiseConstantDecay(SpecModel):
    """A learning rate for each stretch of steps."""

    type: Literal["PiecewiseConstantDecay"] = "PiecewiseConstantDecay"
    """Kind of schedule."""

    boundaries: Annotated[tuple[Steps, ...], Field(strict=False, min_length=1)]
    """Last step of each stretch but the final one, ascending."""

    values: Annotated[tuple[NotNegative, ...], Field(strict=False, min_length=2)]
    """Learning rate of each stretch: one more than there are boundaries."""

    @model_validator(mode="after")
    def _check_lengths(self) -> "PiecewiseConstantDecay":
        if len(self.values) != len(self.boundaries) + 1:
            expected = len(self.boundaries) + 1
            raise mistake(
                f"Expected {expected} values, one more than boundaries; received {len(self.values)}.",
                "values",
            )
        if list(self.boundaries) != sorted(set(self.boundaries)):
            raise mistake(f"Expected ascending steps; received {list(self.boundaries)}.", "boundaries")
        return self


class CosineDecay(SpecModel):
    """Half a cosine wave from the initial learning rate down to `alpha` times it, after a linear warm-up."""

    type: Literal["CosineDecay"] = "CosineDecay"
    """Kind of schedule."""

    initial_learning_rate: NotNegative
    """Learning rate at the first step."""

    decay_steps: Steps
    """Steps of the decay."""

    alpha: NotNegative = 0.0
    """Last learning rate as a share of the first."""

    warmup_target: NotNegative | None = None
    """Learning rate at the end of the warm-up; none without it."""

    warmup_steps: Annotated[int, Field(ge=0, lt=2**31)] = 0
    """Steps of the warm-up."""


class CosineDecayRestarts(SpecModel):
    """Cosine decay that begins again, each time longer and lower."""

    type: Literal["CosineDecayRestarts"] = "CosineDecayRestarts"
    """Kind of schedule."""

    initial_learning_rate: NotNegative
    """Learning rate at the first step."""

    first_decay_steps: Steps
    """Steps of the first decay."""

    t_mul: Annotated[float, Field(ge=1)] = 2.0
    """Factor of the length of each next one."""

    m_mul: Positive = 1.0
    """Factor of its first learning rate."""

    alpha: NotNegative = 0.0
    """Last learning rate as a share of the first."""


_AnySchedule = (
    ExponentialDecay | InverseTimeDecay | PolynomialDecay | PiecewiseConstantDecay | CosineDecay
    | CosineDecayRestarts
)  # fmt: skip
SCHEDULES: tuple[type[SpecModel], ...] = get_args(_AnySchedule)

LearningRateSchedule = Annotated[
    _AnySchedule,
    Field(discriminator="type"),
    BeforeValidator(
        typed([schedule.__name__ for schedule in SCHEDULES]), json_schema_input_type=_AnySchedule
    ),
]
"""One of Keras's schedules."""
