"""Names for the layers of a model, as Keras gives them in a fresh process."""

import re
from collections import Counter
from collections.abc import Sequence

from app.errors import InvalidDocument
from app.spec.layers.base import Layer
from app.spec.layers.core import Input
from app.spec.pointers import received


def named(layers: Sequence[tuple[Layer, str]]) -> list[tuple[Layer, str]]:
    """The layers, each with a name; also those inside others.

    Args:
        layers: each with the JSON Pointer to it.

    Raises:
        InvalidDocument: two layers have the same name.
    """
    given: set[str] = set()
    for layer, pointer in layers:
        if layer.name in given:
            raise InvalidDocument.at(
                f"{pointer}/name",
                f"Expected a name that no other layer has; received {received(layer.name)}.",
            )
        if layer.name is not None:
            given.add(layer.name)
    counts: Counter[str] = Counter()
    return [(_with_name(layer, counts, given), pointer) for layer, pointer in layers]


def _with_name(layer: Layer, counts: Counter[str], given: set[str]) -> Layer:
    # Keras counts each layer that it makes without a name, those inside others too, which it makes first.
    update: dict[str, object] = {
        field: _with_name(inner, counts, set()) for field, inner in layer.wrapped().items()
    }
    if layer.name is None:
        update["name"] = _next_name(layer, counts, given)
    for part in layer.nameless_parts:
        counts[snake_case(part)] += 1
    return layer.model_copy(update=update)


def _next_name(layer: Layer, counts: Counter[str], given: set[str]) -> str:
    base = "input_layer" if isinstance(layer, Input) else snake_case(layer.type)
    while True:
        name = f"{base}_{counts[base]}" if counts[base] else base
        counts[base] += 1
        if name not in given:
            return name


def snake_case(class_name: str) -> str:
    """The name Keras derives from a class: `MaxPooling2D` gives `max_pooling2d`."""
    name = re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", class_name)
    return re.sub(r"([a-z])([A-Z])", r"\1_\2", name).lower()
