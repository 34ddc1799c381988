"""The forms in which a document may write its loss."""

from typing import Annotated, Any, Literal, get_args

from pydantic import BeforeValidator, Discriminator, Field, Tag

from app.spec.base import SpecModel
from app.spec.losses.base import Loss, Weight
from app.spec.losses.keras import (
    BinaryCrossentropy,
    BinaryFocalCrossentropy,
    CategoricalCrossentropy,
    CategoricalFocalCrossentropy,
    CategoricalHinge,
    CosineSimilarity,
    Dice,
    Hinge,
    Huber,
    KLDivergence,
    LogCosh,
    MeanAbsoluteError,
    MeanAbsolutePercentageError,
    MeanSquaredError,
    MeanSquaredLogarithmicError,
    Poisson,
    SparseCategoricalCrossentropy,
    SquaredHinge,
    Tversky,
)
from app.spec.losses.own import (
    AsymmetricSquaredError,
    DIoU,
    Expression,
    GIoU,
    IoU,
    Pinball,
    SmoothL1,
    WeightedBinaryCrossentropy,
)
from app.spec.names import typed

_AnySingle = (
    MeanSquaredError
    | MeanAbsoluteError
    | MeanAbsolutePercentageError
    | MeanSquaredLogarithmicError
    | Huber
    | LogCosh
    | BinaryCrossentropy
    | CategoricalCrossentropy
    | SparseCategoricalCrossentropy
    | BinaryFocalCrossentropy
    | CategoricalFocalCrossentropy
    | KLDivergence
    | Poisson
    | CosineSimilarity
    | Hinge
    | SquaredHinge
    | CategoricalHinge
    | Dice
    | Tversky
    | WeightedBinaryCrossentropy
    | AsymmetricSquaredError
    | Pinball
    | SmoothL1
    | IoU
    | GIoU
    | DIoU
    | Expression
)

LOSSES: dict[str, type[Loss]] = {loss.model_fields["type"].default: loss for loss in get_args(_AnySingle)}
"""The class of each loss, by its name."""

ALIASES = {
    "mse": "mean_squared_error",
    "mae": "mean_absolute_error",
    "mape": "mean_absolute_percentage_error",
    "msle": "mean_squared_logarithmic_error",
    "bce": "binary_crossentropy",
    "kld": "kl_divergence",
}
"""Keras's short names; they're recorded in full."""

_normalised = typed([*LOSSES, "sum"], ALIASES)

SingleLoss = Annotated[
    _AnySingle,
    Field(discriminator="type"),
    BeforeValidator(_normalised, json_schema_input_type=str | _AnySingle),
]
"""One loss: a name, or an object with a `type` and arguments."""


class SumTerm(SpecModel):
    """One loss of a sum."""

    loss: SingleLoss
    """A name, or an object with a `type`."""
    weight: Weight = 1.0
    """How much it counts."""


class Sum(SpecModel):
    """`Σ weightᵢ · lossᵢ` of the same output."""

    type: Literal["sum"] = "sum"
    terms: Annotated[list[SumTerm], Field(min_length=1, max_length=100)]
    """The losses, each recorded under its own name."""


AnyLoss = Annotated[
    _AnySingle | Sum,
    Field(discriminator="type"),
    BeforeValidator(_normalised, json_schema_input_type=str | _AnySingle | Sum),
]
"""The loss of one output: a name, an object with a `type`, or a sum."""


class WeightedLoss(SpecModel):
    """The loss of one of several outputs, with its weight."""

    loss: AnyLoss
    """A name, an object with a `type`, or a sum."""
    weight: Weight = 1.0
    """How much the output counts."""


def _form_for_output(value: Any) -> str | None:
    if isinstance(value, str | Loss | Sum):
        return "<loss>"
    if isinstance(value, WeightedLoss):
        return "<weighted>"
    if isinstance(value, dict):
        return "<loss>" if "type" in value else "<weighted>"
    return None


LossOfOutput = Annotated[
    Annotated[AnyLoss, Tag("<loss>")] | Annotated[WeightedLoss, Tag("<weighted>")],
    Discriminator(
        _form_for_output,
        custom_error_type="loss_form",
        custom_error_message='a loss: a name, an object with a "type", or {"loss": …, "weight": …}',
    ),
]
"""The loss of one of several outputs, alone or with its weight."""

LossByOutput = Annotated[dict[str, LossOfOutput], Field(min_length=1, max_length=100)]
"""A loss for each output by its name."""


def _form(value: Any) -> str | None:
    if isinstance(value, str | Loss | Sum):
        return "<loss>"
    if isinstance(value, dict):
        return "<loss>" if "type" in value else "<outputs>"
    return None


LossSpec = Annotated[
    Annotated[AnyLoss, Tag("<loss>")] | Annotated[LossByOutput, Tag("<outputs>")],
    Discriminator(
        _form,
        custom_error_type="loss_form",
        custom_error_message='a name, an object with a "type", or an object of losses by output',
    ),
]
"""What the `loss` field of a run document takes."""
