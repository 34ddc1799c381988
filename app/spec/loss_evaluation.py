"""A loss with the numbers to evaluate it on, as `POST /losses/evaluate` takes it."""

from typing import Annotated

from pydantic import Field, model_validator

from app.spec.arrays import Arrays, Numbers
from app.spec.base import SpecModel
from app.spec.losses import LossSpec
from app.spec.mistakes import mistake
from app.spec.penalties import Penalty
from app.spec.pointers import received
from app.spec.quantities import WeightsOf
from app.spec.thresholds import ColumnThreshold

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

    @model_validator(mode="after")
    def _penalties_are_of_outputs(self) -> "LossEvaluation":
        outputs = list(by_output(self.y_pred))
        expected = f"Expected the name of an output ({', '.join(outputs)})"
        for index, penalty in enumerate(self.penalties):
            path = ("penalties", index, "of")
            if penalty.of is None and len(outputs) > 1:
                raise mistake(f"{expected}; received nothing.", *path)
            if isinstance(penalty.of, WeightsOf):
                raise mistake(f"{expected}, as there are no weights; received an object.", *path)
            if penalty.of is not None and penalty.of not in outputs:
                raise mistake(f"{expected}; received {received(penalty.of)}.", *path)
            for field in ("threshold", "lower", "upper"):
                if isinstance(getattr(penalty, field, None), ColumnThreshold):
                    raise mistake(
                        "Expected a threshold of numbers, as there is no dataset; received a column.",
                        "penalties",
                        index,
                        field,
                    )
        return self

    @property
    def samples(self) -> int:
        """Number of samples."""
        return len(next(iter(by_output(self.y_pred).values())))


def by_output(arrays: Numbers | dict[str, Numbers]) -> dict[str, Numbers]:
    """The arrays by output name, flat ones as columns: `(samples, 1)`."""
    named = arrays if isinstance(arrays, dict) else {ONLY_OUTPUT: arrays}
    return {name: array[:, None] if array.ndim == 1 else array for name, array in named.items()}


def _outline(arrays: Numbers | dict[str, Numbers]) -> str:
    return f"outputs named {', '.join(arrays)}" if isinstance(arrays, dict) else "one array"
