"""What penalties push down and constraints limit: numbers measured on outputs, activations or weights.

ŷ is what `of` names, τ a threshold, p 1 with `norm` l1 and 2 with l2. A quantity has one value for each
sample, unless it is measured on weights or is a rate; then it has one in all.
"""

from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from app.spec.base import SpecModel
from app.spec.expressions import ExpressionError, Node, parse_expression, variables_of
from app.spec.mistakes import mistake
from app.spec.thresholds import Numbers, Threshold

LayerName = Annotated[str, Field(min_length=1)]

Norm = Literal["l1", "l2"]


class WeightsOf(SpecModel):
    """The kernels of a layer: its trainable variables of two or more axes, or all if it has none."""

    weights: LayerName
    """Name of the layer."""


class _Measured(SpecModel):
    of: LayerName | None = None
    """Name of an output or of a layer, whose activations are measured; by default the model's output."""


class _MeasuredOnWeights(SpecModel):
    of: LayerName | WeightsOf | None = None
    """Name of an output or of a layer, whose activations are measured; `{"weights": layer}` measures the
    layer's kernels. By default the model's output."""


class ElementsAbove(_Measured):
    """How many elements of a sample are greater than τ."""

    type: Literal["elements_above"]
    """Kind of quantity."""

    threshold: Threshold = 0.5
    """τ; above means strictly greater."""


class ExcessAbove(_Measured):
    """`Σ max(ŷ − τ, 0)^p` of each sample."""

    type: Literal["excess_above"]
    """Kind of quantity."""

    threshold: Threshold = 0.5
    """τ, in the units of the output."""

    norm: Norm = "l1"
    """l1 takes the excess as it is, l2 its square."""


class ShortfallBelow(_Measured):
    """`Σ max(τ − ŷ, 0)^p` of each sample."""

    type: Literal["shortfall_below"]
    """Kind of quantity."""

    threshold: Threshold = 0.5
    """τ, in the units of the output."""

    norm: Norm = "l1"
    """l1 takes the shortfall as it is, l2 its square."""


class Bounds(_Measured):
    """`Σ max(lower − ŷ, 0)^p + max(ŷ − upper, 0)^p` of each sample."""

    type: Literal["bounds"]
    """Kind of quantity."""

    lower: Threshold | None = None
    """Least value allowed; by default no bound."""

    upper: Threshold | None = None
    """Largest value allowed; by default no bound. At least one of the two must be given."""

    norm: Norm = "l1"
    """l1 takes the distance to the bound as it is, l2 its square."""

    @model_validator(mode="after")
    def _bounds_leave_room(self) -> "Bounds":
        if self.lower is None and self.upper is None:
            raise mistake("Expected lower, upper or both; received neither.")
        lower, upper = _as_list(self.lower), _as_list(self.upper)
        if lower is None or upper is None:
            return self
        length = max(len(lower), len(upper))
        if len(lower) not in (1, length) or len(upper) not in (1, length):
            raise mistake(
                f"Expected as many numbers as in lower, {len(lower)}; received {len(upper)}.", "upper"
            )
        for low, high in zip(_stretched(lower, length), _stretched(upper, length), strict=True):
            if low > high:
                raise mistake(f"Expected at least lower, {low:g}; received {high:g}.", "upper")
        return self


class Linear(_Measured):
    """`Σⱼ coefficientsⱼ·ŷⱼ` of each sample: a budget."""

    type: Literal["linear"]
    """Kind of quantity."""

    coefficients: Numbers
    """One number for each element of a sample (row-major), such as a price."""


class SumTo(_Measured):
    """`|Σŷ − value|^p` of each sample."""

    type: Literal["sum_to"]
    """Kind of quantity."""

    value: float = 1.0
    """What the elements of a sample are to add up to."""

    norm: Norm = "l1"
    """l1 takes the distance as it is, l2 its square."""


class NormOf(_MeasuredOnWeights):
    """`Σ|ŷ|^p` of each sample, or of a layer's kernels."""

    type: Literal["norm"]
    """Kind of quantity."""

    norm: Norm = "l1"
    """l1 takes absolute values, l2 squares (without root and without ½)."""


class TotalVariation(_Measured):
    """Sum of the absolute differences between neighbouring elements of each sample.

    A sample of shape `(n,)` is a signal of n steps. With more axes the last one is the channels, and
    neighbours are those along the others: along the steps of `(steps, channels)`, along rows and columns of
    `(height, width, channels)`.
    """

    type: Literal["total_variation"]
    """Kind of quantity."""


class Entropy(_Measured):
    """`−Σ ŷ·ln ŷ` of each sample, in nats: for outputs that are probabilities.

    The logarithm takes ŷ clipped to [1e-7, 1].
    """

    type: Literal["entropy"]
    """Kind of quantity."""


class Orthogonality(_MeasuredOnWeights):
    """`‖AAᵀ − I‖²`, the squares added up: 0 where the rows of A are orthonormal.

    On an output or activations A is a sample's matrix, its last axis the features, so a sample needs at
    least two axes. On weights the rows are the units: A is the transposed kernel, flattened to
    `(units, inputs)`.
    """

    type: Literal["orthogonality"]
    """Kind of quantity."""


class ExpressionOf(_Measured):
    """An expression of `y_pred` and `y_true`, as in a loss; a sample's elements are added up.

    On a layer's activations `y_pred` stands for them, and there is no `y_true`.
    """

    type: Literal["expression"]
    """Kind of quantity."""

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


class ActivationSparsity(SpecModel):
    """The share of a sample's activations that are exactly zero, in [0, 1]."""

    type: Literal["activation_sparsity"]
    """Kind of quantity."""

    of: LayerName
    """Name of the layer."""


class WeightSparsity(SpecModel):
    """The share of a layer's weights that are exactly zero, in [0, 1].

    As for `WeightsOf`, these are the layer's kernels, or all its trainable variables if it has none.
    """

    type: Literal["weight_sparsity"]
    """Kind of quantity."""

    of: LayerName
    """Name of the layer."""


EXPRESSION_VARIABLES = ("y_true", "y_pred")
"""What a quantity's expression may use."""

Differentiable = (
    ExcessAbove
    | ShortfallBelow
    | Bounds
    | Linear
    | SumTo
    | NormOf
    | TotalVariation
    | Entropy
    | Orthogonality
    | ExpressionOf
)
"""The quantities that gradients flow through as they are; an expression's as far as it has any."""

SampleQuantity = ElementsAbove | Differentiable | ActivationSparsity | WeightSparsity
"""Every quantity that isn't a rate."""


def _as_list(bound: Threshold | None) -> list[float] | None:
    """The numbers of a bound that the document alone tells, else None."""
    if isinstance(bound, float):
        return [bound]
    return bound if isinstance(bound, list) else None


def _stretched(numbers: list[float], length: int) -> list[float]:
    return numbers * length if len(numbers) == 1 else numbers
