"""Keras's optimizers, with Keras's arguments and defaults.

A name alone (`"adam"`, `"Adam"`) stands for the optimizer with its defaults. `name`, `loss_scale_factor` (for
half precision) and Muon's layer filters aren't part of the language. Neither is ScheduleFreeAdamW: on
TensorFlow, Keras 3.15 reads its momentum only after changing it, and so takes other steps than were meant.
"""

from typing import Annotated, Literal, get_args

from pydantic import BeforeValidator, Field, model_validator

from app.spec.base import SpecModel
from app.spec.mistakes import mistake
from app.spec.names import typed

Positive = Annotated[float, Field(gt=0)]
NotNegative = Annotated[float, Field(ge=0)]
Decay = Annotated[float, Field(ge=0, lt=1)]
"""Decay of a running average, at least 0 and below 1."""

CLIPS = ("clipnorm", "clipvalue", "global_clipnorm")


class OptimizerBase(SpecModel):
    """What all optimizers have."""

    learning_rate: NotNegative = 0.001
    """Length of the steps."""

    weight_decay: NotNegative | None = None
    """After each step, w ← w − weight_decay·learning_rate·w."""

    clipnorm: Positive | None = None
    """Largest norm of the gradient of each weight."""

    clipvalue: Positive | None = None
    """Largest absolute value of each element of a gradient."""

    global_clipnorm: Positive | None = None
    """Largest norm of the gradient of all weights together."""

    use_ema: bool = False
    """Keep a running average of the weights, and end with it."""

    ema_momentum: Annotated[float, Field(ge=0, le=1)] = 0.99
    """Share of the running average that each step keeps."""

    ema_overwrite_frequency: Annotated[int, Field(ge=1)] | None = None
    """Put the average into the model's weights after so many steps."""

    gradient_accumulation_steps: Annotated[int, Field(ge=2)] | None = None
    """Update the weights only after so many steps, with the mean of their gradients."""

    @model_validator(mode="after")
    def _check_clips(self) -> "OptimizerBase":
        named = [name for name in CLIPS if getattr(self, name) is not None]
        if len(named) > 1:
            raise mistake(f"Expected one of {', '.join(CLIPS)}; received {' and '.join(named)}.", named[1])
        return self


class SGD(OptimizerBase):
    """Gradient descent, with momentum if asked for: `v ← momentum·v − η·g`, `w ← w + v`."""

    type: Literal["SGD"] = "SGD"
    """Kind of optimizer."""

    learning_rate: NotNegative = 0.01
    """Length of the steps η."""

    momentum: Annotated[float, Field(ge=0, le=1)] = 0.0
    """Share of the last step that the next one keeps."""

    nesterov: bool = False
    """Look ahead along the momentum."""


class RMSprop(OptimizerBase):
    """Divides each gradient by a running root mean square of its own."""

    type: Literal["RMSprop"] = "RMSprop"
    """Kind of optimizer."""

    rho: Decay = 0.9
    """Decay of the running mean square."""

    momentum: Annotated[float, Field(ge=0, le=1)] = 0.0
    """Share of the last step that the next one keeps."""

    epsilon: Positive = 1e-7
    """Keeps the divisor off zero."""

    centered: bool = False
    """Divide by the running standard deviation instead."""


class _Moments(OptimizerBase):
    beta_1: Decay = 0.9
    """Decay of the running mean of the gradient."""

    beta_2: Decay = 0.999
    """Decay of the running mean of its square."""

    epsilon: Positive = 1e-7
    """Keeps the divisor off zero."""


class Adam(_Moments):
    """Steps by the running mean of the gradient over the root of the running mean of its square."""

    type: Literal["Adam"] = "Adam"
    """Kind of optimizer."""

    amsgrad: bool = False
    """Divide by the largest such mean so far."""


class AdamW(_Moments):
    """Adam with decoupled weight decay."""

    type: Literal["AdamW"] = "AdamW"
    """Kind of optimizer."""

    weight_decay: NotNegative = 0.004
    """After each step, w ← w − weight_decay·learning_rate·w."""

    amsgrad: bool = False
    """Divide by the largest such mean so far."""


class Adamax(_Moments):
    """Adam with the largest absolute gradient in place of the root mean square."""

    type: Literal["Adamax"] = "Adamax"
    """Kind of optimizer."""


class Nadam(_Moments):
    """Adam with Nesterov's momentum."""

    type: Literal["Nadam"] = "Nadam"
    """Kind of optimizer."""


class Lamb(_Moments):
    """Adam with each weight's step scaled to the weight's own norm."""

    type: Literal["Lamb"] = "Lamb"
    """Kind of optimizer."""


