"""One layer of what `model.to_json()` prints, as the same layer of the language.

Nothing in the JSON is looked up by its name or executed: a class, a module or a function that isn't in the
language is refused with its name and its place.
"""

from collections.abc import Mapping
from typing import Any, get_args

from app.errors import FieldProblem, InvalidDocument
from app.spec.layers import AnyLayer
from app.spec.layers.base import Layer
from app.spec.layers.core import Input
from app.spec.layers.hard import Bounded, Simplex, TopK
from app.spec.pointers import join, received

LAYERS: dict[str, type[Layer]] = {
    "InputLayer" if layer is Input else layer.__name__: layer
    for layer in get_args(get_args(AnyLayer)[0])
    if layer not in (Bounded, Simplex, TopK)
}
"""The layers of the language by Keras's class name."""

UNUSED: dict[str, tuple[Any, ...]] = {
    "activity_regularizer": (None,),
    "batch_size": (None,),
    "lora_alpha": (None,),
    "lora_rank": (None,),
    "optional": (False, None),
    "quantization_config": (None,),
    "ragged": (False, None),
    "rms_scaling": (False,),
    "sparse": (False, None),
    "synchronized": (False,),
    "weights": (None,),
    "zero_output_for_mask": (False,),
}
"""What the language has no word for, with the values that say that it isn't used."""

INPUT_DTYPES = ("float32", "float64", "int32", "int64", "uint8")
"""Kerb's data is float32, in which whole numbers up to 2²⁴ are exact; Embedding turns them back."""


def known_class(entry: Mapping[str, Any], pointer: str) -> type[Layer]:
    """The language's class for a layer of Keras's own.

    Raises:
        InvalidDocument: it's another; the message has the class, the layer's name and the place.
    """
    kind = text_in(entry, "class_name", pointer)
    config = entry.get("config")
    name = config.get("name") if isinstance(config, dict) else None
    module, registered = entry.get("module"), entry.get("registered_name")
    what = f'a layer "{kind}" named {received(name)}'
    if kind in ("Functional", "Sequential"):
        raise InvalidDocument.at(
            pointer, f"Expected the layers of an inner model in its place; received {what}."
        )
    if kind not in LAYERS:
        raise InvalidDocument.at(pointer, f"Expected a layer of the language; received {what}.")
    if module != "keras.layers" or registered not in (None, kind):
        raise InvalidDocument.at(
            pointer,
            f"Expected a layer of Keras's own, from keras.layers; received {what} "
            f"from {received(module)}, registered as {received(registered)}.",
        )
    return LAYERS[kind]


def layer_document(layer_class: type[Layer], entry: Mapping[str, Any], pointer: str) -> dict[str, Any]:
    """The layer as a document of the language has it, but for its inputs."""
    pointer = f"{pointer}/config"
    document: dict[str, Any] = {"type": layer_class.__name__}
    for field, value in object_in(entry, "config", pointer.removesuffix("/config")).items():
        where = join(pointer, field)
        if field == "dtype":
            _check_dtype(value, layer_class, where)
        elif field == "batch_shape":
            document["shape"] = _sample_shape(value, where)
        elif field == "layer":
            document["layer"] = _inner_document(value, where)
        elif field == "backward_layer":
            _check_copy(entry["config"].get("layer"), value, where)
        elif not (field in UNUSED and value in UNUSED[field]):
            document[field] = _value(value, where)
    return document


def _inner_document(entry: Any, pointer: str) -> dict[str, Any]:
    """The layer that another holds."""
    if not isinstance(entry, dict):
        raise InvalidDocument.at(pointer, f"Expected a layer; received {received(entry)}.")
    layer_class = known_class(entry, pointer)
    config = {**object_in(entry, "config", pointer)}
    # Bidirectional sets this itself, and puts its prefix before the name.
    config.pop("zero_output_for_mask", None)
    if isinstance(config.get("name"), str):
        config["name"] = config["name"].removeprefix("forward_")
    document = layer_document(layer_class, {**entry, "config": config}, pointer)
    checked_layer(layer_class, document, pointer)
    return document


