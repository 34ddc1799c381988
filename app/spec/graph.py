"""Layers joined to a graph: names, order, shapes and numbers of weights, in plain Python.

Nothing is built here, so that a wrong or an enormous model is refused before a worker hears of it.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod

from app.errors import InvalidDocument
from app.spec.layer_names import named
from app.spec.layers.base import LAYER_NAME, MAX_ELEMENTS, Layer, Misfit, Shape, show
from app.spec.layers.core import Input
from app.spec.names import did_you_mean
from app.spec.pointers import received

MAX_PARAMETERS = 100_000_000
"""Weights of one model: 400 MB in float32, and three times that while Adam trains it."""


@dataclass(frozen=True)
class Node:
    """One layer in its place.

    Attributes:
        name: unique in the graph.
        layer: the layer's part of the document.
        inputs: the names of the nodes it takes, in order.
        input_shapes: the shape of one sample of each input.
        shape: the shape of one sample of its output.
        parameter_count: its weights, trainable or not.
        pointer: JSON Pointer to it in the run document.
    """

    name: str
    layer: Layer
    inputs: tuple[str, ...]
    input_shapes: tuple[Shape, ...]
    shape: Shape
    parameter_count: int
    pointer: str


@dataclass(frozen=True)
class Graph:
    """A model's layers, each after those it takes.

    Attributes:
        nodes: in an order in which they can be computed.
        inputs: the shape of one sample of each input, by the name of its Input node.
        outputs: the name of the node of each output, by the output's name.
    """

    nodes: tuple[Node, ...]
    inputs: dict[str, Shape]
    outputs: dict[str, str]

    @property
    def parameter_count(self) -> int:
        """Weights of the whole model, trainable or not."""
        return sum(node.parameter_count for node in self.nodes)

    @property
    def output_shapes(self) -> dict[str, Shape]:
        """The shape of one sample of each output, by the output's name."""
        shapes = {node.name: node.shape for node in self.nodes}
        return {output: shapes[name] for output, name in self.outputs.items()}


@dataclass(frozen=True)
class _Wired:
    """A layer with its name and inputs settled, but not its shape."""

    name: str
    layer: Layer
    inputs: tuple[str, ...]
    pointer: str


def join_layers(
    layers: Sequence[tuple[Layer, str]],
    outputs: Mapping[str, str] | None,
    data_shapes: Mapping[str, tuple[int, ...]],
    outputs_pointer: str = "/model/outputs",
) -> Graph:
    """The graph of these layers.

    Args:
        layers: each with the JSON Pointer to it; at least one.
        outputs: layers by the names of the outputs; None is the last layer alone.
        data_shapes: the shape of one sample of each of the dataset's inputs, by name; `x` where there is
            one without a name. Empty where there is no data, and then every Input needs a shape.
        outputs_pointer: JSON Pointer to `outputs`.

    Raises:
        InvalidDocument: the layers don't fit together, or don't fit the data.
    """
    wired = _wire(named(_with_input(layers, data_shapes)))
    if outputs is None:
        outputs = {wired[-1].name: wired[-1].name}
    ordered = _in_order(wired)
    _check_outputs(outputs, wired, outputs_pointer)
    nodes = _with_shapes(ordered, data_shapes)
    count = sum(node.parameter_count for node in nodes)
    if count > MAX_PARAMETERS:
        largest = max(nodes, key=lambda node: node.parameter_count)
        raise InvalidDocument.at(
            largest.pointer,
            f"Expected a model with at most {MAX_PARAMETERS} weights; received {count}, "
            f"of which {largest.parameter_count} in {largest.name}.",
        )
    return Graph(
        nodes=tuple(nodes),
        inputs={node.name: node.shape for node in nodes if isinstance(node.layer, Input)},
        outputs=dict(outputs),
    )


def _with_input(
    layers: Sequence[tuple[Layer, str]], data_shapes: Mapping[str, tuple[int, ...]]
) -> list[tuple[Layer, str]]:
    """The layers, with an Input before a chain that has none."""
    first, pointer = layers[0]
    if isinstance(first, Input) or first.inputs is not None:
        return list(layers)
    if len(data_shapes) != 1:
        names = ", ".join(data_shapes) or "none"
        raise InvalidDocument.at(
            pointer,
            f"Expected an Input layer for each input of the data ({names}); received {first.type} first.",
        )
    (name,) = data_shapes
    has_name = name != "x" and re.fullmatch(LAYER_NAME, name)
    return [(Input(name=name if has_name else None), pointer), *layers]


def _wire(layers: Sequence[tuple[Layer, str]]) -> list[_Wired]:
    """The named layers with their inputs by name."""
    names = [str(layer.name) for layer, _ in layers]
    known = set(names)
    wired = []
    for index, (layer, pointer) in enumerate(layers):
        inputs = _input_names(layer, names, index)
        for position, name in enumerate(inputs):
            if name not in known:
                raise InvalidDocument.at(f"{pointer}/inputs/{position}", _unknown_layer(name, names))
        least, most = layer.input_count
        if len(inputs) < least or (most is not None and len(inputs) > most):
            many = (
                f"{least}" if least == most else f"at least {least}" if most is None else f"{least} to {most}"
            )
            raise InvalidDocument.at(
                f"{pointer}/inputs", f"Expected {many} inputs of {layer.type}; received {len(inputs)}."
            )
        wired.append(_Wired(names[index], layer, inputs, pointer))
    return wired


