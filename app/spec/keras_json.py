"""Import of what `model.to_json()` prints, for models made of the layers of the language.

Every layer becomes the same layer of the language, checked like one that was written by hand.
"""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from app.errors import FieldProblem, InvalidDocument
from app.spec.keras_layer_json import (
    checked_layer,
    known_class,
    layer_document,
    object_in,
    place_in_json,
    text_in,
)
from app.spec.layers.attention import MultiHeadAttention
from app.spec.layers.base import Layer
from app.spec.layers.core import Input
from app.spec.pointers import join, received
from app.spec.strict_json import read_json

MAX_DEPTH = 64
"""Objects and lists inside one another; Keras nests about 15."""

MAX_ENTRIES = 2000
"""Layers, and operations for their masks."""

MASK_OPERATIONS = (
    "NotEqual",
    "ExpandDims",
    "ZerosLike",
    "OnesLike",
    "LogicalOr",
    "Any",
    "All",
    "Concatenate",
)
"""What Keras lists beside the layers where an Embedding with `mask_zero` makes masks for those after it."""


class ImportedModel(NamedTuple):
    """A model read from Keras's JSON.

    Attributes:
        layers: each with the JSON Pointer to where it was read.
        outputs: layers by the names of the outputs; None where the last layer is the output.
        outputs_pointer: JSON Pointer to where these were read.
    """

    layers: list[tuple[Layer, str]]
    outputs: dict[str, str] | None
    outputs_pointer: str

    def located(self, error: InvalidDocument) -> InvalidDocument:
        """A mistake that was found in the layers, with pointers to where they were read."""
        return InvalidDocument(
            [FieldProblem(self._place(place), message) for place, message in error.problems]
        )

    def _place(self, pointer: str) -> str:
        for _, layer in self.layers:
            if pointer.startswith(f"{layer}/"):
                return place_in_json(layer, pointer.removeprefix(layer))
        return pointer


def import_keras(keras: Mapping[str, Any] | str, pointer: str) -> ImportedModel:
    """The layers of a Sequential or Functional model.

    Args:
        keras: what `model.to_json()` prints, as text or parsed.
        pointer: JSON Pointer to it.

    Raises:
        InvalidDocument: it isn't such a model, or has a layer or an argument that isn't in the language.
    """
    model = _parsed(keras, pointer)
    check_depth(model, pointer)
    kind = text_in(model, "class_name", pointer)
    if kind not in ("Sequential", "Functional"):
        raise InvalidDocument.at(
            f"{pointer}/class_name", f'Expected "Sequential" or "Functional"; received {received(kind)}.'
        )
    config = object_in(model, "config", pointer)
    pointer = f"{pointer}/config"
    entries = config.get("layers")
    if not isinstance(entries, list) or not 0 < len(entries) <= MAX_ENTRIES:
        raise InvalidDocument.at(
            f"{pointer}/layers",
            f"Expected a list of 1 to {MAX_ENTRIES} layers; received {received(entries)}.",
        )
    masks = _mask_operations(entries)
    layers = [
        (_layer(entry, f"{pointer}/layers/{index}", kind, masks), f"{pointer}/layers/{index}")
        for index, entry in enumerate(entries)
        if not (isinstance(entry, dict) and _is_mask(entry, masks))
    ]
    outputs_pointer = f"{pointer}/output_layers"
    outputs = None if kind == "Sequential" else _outputs(config.get("output_layers"), outputs_pointer)
    return ImportedModel(layers, outputs, outputs_pointer)


def check_depth(value: Any, pointer: str) -> None:
    """That objects and lists aren't deeper than any model is.

    Raises:
        InvalidDocument: they are.
    """
    level = [value]
    for _ in range(MAX_DEPTH):
        level = [inner for outer in level for inner in _contents(outer)]
        if not level:
            return
    raise InvalidDocument.at(pointer, f"Expected at most {MAX_DEPTH} levels of nesting; received more.")


