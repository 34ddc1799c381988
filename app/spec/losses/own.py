"""Losses that Keras doesn't have."""

from typing import Annotated, Literal

from pydantic import Field, field_validator

from app.spec.expressions import ExpressionError, Node, parse_expression, variables_of
from app.spec.losses.base import Loss, Weight
from app.spec.mistakes import mistake


class WeightedBinaryCrossentropy(Loss):
    """`mean(−false_negative_weight·y·log ŷ − false_positive_weight·(1 − y)·log(1 − ŷ))`."""

    type: Literal["weighted_binary_crossentropy"] = "weighted_binary_crossentropy"
    false_negative_weight: Weight = 1.0
    """How much it costs to miss a 1."""
    false_positive_weight: Weight = 1.0
    """How much it costs to take a 0 for a 1."""
    from_logits: bool = False
    """Whether predictions are logits rather than probabilities."""


class AsymmetricSquaredError(Loss):
    """The mean of `under_weight·(y − ŷ)²` where y > ŷ, and of `over_weight·(y − ŷ)²` elsewhere."""

    type: Literal["asymmetric_squared_error"] = "asymmetric_squared_error"
    under_weight: Weight = 1.0
    """How much it costs to predict too little."""
    over_weight: Weight = 1.0
    """How much it costs to predict too much."""


class Pinball(Loss):
    """With d = y − ŷ, `mean(max(quantile·d, (quantile − 1)·d))`; least at that quantile of y.

    Source: Koenker and Bassett, "Regression Quantiles", 1978.
    """

    type: Literal["pinball"] = "pinball"
    quantile: Annotated[float, Field(gt=0, lt=1)] = 0.5
    """The quantile to predict; 0.5 is the median."""


class SmoothL1(Loss):
    """With d = y − ŷ, the mean of `½d²` where |d| < beta, and of `beta·(|d| − ½beta)` elsewhere."""

    type: Literal["smooth_l1"] = "smooth_l1"
    beta: Annotated[float, Field(gt=0)] = 1.0
    """Where the square goes over into a line."""


class IoU(Loss):
    """`1 − IoU` of boxes `[x1, y1, x2, y2]`, the area of the intersection over that of the union."""

    type: Literal["iou"] = "iou"


class GIoU(Loss):
    """`1 − IoU + (|C| − |A ∪ B|) / |C|`, C the smallest box around both (Rezatofighi et al., 2019)."""

    type: Literal["giou"] = "giou"


class DIoU(Loss):
    """`1 − IoU + d² / c²`, d from centre to centre, c the diagonal of the smallest box around both.

    Source: Zheng et al., "Distance-IoU Loss", 2020.
    """

    type: Literal["diou"] = "diou"


class Expression(Loss):
    """Arithmetic on `y_true`, `y_pred` and `sample_weight`, such as `mean(abs(y_true - y_pred), axis=-1)`.

    What is left of a sample's axes is averaged, then the samples are weighed and reduced as those of any
    loss. An expression that uses `sample_weight` isn't weighed again; one that sums over the batch can't be.
    Steps that a mask leaves out of other losses count.
    """

    type: Literal["expression"] = "expression"
    expression: str
    """The expression, of at most 2,000 characters."""

    @field_validator("expression")
    @classmethod
    def _is_of_predictions(cls, text: str) -> str:
        try:
            node = parse_expression(text, EXPRESSION_VARIABLES)
        except ExpressionError as error:
            raise mistake(f"{error}.") from error
        if "y_pred" not in variables_of(node):
            raise mistake("Expected an expression of y_pred; received one without it.")
        return text

    @property
    def node(self) -> Node:
        """The tree of the expression."""
        return parse_expression(self.expression, EXPRESSION_VARIABLES)


EXPRESSION_VARIABLES = ("y_true", "y_pred", "sample_weight")
"""What a loss's expression may use."""
