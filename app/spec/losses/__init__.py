"""The loss of a run: a name, an object, an object per output, or a sum.

    "mean_squared_error"
    {"type": "huber", "delta": 2}
    {"class": "categorical_crossentropy", "box": {"loss": "giou", "weight": 2}}
    {"type": "sum", "terms": [{"loss": "mean_squared_error"}, {"loss": "cosine_similarity", "weight": 0.1}]}

An object with a `type` is a loss; one without has the names of outputs for its keys.
"""

from collections.abc import Iterator, Sequence
from typing import Annotated, Any, Literal, NamedTuple, get_args

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
from app.spec.pointers import join

__all__ = [
    "LOSSES",
    "AnyLoss",
    "Expression",
    "Loss",
    "LossSpec",
    "OutputLoss",
    "Part",
    "SingleLoss",
    "Sum",
    "SumTerm",
    "loss_parts",
]

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


class OutputLoss(SpecModel):
    """The loss of one of several outputs."""

    loss: AnyLoss
    """A name, an object with a `type`, or a sum."""
    weight: Weight = 1.0
    """How much the output counts."""


def _with_weight(value: Any) -> Any:
    plain = isinstance(value, str) or (isinstance(value, dict) and "type" in value)
    return {"loss": value} if plain else value


LossByOutput = Annotated[
    dict[
        str, Annotated[OutputLoss, BeforeValidator(_with_weight, json_schema_input_type=AnyLoss | OutputLoss)]
    ],
    Field(min_length=1, max_length=100),
]
"""A loss for each output by its name, alone or as `{"loss": …, "weight": …}`."""


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


class Part(NamedTuple):
    """One loss on one output, as it enters the total.

    Attributes:
        name: under which it is recorded.
        output: the output it's on.
        loss: the loss itself.
        weight: how much it counts in the total.
        pointer: JSON Pointer to it in the run document.
    """

    name: str
    output: str
    loss: Loss
    weight: float
    pointer: str


def loss_parts(loss: "LossSpec", outputs: Sequence[str], pointer: str = "/loss") -> list[Part]:
    """Every single loss that a document's loss is made of.

    A loss that names no output is taken on each of them, as Keras does.

    Args:
        loss: the `loss` field of the document.
        outputs: the names of the model's outputs.
        pointer: JSON Pointer to `loss`.
    """
    if isinstance(loss, dict):
        return [
            part
            for output, entry in loss.items()
            for part in _parts_of_output(entry.loss, output, entry.weight, join(pointer, output), named=True)
        ]
    several = len(outputs) > 1
    return [
        part for output in outputs for part in _parts_of_output(loss, output, 1.0, pointer, named=several)
    ]


def _parts_of_output(
    loss: Loss | Sum, output: str, weight: float, pointer: str, *, named: bool
) -> Iterator[Part]:
    if isinstance(loss, Sum):
        for position, term in enumerate(loss.terms):
            name = f"{output}_{term.loss.type}" if named else term.loss.type
            where = join(pointer, "terms", position)
            yield Part(name, output, term.loss, weight * term.weight, where)
    else:
        # Keras records the loss of an output under this name.
        yield Part(f"{output}_loss" if named else loss.type, output, loss, weight, pointer)
