"""What `POST /losses/evaluate` reads and answers."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from app.spec.arrays import Arrays
from app.spec.base import SpecModel
from app.spec.losses import LossSpec
from app.spec.penalties import Penalty


class LossEvaluation(SpecModel):
    """A loss, and the numbers to evaluate it on."""

    loss: LossSpec
    """As in a run document."""

    penalties: Annotated[tuple[Penalty, ...], Field(strict=False)] = ()
    """As in a run document; only those of an output."""

    y_true: Arrays
    """The truth, `(samples, …)`; by output name where there are several."""

    y_pred: Arrays
    """The predictions, shaped likewise."""


class EvaluatedLoss(BaseModel):
    """The value of a loss."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    value: float | None
    """The total; null: not finite."""
    terms: dict[str, float | None]
    """What each term adds to it."""
    gradient: list[object] | dict[str, list[object]]
    """Derivative of the total by each element of `y_pred`, in its shape."""
