"""The model of a run document."""

from collections import Counter
from collections.abc import Mapping
from typing import Annotated, Any, Self

from pydantic import BeforeValidator, Field, model_validator

from app.errors import InvalidDocument
from app.spec.base import SpecModel
from app.spec.graph import Graph, Node, join_layers
from app.spec.keras_json import check_depth, import_keras
from app.spec.layers import AnyLayer
from app.spec.layers.base import LayerName
from app.spec.mistakes import mistake

__all__ = ["Graph", "ModelSpec", "Node", "resolve_graph"]


def _as_mapping(value: Any) -> Any:
    """`"a"` and `["a", "b"]` as `{"a": "a", "b": "b"}`."""
    names = [value] if isinstance(value, str) else value
    if isinstance(names, list) and all(isinstance(name, str) for name in names):
        for name, count in Counter(names).items():
            if count > 1:
                raise mistake(f"Expected different layers; received {name} more than once.")
        return {name: name for name in names}
    return value


Outputs = Annotated[
    dict[LayerName, LayerName],
    BeforeValidator(
        _as_mapping, json_schema_input_type=LayerName | list[LayerName] | dict[LayerName, LayerName]
    ),
    Field(min_length=1, max_length=100),
]
"""A layer, a list of layers, or an object of names for layers."""


class ModelSpec(SpecModel):
    """A Keras model: its layers, or instead of them what Keras prints of it."""

    layers: Annotated[list[AnyLayer], Field(min_length=1, max_length=1000)] | None = None
    """A chain of layers, or a graph where layers name their `inputs`."""
    outputs: Outputs | None = None
    """The layers whose outputs are the model's; without it, the last layer."""
    keras: dict[str, Any] | str | None = None
    """What `model.to_json()` prints for a Sequential or Functional model of the same layers, as text or as
    the object that it is; nothing in it is executed."""

    @model_validator(mode="after")
    def _check_form(self) -> Self:
        if (self.layers is None) == (self.keras is None):
            received = "neither" if self.layers is None else "both"
            raise mistake(f"Expected either layers or keras; received {received}.")
        if self.keras is not None and self.outputs is not None:
            raise mistake("Expected no outputs beside keras, which has its own; received some.", "outputs")
        try:
            check_depth(self.keras, "")
        except InvalidDocument as error:
            raise mistake(error.problems[0].message, "keras") from error
        return self


def resolve_graph(model: ModelSpec, data_shapes: Mapping[str, tuple[int, ...]]) -> Graph:
    """Works out names, order, shapes and numbers of weights.

    Args:
        model: the document's model.
        data_shapes: the shape of one sample of each of the dataset's inputs, by name; `x` where it has
            only one, without a name. May be empty, where each Input has a shape.

    Raises:
        InvalidDocument: the layers don't fit together, or don't fit the data.
    """
    if model.keras is not None:
        imported = import_keras(model.keras, "/model/keras")
        try:
            return join_layers(imported.layers, imported.outputs, data_shapes, imported.outputs_pointer)
        except InvalidDocument as error:
            raise imported.located(error) from error
    layers = [(layer, f"/model/layers/{index}") for index, layer in enumerate(model.layers or [])]
    return join_layers(layers, model.outputs, data_shapes)
