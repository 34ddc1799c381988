"""Layers that walk along a sequence `(steps, features)`."""

from collections.abc import Sequence
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, Field

from app.spec.activations import Activation
from app.spec.initializers import Initializer
from app.spec.layers.base import (
    Misfit,
    Rate,
    RegularizedLayer,
    Seed,
    Shape,
    Size,
    expect_rank,
    fixed_length,
    show,
)
from app.spec.mistakes import mistake
from app.spec.regularizers import Regularizer
from app.spec.weight_constraints import WeightConstraint

MAX_UNROLLED_STEPS = 200
"""Steps that are laid out one by one in the compiled program: some 0.1 s each to compile for an LSTM."""


def _false(reason: str) -> Any:
    """An argument of Keras's that can only be false."""

    def check(value: bool) -> bool:
        if value:
            raise mistake(f"Expected false, as {reason}; received true.")
        return value

    return AfterValidator(check)


OneOutput = Annotated[bool, _false("a layer has one output")]
Stateless = Annotated[bool, _false("batches are drawn at random and none follows another")]


class Recurrent(RegularizedLayer):
    """What recurrent layers have in common."""

    units: Size
    activation: Activation = "tanh"
    use_bias: bool = True
    kernel_initializer: Initializer = "glorot_uniform"
    recurrent_initializer: Initializer = "orthogonal"
    bias_initializer: Initializer = "zeros"
    kernel_regularizer: Regularizer | None = None
    recurrent_regularizer: Regularizer | None = None
    bias_regularizer: Regularizer | None = None
    kernel_constraint: WeightConstraint | None = None
    recurrent_constraint: WeightConstraint | None = None
    bias_constraint: WeightConstraint | None = None
    dropout: Rate = 0.0
    """Share of the inputs that is dropped while training."""
    recurrent_dropout: Rate = 0.0
    """Share of the recurrent state that is dropped while training."""
    seed: Seed | None = None
    return_sequences: bool = False
    """Whether the output has every step, or only the last."""
    return_state: OneOutput = False
    """Always false."""
    go_backwards: bool = False
    stateful: Stateless = False
    """Always false."""
    unroll: bool = False
    """Whether steps are laid out one by one: quicker for a few, too large for many."""

    gates: ClassVar[int]

    def infer_shape(self, inputs: Sequence[Shape]) -> Shape:
        (shape,) = inputs
        expect_rank(shape, 2)
        fixed_length(shape)
        steps = shape[0]
        if self.unroll:
            check_unrolled(steps, "unroll")
        return (steps, self.units) if self.return_sequences else (self.units,)

    def parameter_count(self, inputs: Sequence[Shape]) -> int:
        columns = self.gates * self.units
        return (fixed_length(inputs[0]) + self.units + self.use_bias) * columns


class SimpleRNN(Recurrent):
    """`hₜ = activation(xₜ · kernel + hₜ₋₁ · recurrent_kernel + bias)`."""

    type: Literal["SimpleRNN"] = "SimpleRNN"

    gates: ClassVar[int] = 1


class LSTM(Recurrent):
    """Long short-term memory."""

    type: Literal["LSTM"] = "LSTM"
    recurrent_activation: Activation = "sigmoid"
    unit_forget_bias: bool = True
    """Whether the forget gate's bias starts at 1."""

    gates: ClassVar[int] = 4


class GRU(Recurrent):
    """Gated recurrent unit."""

    type: Literal["GRU"] = "GRU"
    recurrent_activation: Activation = "sigmoid"
    reset_after: bool = True
    """Whether the reset gate acts after the recurrent product, which has a bias of its own then."""

    gates: ClassVar[int] = 3

    def parameter_count(self, inputs: Sequence[Shape]) -> int:
        own_bias = self.gates * self.units * (self.use_bias and self.reset_after)
        return super().parameter_count(inputs) + own_bias


RecurrentLayer = Annotated[SimpleRNN | LSTM | GRU, Field(discriminator="type")]


def check_unrolled(steps: int | None, field: str = "") -> None:
    """That steps which are laid out one by one are known and few.

    Raises:
        Misfit: they aren't.
    """
    if steps is None or steps > MAX_UNROLLED_STEPS:
        raise Misfit(
            f"Expected at most {MAX_UNROLLED_STEPS} steps to lay out one by one; received {show((steps,))}.",
            field,
        )
