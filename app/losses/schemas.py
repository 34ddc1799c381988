"""What `POST /losses/evaluate` answers; what it reads is `app.spec.loss_evaluation.LossEvaluation`."""

from pydantic import BaseModel, ConfigDict


class EvaluatedLoss(BaseModel):
    """The value of a loss."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    value: float | None
    """The total; null: not finite."""
    terms: dict[str, float | None]
    """What each term adds to it."""
    gradient: list[object] | dict[str, list[object]]
    """Derivative of the total by each element of `y_pred`, in its shape."""
