"""Layers that hold another layer."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from app.spec.layers.base import Layer, Misfit, RegularizedLayer, Shape, show
from app.spec.layers.plain import PlainLayer
from app.spec.layers.recurrent import Recurrent, RecurrentLayer, check_unrolled
from app.spec.mistakes import mistake


class Bidirectional(RegularizedLayer):
    """A recurrent layer forwards and a copy of it backwards along the sequence."""

    type: Literal["Bidirectional"] = "Bidirectional"
    layer: RecurrentLayer
    merge_mode: Literal["concat", "sum", "mul", "ave"] = "concat"
    """How the two outputs become one."""

    @model_validator(mode="after")
    def _check_layer(self) -> Self:
        _check_inner(self.layer)
        if self.layer.go_backwards:
            raise mistake(
                "Expected false, as the copy goes backwards; received true.", "layer", "go_backwards"
            )
        return self

    def infer_shape(self, inputs: Sequence[Shape]) -> Shape:
        with _blaming_layer():
            shape = self.layer.infer_shape(inputs)
        return (*shape[:-1], 2 * self.layer.units) if self.merge_mode == "concat" else shape

    def parameter_count(self, inputs: Sequence[Shape]) -> int:
        return 2 * self.layer.parameter_count(inputs)

    def wrapped(self) -> dict[str, Layer]:
        return {"layer": self.layer}


class TimeDistributed(RegularizedLayer):
    """The same layer at every step of a sequence."""

    type: Literal["TimeDistributed"] = "TimeDistributed"
    layer: Annotated[PlainLayer | Bidirectional, Field(discriminator="type")]

    @model_validator(mode="after")
    def _check_layer(self) -> Self:
        _check_inner(self.layer)
        for path, layer in [(["layer"], self.layer), (["layer", "layer"], self.layer.wrapped().get("layer"))]:
            if isinstance(layer, Recurrent) and layer.unroll:
                raise mistake(
                    "Expected false, as each step would lay it out again; received true.", *path, "unroll"
                )
        return self

    def infer_shape(self, inputs: Sequence[Shape]) -> Shape:
        steps, inner = self._split(inputs[0])
        check_unrolled(steps)
        with _blaming_layer():
            return (steps, *self.layer.infer_shape([inner]))

    def parameter_count(self, inputs: Sequence[Shape]) -> int:
        return self.layer.parameter_count([self._split(inputs[0])[1]])

    def wrapped(self) -> dict[str, Layer]:
        return {"layer": self.layer}

    @staticmethod
    def _split(shape: Shape) -> tuple[int | None, Shape]:
        """The steps of a sequence, and the shape of one of them."""
        if len(shape) < 2:
            raise Misfit(
                f"Expected an input with at least 2 axes besides the samples; received shape {show(shape)}."
            )
        return shape[0], shape[1:]


def _check_inner(layer: Layer) -> None:
    """That a layer inside another has nothing that only makes sense outside."""
    if layer.inputs is not None:
        raise mistake("Expected no inputs in a layer that another holds; received some.", "layer", "inputs")
    if isinstance(layer, RegularizedLayer) and layer.activity_regularizer is not None:
        raise mistake(
            "Expected the activity regularizer on the layer that holds this one; received it here.",
            "layer",
            "activity_regularizer",
        )


@contextmanager
def _blaming_layer() -> Iterator[None]:
    """Points a misfit of the layer inside to its place."""
    try:
        yield
    except Misfit as misfit:
        raise Misfit(misfit.message, f"layer/{misfit.field}".rstrip("/")) from misfit
