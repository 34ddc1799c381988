"""A loss with the numbers to evaluate it on, as `POST /losses/evaluate` takes it."""

from typing import Annotated, Any

from pydantic import Field, model_validator

from app.errors import InvalidDocument
from app.spec.arrays import Arrays, Numbers
from app.spec.base import SpecModel
from app.spec.losses import LossSpec, check_loss
from app.spec.mistakes import mistake
from app.spec.parsing import parse
from app.spec.penalties import Penalty
from app.spec.pointers import join
from app.spec.quantity_checks import check_penalties
from app.spec.surroundings import Surroundings

ONLY_OUTPUT = "output"
"""The name of an output that the document doesn't name."""


class LossEvaluation(SpecModel):
    """A loss, and the numbers to evaluate it on."""

    loss: LossSpec
    """As in a run document."""

    penalties: Annotated[tuple[Penalty, ...], Field(strict=False, max_length=100)] = ()
    """As in a run document, of outputs only."""

    y_true: Arrays
    """The truth, `(samples, …)`; a flat list is one column. By output name where there are several."""

    y_pred: Arrays
    """The predictions, shaped and named likewise."""

    @model_validator(mode="after")
    def _arrays_agree(self) -> "LossEvaluation":
        truth, predictions = by_output(self.y_true), by_output(self.y_pred)
        if truth.keys() != predictions.keys():
            raise mistake(
                f"Expected what y_pred has, {_outline(self.y_pred)}; received {_outline(self.y_true)}.",
                "y_true",
            )
        for name, arrays in (("y_true", truth), ("y_pred", predictions)):
            for output, array in arrays.items():
                if len(array) != self.samples:
                    path = (name, output) if isinstance(getattr(self, name), dict) else (name,)
                    raise mistake(f"Expected {self.samples} samples; received {len(array)}.", *path)
        return self

    @property
    def samples(self) -> int:
        """Number of samples."""
        return len(next(iter(by_output(self.y_pred).values())))


def read_loss_evaluation(body: bytes | dict[str, Any]) -> LossEvaluation:
    """The document in `body`, with everything in it that fits together.

    Raises:
        MalformedDocument: the body isn't JSON.
        InvalidDocument: a field is wrong, or the loss or a penalty doesn't fit the numbers.
    """
    asked = parse(LossEvaluation, body)
    truth, predictions = by_output(asked.y_true), by_output(asked.y_pred)
    shapes = {output: array.shape[1:] for output, array in predictions.items()}
    named = isinstance(asked.y_true, dict)
    pointers = {output: join("/y_true", output) if named else "/y_true" for output in shapes}
    check_loss(asked.loss, shapes, truth, target_pointers=pointers)
    targets = {output: array.shape[1:] for output, array in truth.items()}
    problems = check_penalties(asked.penalties, Surroundings(outputs=shapes, targets=targets))
    if problems:
        raise InvalidDocument(problems)
    return asked


def by_output(arrays: Numbers | dict[str, Numbers]) -> dict[str, Numbers]:
    """The arrays by output name, flat ones as columns: `(samples, 1)`."""
    named = arrays if isinstance(arrays, dict) else {ONLY_OUTPUT: arrays}
    return {name: array[:, None] if array.ndim == 1 else array for name, array in named.items()}


def _outline(arrays: Numbers | dict[str, Numbers]) -> str:
    return f"outputs named {', '.join(arrays)}" if isinstance(arrays, dict) else "one array"
