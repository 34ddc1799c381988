"""What every loss has."""

from typing import Annotated, Any, Literal

from pydantic import Field

from app.spec.base import SpecModel
from app.spec.fit import ClassWeight

Weight = Annotated[float, Field(ge=0)]
"""How much something counts."""

Fraction = Annotated[float, Field(ge=0, le=1)]
"""A number in [0, 1]."""

Reduction = Literal["sum_over_batch_size", "sum", "mean", "mean_with_sample_weight"]
"""Keras's ways to make one number of the samples' losses."""


class Loss(SpecModel):
    """Base of every loss: how the values of a batch's samples become one number."""

    type: str
    """The name of the loss, as Keras's function is called where it's one of Keras's."""
    reduction: Reduction = "sum_over_batch_size"
    """Over a batch, with w the samples' weights and l their losses: `sum_over_batch_size` and `mean` are
    `Σwl / count`, `sum` is `Σwl`, `mean_with_sample_weight` is `Σwl / Σw`."""
    class_weight: ClassWeight | None = None
    """From a class to how much its samples count; a class that isn't named counts 1."""

    def arguments(self) -> dict[str, Any]:
        """What is this loss's own, under Keras's names: not its type, reduction or class weights."""
        own = type(self).model_fields.keys() - Loss.model_fields.keys()
        return {name: getattr(self, name) for name in own}