def _contents(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else []


def _parsed(keras: Mapping[str, Any] | str, pointer: str) -> Mapping[str, Any]:
    if not isinstance(keras, str):
        return keras
    try:
        model = read_json(keras.encode(errors="replace"))
    except InvalidDocument as error:
        raise InvalidDocument.at(pointer, error.problems[0].message) from error
    if not isinstance(model, dict):
        raise InvalidDocument.at(pointer, f"Expected the JSON of an object; received {received(model)}.")
    return model


def _layer(entry: Any, pointer: str, model_kind: str, masks: set[str]) -> Layer:
    """One entry of `layers`, with its inputs where the model is a graph."""
    if not isinstance(entry, dict):
        raise InvalidDocument.at(pointer, f"Expected a layer; received {received(entry)}.")
    layer_class = known_class(entry, pointer)
    document = layer_document(layer_class, entry, pointer)
    if model_kind == "Functional" and layer_class is not Input:
        document |= _call(layer_class, entry.get("inbound_nodes"), f"{pointer}/inbound_nodes", masks)
    return checked_layer(layer_class, document, pointer)


def _call(layer_class: type[Layer], nodes: Any, pointer: str, masks: set[str]) -> dict[str, Any]:
    """What a layer was called with: its inputs, and for attention whether it's causal."""
    if not isinstance(nodes, list) or len(nodes) != 1:
        uses = len(nodes) if isinstance(nodes, list) else 0
        raise InvalidDocument.at(
            pointer, f"Expected a layer that is used once, as weights aren't shared; received {uses} uses."
        )
    node, pointer = nodes[0], f"{pointer}/0"
    if not isinstance(node, dict) or not isinstance(node.get("args"), list):
        raise InvalidDocument.at(
            pointer, f"Expected an object with args and kwargs; received {received(node)}."
        )
    kwargs = dict(object_in(node, "kwargs", pointer))
    arguments = list(node["args"])
    call: dict[str, Any] = {}
    if layer_class is MultiHeadAttention:
        names = ("query", "value", "key")[len(arguments) :]
        arguments += [kwargs.pop(name) for name in names if kwargs.get(name) is not None]
        call["use_causal_mask"] = kwargs.pop("use_causal_mask", False)
    for key, value in kwargs.items():
        computed = key == "mask" and all(source in masks for source in _sources(value))
        if not computed and value not in (None, False):
            raise InvalidDocument.at(
                join(pointer, "kwargs", key),
                f"Expected no such argument of the call; received {received(value)}.",
            )
    return call | {"inputs": [_source(tensor, f"{pointer}/args") for tensor in _flat(arguments)]}


def _flat(values: list[Any]) -> list[Any]:
    return [inner for value in values for inner in (_flat(value) if isinstance(value, list) else [value])]


def _source(tensor: Any, pointer: str) -> str:
    """The layer whose output a tensor is."""
    if isinstance(tensor, dict) and tensor.get("class_name") == "__keras_tensor__":
        return _only_output(object_in(tensor, "config", pointer).get("keras_history"), pointer)
    raise InvalidDocument.at(pointer, f"Expected outputs of layers only; received {received(tensor)}.")


def _only_output(history: Any, pointer: str) -> str:
    """The layer's name in `[name, 0, 0]`."""
    if (
        isinstance(history, list)
        and len(history) == 3
        and isinstance(history[0], str)
        and history[1:] == [0, 0]
    ):
        return history[0]
    raise InvalidDocument.at(
        pointer, f"Expected the only output of a layer that is used once; received {received(history)}."
    )


def _outputs(value: Any, pointer: str) -> dict[str, str]:
    """The layers of the model's outputs: `[name, 0, 0]`, a list of those, or an object of them."""
    if isinstance(value, dict) and value:
        return {name: _only_output(history, join(pointer, name)) for name, history in value.items()}
    alone = isinstance(value, list) and bool(value) and isinstance(value[0], str)
    histories = [value] if alone else value
    if not isinstance(histories, list) or not histories:
        raise InvalidDocument.at(pointer, f"Expected the model's outputs; received {received(value)}.")
    names = [_only_output(history, f"{pointer}/{index}") for index, history in enumerate(histories)]
    if len(set(names)) < len(names):
        raise InvalidDocument.at(pointer, "Expected different outputs; received one of them twice.")
    return {name: name for name in names}


def _mask_operations(entries: list[Any]) -> set[str]:
    """The names of the operations that only pass on which elements an Embedding with `mask_zero` masks.

    The layers make those masks again by themselves.
    """
    nodes = [entry for entry in entries if isinstance(entry, dict)]
    masked = {
        source
        for entry in nodes
        if entry.get("class_name") == "Embedding" and _config(entry).get("mask_zero") is True
        for source in _sources(entry.get("inbound_nodes"))
    }
    masks: set[str] = set()
    for entry in nodes:
        sources = set(_sources(entry.get("inbound_nodes")))
        known = sources <= masked if entry.get("class_name") == "NotEqual" else bool(sources & masks)
        kind = entry.get("class_name")
        if _is_operation(entry) and kind in MASK_OPERATIONS and (known or kind in ("ZerosLike", "OnesLike")):
            masks.add(str(entry.get("name")))
    return masks


def _is_mask(entry: Mapping[str, Any], masks: set[str]) -> bool:
    return _is_operation(entry) and str(entry.get("name")) in masks


def _is_operation(entry: Mapping[str, Any]) -> bool:
    return str(entry.get("module")).startswith("keras.src.ops.")


def _config(entry: Mapping[str, Any]) -> dict[str, Any]:
    config = entry.get("config")
    return config if isinstance(config, dict) else {}


def _sources(value: Any) -> Iterator[str]:
    """The names of all layers and operations whose outputs are somewhere in a value."""
    waiting = [value]
    while waiting:
        value = waiting.pop()
        history = _config(value).get("keras_history") if isinstance(value, dict) else None
        if isinstance(history, list) and history:
            yield str(history[0])
        else:
            waiting += _contents(value)
