"""What every layer has, and the words its arguments are made of."""

from collections.abc import Sequence
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, Field

from app.spec.base import SpecModel
from app.spec.regularizers import ActivityRegularizer

Shape = tuple[int | None, ...]
"""The shape of one sample, without the batch axis; `None` is a length that only the data decides."""

MAX_ELEMENTS = 2**26
"""Elements of one sample's outputs of all layers: 256 MB in float32, and for training as much again."""

LAYER_NAME = r"^[A-Za-z0-9][A-Za-z0-9_-]{0,99}$"
LayerName = Annotated[str, Field(pattern=LAYER_NAME)]
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

Sizes1 = Size | Annotated[tuple[Size, ...], Field(strict=False, min_length=1, max_length=1)]
Sizes2 = Size | Annotated[tuple[Size, ...], Field(strict=False, min_length=2, max_length=2)]
Sizes3 = Size | Annotated[tuple[Size, ...], Field(strict=False, min_length=3, max_length=3)]
"""One number for all axes, or one for each."""

Axis = Annotated[int, Field(ge=-9, le=9)]
"""An axis of a batch: 0 is the samples', 1 the first of each sample, -1 the last."""

Axes = Axis | Annotated[list[Axis], Field(min_length=1, max_length=8)]
"""An axis or several."""

DataFormat = Literal["channels_last"]
"""Where the channels are: TensorFlow's kernels for a CPU take them last only."""

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
    kerbs_own: ClassVar[tuple[str, ...]] = ()
    """The fields that aren't arguments of Keras's class."""
    nameless_parts: ClassVar[tuple[str, ...]] = ()
    """Keras's types of the layers without a name that it makes for this one; they count in its naming."""

    def infer_shape(self, inputs: Sequence[Shape]) -> Shape:
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

    def wrapped(self) -> dict[str, "Layer"]:
        """The layers inside this one, by field."""
        return {}

    def arguments(self) -> dict[str, Any]:
        """The fields that belong to this type of layer, by name."""
        own = type(self).model_fields.keys() - Layer.model_fields.keys()
        return {field: getattr(self, field) for field in own}


class RegularizedLayer(Layer):
    """A layer whose output may be penalised."""

    activity_regularizer: ActivityRegularizer | None = None
    """A penalty on the layer's output."""


def show(shape: Sequence[int | None]) -> str:
    """A shape as JSON prints it: `[2, null]`."""
    return "[" + ", ".join("null" if length is None else str(length) for length in shape) + "]"


def expect_rank(shape: Shape, rank: int) -> None:
    """That one sample of the input has `rank` axes.

    Raises:
        Misfit: it has more or fewer.
    """
    if len(shape) != rank:
        axes = "axis" if rank == 1 else "axes"
        raise Misfit(
            f"Expected an input with {rank} {axes} besides the samples; received shape {show(shape)}."
        )


def axis_position(axis: int, shape: Shape, field: str = "axis") -> int:
    """Where in a sample's shape an axis of the batch is: both 1 and, of two, -2 are 0.

    Raises:
        Misfit: there is no such axis, or it's the samples' own.
    """
    rank = len(shape)
    position = axis - 1 if axis >= 0 else axis + rank
    if not 0 <= position < rank:
        expected = f"an axis from 1 to {rank} or from -{rank} to -1" if rank else "an input with an axis"
        raise Misfit(f"Expected {expected} besides the samples; received {axis}.", field)
    return position


def axis_positions(axes: int | Sequence[int], shape: Shape, field: str = "axis") -> list[int]:
    """Where in a sample's shape some axes of the batch are.

    Raises:
        Misfit: there is no such axis, it's the samples' own, or it's named twice.
    """
    axes = [axes] if isinstance(axes, int) else axes
    positions = [axis_position(axis, shape, field) for axis in axes]
    if len(set(positions)) < len(positions):
        raise Misfit(f"Expected different axes; received {show(axes)}.", field)
    return positions


def fixed_length(shape: Shape, position: int = -1) -> int:
    """The length of an axis that a layer's weights depend on.

    Raises:
        Misfit: there is no axis, or its length is left to the data.
    """
    if not shape:
        raise Misfit("Expected an input with at least one axis besides the samples; received shape [].")
    length = shape[position]
    if length is None:
        raise Misfit(f"Expected an input with a fixed length in place of null; received shape {show(shape)}.")
    return length


def per_axis(value: int | Sequence[int], rank: int) -> tuple[int, ...]:
    """One number for each of `rank` axes."""
    return (value,) * rank if isinstance(value, int) else tuple(value)