def _check_copy(forward: Any, backward: Any, pointer: str) -> None:
    """That Bidirectional's backward layer is the forward one turned round."""

    def essence(entry: Any) -> Any:
        config = entry.get("config") if isinstance(entry, dict) else None
        if not isinstance(config, dict):
            return None
        ignored = ("name", "go_backwards")
        return entry.get("class_name"), {key: config[key] for key in config if key not in ignored}

    turned = isinstance(backward, dict) and object_in(backward, "config", pointer).get("go_backwards")
    if turned is not True or essence(forward) != essence(backward):
        raise InvalidDocument.at(pointer, "Expected the forward layer turned round; received another.")


def _value(value: Any, pointer: str) -> Any:
    """A field's value; initializers, regularizers and constraints in the language's form."""
    if not isinstance(value, dict) or "class_name" not in value:
        return value
    module, kind, registered = value.get("module"), value["class_name"], value.get("registered_name")
    known = ("keras.initializers", "keras.regularizers", "keras.constraints")
    if module not in known or not isinstance(kind, str) or registered not in (None, kind):
        raise InvalidDocument.at(
            pointer,
            f"Expected an initializer, regularizer or constraint of Keras's own; received {received(kind)} "
            f"from {received(module)}, registered as {received(registered)}.",
        )
    config = object_in(value, "config", pointer)
    names = {"L1": "l1", "L2": "l2", "L1L2": "l1_l2", "OrthogonalRegularizer": "orthogonal"}
    return {**config, "type": names.get(kind, kind) if module == "keras.regularizers" else kind}


def checked_layer(layer_class: type[Layer], document: dict[str, Any], pointer: str) -> Layer:
    """The layer of a document, with the pointers of mistakes into Keras's JSON."""
    # Imported here because the parser of the run document needs the models that this module makes.
    from app.spec.parsing import parse

    try:
        return parse(layer_class, document)
    except InvalidDocument as error:
        raise InvalidDocument(
            [FieldProblem(place_in_json(pointer, field), message) for field, message in error.problems]
        ) from error


def place_in_json(pointer: str, field: str) -> str:
    """Where a field of a layer's document stands in Keras's JSON.

    Args:
        pointer: JSON Pointer to the layer there.
        field: pointer within the layer's document; what is inside a field has another form there, so only
            the field itself is found.
    """
    if not field:
        return pointer
    name = field.split("/")[1]
    if name == "inputs":
        return f"{pointer}/inbound_nodes"
    return f"{pointer}/config/{'batch_shape' if name == 'shape' else name}"


def _check_dtype(value: Any, layer_class: type[Layer], pointer: str) -> None:
    allowed = INPUT_DTYPES if layer_class is Input else ("float32",)
    is_policy = isinstance(value, dict) and value.get("class_name") == "DTypePolicy"
    name = object_in(value, "config", pointer).get("name") if is_policy else value
    if name is not None and name not in allowed:
        raise InvalidDocument.at(pointer, f'Expected "{allowed[0]}"; received {received(name)}.')


def _sample_shape(value: Any, pointer: str) -> list[Any]:
    if not isinstance(value, list) or not value or value[0] is not None:
        raise InvalidDocument.at(
            pointer, f"Expected a list that begins with null, for any batch size; received {received(value)}."
        )
    return value[1:]


def text_in(entry: Mapping[str, Any], key: str, pointer: str) -> str:
    """The text under a key.

    Raises:
        InvalidDocument: there is none.
    """
    value = entry.get(key)
    if not isinstance(value, str):
        raise InvalidDocument.at(f"{pointer}/{key}", f"Expected text; received {received(value)}.")
    return value


def object_in(entry: Mapping[str, Any], key: str, pointer: str) -> dict[str, Any]:
    """The object under a key.

    Raises:
        InvalidDocument: there is none.
    """
    value = entry.get(key)
    if not isinstance(value, dict):
        raise InvalidDocument.at(f"{pointer}/{key}", f"Expected an object; received {received(value)}.")
    return value
