"""The loss of a run: a name, an object, an object per output, or a sum.

    "mean_squared_error"
    {"type": "huber", "delta": 2}
    {"class": "categorical_crossentropy", "box": {"loss": "giou", "weight": 2}}
    {"type": "sum", "terms": [{"loss": "mean_squared_error"}, {"loss": "cosine_similarity", "weight": 0.1}]}

An object with a `type` is a loss; one without has the names of outputs for its keys.
"""

from app.spec.losses.base import Loss
from app.spec.losses.checks import check_loss
from app.spec.losses.forms import LOSSES, LossSpec
from app.spec.losses.own import Expression
from app.spec.losses.parts import Part, loss_parts

__all__ = ["LOSSES", "Expression", "Loss", "LossSpec", "Part", "check_loss", "loss_parts"]
