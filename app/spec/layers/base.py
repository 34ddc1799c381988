"""What every layer has, and the words its arguments are made of."""

from collections.abc import Sequence
from typing import Annotated, Any, ClassVar

from pydantic import BeforeValidator, Field

from app.spec.base import SpecModel
from app.spec.regularizers import ActivityRegularizer

Shape = tuple[int | None, ...]
"""The shape of one sample, without the batch axis; `None` is a length that only the data decides."""

LayerName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]*$", max_length=100)]
"""Letters, digits, `_` and `-`: names become parts of variable paths and of file entries."""


def _as_list(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


LayerInputs = Annotated[
    list[LayerName],
    BeforeValidator(_as_list, json_schema_input_type=LayerName | list[LayerName]),
    Field(min_length=1, max_length=100),
]
"""One layer name or a list of them."""

Size = Annotated[int, Field(ge=1, le=1_000_000)]
"""A number of units, filters, steps or classes."""

Rate = Annotated[float, Field(ge=0, le=1)]
"""A share of the elements, in [0, 1]."""

Seed = Annotated[int, Field(ge=0, lt=2**31)]
"""The seed of one layer's or initializer's own random numbers."""


class Misfit(ValueError):
    """A layer doesn't fit the shape it gets.

    Args:
        message: "Expected …; received …".
        field: the field of the layer to blame, a relative JSON Pointer such as `kernel_size/0`; `""`
            blames the layer as a whole.
    """

    def __init__(self, message: str, field: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.field = field


class Layer(SpecModel):
    """Base of every layer.

    A subclass has a `type`, Keras's class name, and Keras's arguments as fields; it knows the shape of
    its output and the number of its weights without building anything.
    """

    type: str
    """Keras's class name."""
    name: LayerName | None = None
    """Unique in the model; without one the layer is named as Keras would: `dense`, `dense_1`, …"""
    inputs: LayerInputs | None = None
    """The layers whose outputs this one takes; without it, the layer before it in the list."""
    trainable: bool = True
    """Whether training changes the layer's weights."""

    input_count: ClassVar[tuple[int, int | None]] = (1, 1)
    """The least and the greatest number of inputs; `None` is any number."""

    def output_shape(self, inputs: Sequence[Shape]) -> Shape:
        """The shape of one sample of the output.

        Args:
            inputs: the shape of each input, in order.

        Raises:
            Misfit: the layer can't take these shapes.
        """
        return inputs[0]

    def parameter_count(self, inputs: Sequence[Shape]) -> int:
        """The number of weights, trainable or not, as Keras's `count_params`."""
        return 0

    def inner_types(self) -> tuple[str, ...]:
        """The types of the nameless layers that Keras makes along with this one; they count in its naming."""
        return ()

    def arguments(self) -> dict[str, Any]:
        """The arguments for Keras's class of the same name, other than `name`."""
        own = type(self).model_fields.keys() - Layer.model_fields.keys()
        return {field: getattr(self, field) for field in own}


class RegularizedLayer(Layer):
    """A layer whose output may be penalised."""

    activity_regularizer: ActivityRegularizer | None = None
    """A penalty on the layer's output."""


def show(shape: Shape) -> str:
    """A shape as JSON prints it: `[2, null]`."""
    return "[" + ", ".join("null" if length is None else str(length) for length in shape) + "]"


def last_length(shape: Shape, field: str = "") -> int:
    """The length of the last axis, which a layer's weights depend on.

    Raises:
        Misfit: there is no axis, or its length isn't known.
    """
    if not shape:
        raise Misfit("Expected an input with at least one axis besides the samples; received shape []", field)
    length = shape[-1]
    if length is None:
        raise Misfit(
            f"Expected an input whose last axis has a fixed length; received shape {show(shape)}", field
        )
    return length


def expect_rank(shape: Shape, rank: int) -> None:
    """Raises:
    Misfit: one sample of the input doesn't have `rank` axes.
    """
    if len(shape) != rank:
        axes = "axis" if rank == 1 else "axes"
        raise Misfit(
            f"Expected an input with {rank} {axes} besides the samples; received shape {show(shape)}"
        )
