"""Input, Dense, Embedding, Activation, ActivityRegularization."""

from collections.abc import Sequence
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from app.spec.activations import Activation as ActivationName
from app.spec.initializers import Initializer
from app.spec.layers.base import Layer, RegularizedLayer, Shape, Size, fixed_length
from app.spec.regularizers import Regularizer
from app.spec.weight_constraints import WeightConstraint


class Input(Layer):
    """Where one of the dataset's inputs enters the model."""

    type: Literal["Input"] = "Input"
    shape: Annotated[list[Size | None], Field(max_length=8)] | None = None
    """The shape of one sample; `null` is a length that the data decides. Without it, the data's shape."""

    input_count: ClassVar[tuple[int, int | None]] = (0, 0)


class Dense(RegularizedLayer):
    """`activation(x · kernel + bias)` on the last axis."""

    type: Literal["Dense"] = "Dense"
    units: Size
    activation: ActivationName | None = None
    use_bias: bool = True
    kernel_initializer: Initializer = "glorot_uniform"
    bias_initializer: Initializer = "zeros"
    kernel_regularizer: Regularizer | None = None
    bias_regularizer: Regularizer | None = None
    kernel_constraint: WeightConstraint | None = None
    bias_constraint: WeightConstraint | None = None

    def infer_shape(self, inputs: Sequence[Shape]) -> Shape:
        fixed_length(inputs[0])
        return (*inputs[0][:-1], self.units)

    def parameter_count(self, inputs: Sequence[Shape]) -> int:
        return (fixed_length(inputs[0]) + self.use_bias) * self.units


class Activation(RegularizedLayer):
    """An activation on its own."""

    type: Literal["Activation"] = "Activation"
    activation: ActivationName


class Embedding(RegularizedLayer):
    """A vector for each whole number from 0 to `input_dim - 1`; fractions are cut off."""

    type: Literal["Embedding"] = "Embedding"
    input_dim: Size
    output_dim: Size
    embeddings_initializer: Initializer = "uniform"
    embeddings_regularizer: Regularizer | None = None
    embeddings_constraint: WeightConstraint | None = None
    mask_zero: bool = False
    """Whether 0 stands for padding that the layers after this one are to skip."""

    def infer_shape(self, inputs: Sequence[Shape]) -> Shape:
        return (*inputs[0], self.output_dim)

    def parameter_count(self, inputs: Sequence[Shape]) -> int:
        return self.input_dim * self.output_dim


class ActivityRegularization(Layer):
    """Passes its input on, with a penalty on it."""

    type: Literal["ActivityRegularization"] = "ActivityRegularization"
    l1: Annotated[float, Field(ge=0)] = 0.0
    l2: Annotated[float, Field(ge=0)] = 0.0
    reduction: Literal["per_sample", "sum"] = "per_sample"
    """As an `activity_regularizer`'s: the sum over the batch, divided by the batch size or not."""

    kerbs_own: ClassVar[tuple[str, ...]] = ("reduction",)