def _input_names(layer: Layer, names: Sequence[str], index: int) -> tuple[str, ...]:
    if layer.inputs is not None:
        return tuple(layer.inputs)
    if isinstance(layer, Input) or index == 0:
        return ()
    return (names[index - 1],)


def _unknown_layer(name: str, names: Sequence[str]) -> str:
    return f"Expected the name of a layer of the model; received {received(name)}.{did_you_mean(name, names)}"


def _check_outputs(outputs: Mapping[str, str], wired: Sequence[_Wired], pointer: str) -> None:
    """That each output is a layer, and that each layer leads to one."""
    names = [layer.name for layer in wired]
    for output, name in outputs.items():
        if name not in names:
            raise InvalidDocument.at(f"{pointer}/{output}", _unknown_layer(name, names))
    used = {name for layer in wired for name in layer.inputs} | set(outputs.values())
    for layer in wired:
        if layer.name not in used:
            raise InvalidDocument.at(
                layer.pointer,
                f"Expected every layer to be another's input or one of {pointer}; "
                f"received {layer.name}, which is neither.",
            )


def _in_order(wired: Sequence[_Wired]) -> list[_Wired]:
    """Each layer after its inputs, otherwise in the document's order."""
    ordered: dict[str, _Wired] = {}
    waiting = list(wired)
    while waiting:
        ready = [layer for layer in waiting if all(name in ordered for name in layer.inputs)]
        if not ready:
            names = ", ".join(layer.name for layer in waiting)
            raise InvalidDocument.at(
                f"{waiting[0].pointer}/inputs",
                f"Expected layers without a cycle; received one among {names}.",
            )
        for layer in ready:
            ordered[layer.name] = layer
        waiting = [layer for layer in waiting if layer.name not in ordered]
    return list(ordered.values())


def _with_shapes(wired: Sequence[_Wired], data_shapes: Mapping[str, tuple[int, ...]]) -> list[Node]:
    entry_shapes = _entry_shapes([layer for layer in wired if isinstance(layer.layer, Input)], data_shapes)
    shapes: dict[str, Shape] = {}
    nodes = []
    elements = 0
    for layer in wired:
        input_shapes = tuple(shapes[name] for name in layer.inputs)
        try:
            if layer.name in entry_shapes:
                shape = entry_shapes[layer.name]
            else:
                shape = layer.layer.infer_shape(input_shapes)
            count = layer.layer.parameter_count(input_shapes)
        except Misfit as misfit:
            pointer = f"{layer.pointer}/{misfit.field}" if misfit.field else layer.pointer
            raise InvalidDocument.at(pointer, misfit.message) from misfit
        elements += prod(length for length in shape if length is not None)
        if elements > MAX_ELEMENTS:
            raise InvalidDocument.at(
                layer.pointer,
                f"Expected layers whose outputs have at most {MAX_ELEMENTS} elements a sample together; "
                f"received {elements} up to here, with an output of {show(shape)}.",
            )
        shapes[layer.name] = shape
        nodes.append(Node(layer.name, layer.layer, layer.inputs, input_shapes, shape, count, layer.pointer))
    return nodes


def _entry_shapes(entries: Sequence[_Wired], data_shapes: Mapping[str, tuple[int, ...]]) -> dict[str, Shape]:
    """The shape of each Input, as it declares it or as the data has it."""
    if data_shapes and len(entries) != len(data_shapes):
        raise InvalidDocument.at(
            entries[-1].pointer if entries else "/model/layers",
            f"Expected an Input layer for each input of the data ({', '.join(data_shapes)}); "
            f"received {', '.join(entry.name for entry in entries) or 'none'}.",
        )
    alone = len(data_shapes) == 1
    shapes: dict[str, Shape] = {}
    for entry in entries:
        if data_shapes and not alone and entry.name not in data_shapes:
            raise InvalidDocument.at(
                f"{entry.pointer}/name",
                f"Expected the name of one of the data's inputs, {', '.join(data_shapes)}; "
                f"received {received(entry.name)}.",
            )
        assert isinstance(entry.layer, Input)
        data_shape = next(iter(data_shapes.values())) if alone else data_shapes.get(entry.name)
        shapes[entry.name] = _entry_shape(entry.layer, entry.pointer, data_shape)
    return shapes


def _entry_shape(layer: Input, pointer: str, data_shape: tuple[int, ...] | None) -> Shape:
    if layer.shape is None:
        if data_shape is None:
            raise InvalidDocument.at(
                f"{pointer}/shape", "Expected a shape, as there is no data; received nothing."
            )
        return data_shape
    shape = tuple(layer.shape)
    if data_shape is not None and not _agree(shape, data_shape):
        raise InvalidDocument.at(
            f"{pointer}/shape", f"Expected {show(data_shape)}, the shape of the data; received {show(shape)}."
        )
    return shape


def _agree(shape: Shape, data_shape: tuple[int, ...]) -> bool:
    return len(shape) == len(data_shape) and all(
        length in (None, actual) for length, actual in zip(shape, data_shape, strict=True)
    )