class Lion(OptimizerBase):
    """Steps by the sign of a running mean of the gradient."""

    type: Literal["Lion"] = "Lion"
    """Kind of optimizer."""

    beta_1: Annotated[float, Field(gt=0, le=1)] = 0.9
    """Share of the running mean in the step's direction."""

    beta_2: Decay = 0.99
    """Decay of the running mean."""


class Adadelta(OptimizerBase):
    """Steps in the ratio of the running root mean squares of earlier steps and gradients."""

    type: Literal["Adadelta"] = "Adadelta"
    """Kind of optimizer."""

    rho: Decay = 0.95
    """Decay of both."""

    epsilon: Positive = 1e-7
    """Keeps the divisor off zero."""


class Adagrad(OptimizerBase):
    """Divides each gradient by the root of the sum of its squares so far."""

    type: Literal["Adagrad"] = "Adagrad"
    """Kind of optimizer."""

    initial_accumulator_value: NotNegative = 0.1
    """What the sum starts from."""

    epsilon: Positive = 1e-7
    """Keeps the divisor off zero."""


class Adafactor(OptimizerBase):
    """Adam's second moment, kept as row and column sums."""

    type: Literal["Adafactor"] = "Adafactor"
    """Kind of optimizer."""

    beta_2_decay: Annotated[float, Field(lt=0)] = -0.8
    """Exponent by which the decay of the second moment nears 1."""

    epsilon_1: Positive = 1e-30
    """Keeps the divisor off zero."""

    epsilon_2: Positive = 1e-3
    """Least scale of a weight, for relative steps."""

    clip_threshold: Positive = 1.0
    """Largest root mean square of a step."""

    relative_step: bool = True
    """Learning rate at most the inverse root of the step's number."""


class Ftrl(OptimizerBase):
    """Follow the regularized leader, which makes sparse weights in online learning."""

    type: Literal["Ftrl"] = "Ftrl"
    """Kind of optimizer."""

    learning_rate_power: Annotated[float, Field(le=0)] = -0.5
    """How the learning rate falls; 0 keeps it."""

    initial_accumulator_value: NotNegative = 0.1
    """What the sum of squared gradients starts from."""

    l1_regularization_strength: NotNegative = 0.0
    """Weight of Σ|w|."""

    l2_regularization_strength: NotNegative = 0.0
    """Weight of Σw², which counts the sum over the steps."""

    l2_shrinkage_regularization_strength: NotNegative = 0.0
    """Weight of Σw² in the gradient of each step."""

    beta: NotNegative = 0.0
    """Smooths the first steps."""


class Muon(OptimizerBase):
    """Orthogonalizes the momentum of matrices; other weights step as in AdamW."""

    type: Literal["Muon"] = "Muon"
    """Kind of optimizer."""

    adam_beta_1: Decay = 0.9
    """AdamW's decay of the running mean."""

    adam_beta_2: Decay = 0.999
    """AdamW's decay of the running mean square."""

    adam_weight_decay: NotNegative = 0.004
    """AdamW's weight decay."""

    epsilon: Positive = 1e-7
    """Keeps the divisor off zero."""

    weight_decay: NotNegative = 0.004
    """Weight decay of the matrices."""

    muon_a: float = 3.4445
    """First coefficient of the Newton–Schulz iteration."""

    muon_b: float = -4.775
    """Second coefficient."""

    muon_c: float = 2.0315
    """Third coefficient."""

    adam_lr_ratio: Positive = 1.0
    """AdamW's learning rate over Muon's."""

    momentum: Annotated[float, Field(ge=0, le=1)] = 0.95
    """Decay of the momentum."""

    ns_steps: Annotated[int, Field(ge=1, le=20)] = 5
    """Newton–Schulz iterations."""

    nesterov: bool = True
    """Look ahead along the momentum."""

    rms_rate: Positive | None = 0.2
    """Root mean square of a step of a matrix, over the learning rate."""


_AnyOptimizer = (
    SGD | RMSprop | Adam | AdamW | Adadelta | Adagrad | Adamax | Adafactor | Nadam | Ftrl | Lion | Lamb
    | Muon
)  # fmt: skip
OPTIMIZERS: tuple[type[OptimizerBase], ...] = get_args(_AnyOptimizer)

Optimizer = Annotated[
    _AnyOptimizer,
    Field(discriminator="type"),
    BeforeValidator(
        typed([optimizer.__name__ for optimizer in OPTIMIZERS]), json_schema_input_type=_AnyOptimizer | str
    ),
]
"""One of Keras's optimizers, by name or as an object."""
