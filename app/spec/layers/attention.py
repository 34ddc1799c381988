"""Attention."""

from collections.abc import Sequence
from math import prod
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from app.spec.initializers import Initializer
from app.spec.layers.base import (
    MAX_ELEMENTS,
    Axes,
    Layer,
    Misfit,
    Rate,
    Seed,
    Shape,
    Size,
    axis_positions,
    fixed_length,
    show,
)
from app.spec.regularizers import Regularizer
from app.spec.weight_constraints import WeightConstraint


class MultiHeadAttention(Layer):
    """Scaled dot-product attention by several heads.

    Its inputs are the query, the value and, where it isn't the value, the key.
    """

    type: Literal["MultiHeadAttention"] = "MultiHeadAttention"
    num_heads: Size
    key_dim: Size
    """Size of each head's queries and keys."""
    value_dim: Size | None = None
    """Size of each head's values; without it, `key_dim`."""
    dropout: Rate = 0.0
    use_bias: bool = True
    output_shape: Size | Annotated[list[Size], Field(min_length=1, max_length=4)] | None = None
    """The last axes of the output; without it, those of the query."""
    attention_axes: Axes | None = None
    """The axes that are attended over; without it, all but the last."""
    sliding_window: Size | None = None
    """How many steps away attention reaches."""
    kernel_initializer: Initializer = "glorot_uniform"
    bias_initializer: Initializer = "zeros"
    kernel_regularizer: Regularizer | None = None
    bias_regularizer: Regularizer | None = None
    kernel_constraint: WeightConstraint | None = None
    bias_constraint: WeightConstraint | None = None
    use_gate: bool = False
    """Whether the output is multiplied by a gate computed from the query."""
    seed: Seed | None = None
    use_causal_mask: bool = False
    """Whether a step may only attend to those before it. In Keras it's an argument of the call."""

    input_count: ClassVar[tuple[int, int | None]] = (2, 3)
    kerbs_own: ClassVar[tuple[str, ...]] = ("use_causal_mask",)
    nameless_parts: ClassVar[tuple[str, ...]] = ("Softmax", "Dropout")

    def infer_shape(self, inputs: Sequence[Shape]) -> Shape:
        query, value = inputs[:2]
        for shape in inputs:
            fixed_length(shape)
        if len(query) < 2 or len(query) != len(value):
            raise Misfit(
                "Expected a query and a value with the same number of axes, two or more besides the samples; "
                f"received {show(query)} and {show(value)}.",
                "inputs",
            )
        if len(inputs) == 3 and inputs[2][:-1] != value[:-1]:
            raise Misfit(
                f"Expected a key of the value's shape but for the last axis; "
                f"received {show(inputs[2])} and {show(value)}.",
                "inputs/2",
            )
        attended = (
            list(range(len(query) - 1))
            if self.attention_axes is None
            else axis_positions(self.attention_axes, query, "attention_axes")
        )
        for position, lengths in enumerate(zip(query[:-1], value[:-1], strict=True)):
            if position not in attended and lengths[0] != lengths[1]:
                raise Misfit(
                    "Expected a query and a value of equal lengths along the axes that aren't attended over; "
                    f"received {show(query)} and {show(value)}.",
                    "inputs",
                )
        self._check_scores([length for shape in (query, value) for length in shape[:-1]])
        return (*query[:-1], *self._last_lengths(query))

    def parameter_count(self, inputs: Sequence[Shape]) -> int:
        query, value, key = (fixed_length(shape) for shape in (*inputs, inputs[1])[:3])
        keys = self.num_heads * self.key_dim
        values = self.num_heads * (self.value_dim or self.key_dim)
        gate = (query + self.use_bias) * values if self.use_gate else 0
        outputs = prod(self._last_lengths(inputs[0]))
        return (
            (query + self.use_bias) * keys
            + (key + self.use_bias) * keys
            + (value + self.use_bias) * values
            + gate
            + (values + self.use_bias) * outputs
        )

    def _check_scores(self, lengths: Sequence[int | None]) -> None:
        scores = self.num_heads * prod(length for length in lengths if length is not None)
        if scores > MAX_ELEMENTS:
            raise Misfit(
                f"Expected at most {MAX_ELEMENTS} attention scores a sample, one for each head, query and "
                f"value; received {scores}.",
            )

    def _last_lengths(self, query: Shape) -> list[int]:
        if self.output_shape is None:
            return [fixed_length(query)]
        return [self.output_shape] if isinstance(self.output_shape, int) else self.output_shape
