"""From a graph of layers to a Keras model."""

from collections.abc import Sequence
from typing import Any

import keras

from app.errors import ModelRejected
from app.spec.base import SpecModel
from app.spec.graph import Graph, Node
from app.spec.layers.core import Input
from app.spec.regularizers import L1L2, ActivityL1L2, ActivityOrthogonal, Orthogonal


def build_model(graph: Graph, seed: int) -> keras.Model:
    """A Keras model of standard layers only, named as the graph's nodes, that opens without Kerb.

    Several inputs are a dict by their names. Several outputs are a dict by theirs, and so is a single one
    that has another name than its layer; otherwise the output is a tensor.

    Args:
        graph: the layers, with shapes.
        seed: what the initial weights come from; the same seed gives the same weights.

    Raises:
        ModelRejected: Keras refused a layer; `pointer` says which.
    """
    keras.utils.set_random_seed(seed)
    tensors: dict[str, Any] = {}
    for node in graph.nodes:
        try:
            tensors[node.name] = _apply(node, [tensors[name] for name in node.inputs])
        # Keras raises all kinds of errors for arguments that it doesn't take, and each is the document's.
        except Exception as error:
            raise ModelRejected(
                f"Keras refused {node.name} ({node.layer.type}): {error}", node.pointer
            ) from error
    inputs: Any = {name: tensors[name] for name in graph.inputs}
    outputs: Any = {output: tensors[name] for output, name in graph.outputs.items()}
    if len(inputs) == 1:
        (inputs,) = inputs.values()
    if list(outputs) == list(graph.outputs.values()) and len(outputs) == 1:
        (outputs,) = outputs.values()
    return keras.Model(inputs, outputs, name="model")


def tapped_model(model: keras.Model, names: Sequence[str]) -> keras.Model:
    """A model of the same weights that also gives the outputs of some of its layers.

    Args:
        model: what `build_model` made.
        names: layers of it.

    Returns:
        A model with the outputs `{"outputs": {output name: tensor}, "activations": {layer name: tensor}}`.
    """
    activations = {name: model.get_layer(name).output for name in names}
    outputs = model.output if isinstance(model.output, dict) else {model.output_names[0]: model.output}
    return keras.Model(model.input, {"outputs": outputs, "activations": activations}, name="tapped_model")


def _apply(node: Node, inputs: Sequence[Any]) -> Any:
    """The layer's output on these inputs."""
    if isinstance(node.layer, Input):
        return keras.Input(shape=node.shape, name=node.name)
    arguments = {field: keras_argument(value) for field, value in node.layer.arguments().items()}
    layer = getattr(keras.layers, node.layer.type)(**arguments, name=node.name)
    layer.trainable = node.layer.trainable
    return layer(inputs[0] if len(inputs) == 1 else list(inputs))


def keras_argument(value: Any) -> Any:
    """What Keras takes for a value of a layer's field."""
    if isinstance(value, L1L2):
        # The proximal step takes the place of the l1 gradient, so the saved model must not have both.
        l1 = 0.0 if value.proximal else value.l1
        return keras.regularizers.L1L2(l1, value.l2) if l1 or value.l2 else None
    if isinstance(value, ActivityL1L2):
        return keras.regularizers.L1L2(value.l1, value.l2) if value.reduction == "per_sample" else None
    if isinstance(value, ActivityOrthogonal):
        per_sample = value.reduction == "per_sample"
        return keras.regularizers.OrthogonalRegularizer(value.factor, value.mode) if per_sample else None
    if isinstance(value, Orthogonal):
        return keras.regularizers.OrthogonalRegularizer(value.factor, value.mode)
    if isinstance(value, SpecModel):
        config = value.model_dump()
        return {"class_name": config.pop("type"), "config": config}
    return value
