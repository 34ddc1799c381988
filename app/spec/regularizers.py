"""Regularizers of a layer's weights and of its activity, as Keras names them.

Each may be written as a name with Keras's defaults (`"l2"`), as strengths (`{"l1": 1e-4, "l2": 1e-3}`),
or with its type (`{"type": "orthogonal", "factor": 0.01}`). The strengths count one by one as terms of
the total that is minimised: `l1·Σ|w| + l2·Σw²`, without ½.
"""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field
from typing_extensions import TypeAliasType

from app.spec.base import SpecModel
from app.spec.mistakes import mistake

KERAS_DEFAULT_STRENGTH = 0.01

Strength = Annotated[float, Field(ge=0)]


class L1L2(SpecModel):
    """`l1·Σ|w| + l2·Σw²` over all elements of the weight."""

    type: Literal["l1_l2"] = "l1_l2"
    """Kind of regularizer."""

    l1: Strength = 0.0
    """Strength of the sum of absolute values."""

    l2: Strength = 0.0
    """Strength of the sum of squares (no ½)."""

    proximal: bool = False
    """Apply l1 as a soft threshold after each optimizer step, so that weights reach true zero, instead
    of through the gradient."""


class Orthogonal(SpecModel):
    """`factor` times the mean absolute cosine between the rows (or columns) of the weight.

    A kernel with more than two axes, such as a convolution's, is flattened to `(inputs, units)`.
    """

    type: Literal["orthogonal"] = "orthogonal"
    """Kind of regularizer."""

    factor: Strength = KERAS_DEFAULT_STRENGTH
    """Strength."""

    mode: Literal["rows", "columns"] = "rows"
    """Which vectors are to be orthogonal to one another."""


class ActivityL1L2(SpecModel):
    """`l1·Σ|a| + l2·Σa²` over the layer's output, reduced over the batch."""

    type: Literal["l1_l2"] = "l1_l2"
    """Kind of regularizer."""

    l1: Strength = 0.0
    """Strength of the sum of absolute values."""

    l2: Strength = 0.0
    """Strength of the sum of squares (no ½)."""

    reduction: Literal["per_sample", "sum"] = "per_sample"
    """`per_sample`: the sum over the batch divided by the batch size, as Keras 3 does. `sum`: the sum
    over the batch, as Keras 2.3 did."""


class ActivityOrthogonal(Orthogonal):
    """`factor` times the mean absolute cosine between the samples' activations (rows), or the units'
    (columns).
    """

    reduction: Literal["per_sample", "sum"] = "per_sample"
    """`per_sample`: divided by the batch size, as Keras 3 does. `sum`: not divided."""


def _spelled_out(value: Any) -> Any:
    """A regularizer's short forms as the object they stand for; anything else as it came."""
    if value == "l1_l2":
        return {"type": value, "l1": KERAS_DEFAULT_STRENGTH, "l2": KERAS_DEFAULT_STRENGTH}
    if isinstance(value, str):
        value = {"type": value}
    if not isinstance(value, dict):
        return value
    kind = value.get("type", "l1_l2")
    if kind == "orthogonal_regularizer":
        return {**value, "type": "orthogonal"}
    if kind in ("l1", "l2"):
        other = "l2" if kind == "l1" else "l1"
        if other in value:
            raise mistake(
                f'Expected only {kind} with type {kind}, or type "l1_l2"; received {other} too.', other
            )
        return {kind: KERAS_DEFAULT_STRENGTH, **value, "type": "l1_l2"}
    return {**value, "type": kind}


_Name = Literal["l1", "l2", "l1_l2", "orthogonal", "orthogonal_regularizer"]

_Weight = Annotated[L1L2 | Orthogonal, Field(discriminator="type")]
_Activity = Annotated[ActivityL1L2 | ActivityOrthogonal, Field(discriminator="type")]

# Named types, so that the schema has them once and not in every layer.
Regularizer = TypeAliasType(
    "Regularizer",
    Annotated[_Weight, BeforeValidator(_spelled_out, json_schema_input_type=_Weight | _Name)],
)
"""Regularizer of a weight: kernel, bias, recurrent kernel, …"""

ActivityRegularizer = TypeAliasType(
    "ActivityRegularizer",
    Annotated[_Activity, BeforeValidator(_spelled_out, json_schema_input_type=_Activity | _Name)],
)
"""Regularizer of a layer's output."""
