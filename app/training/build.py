"""From a graph of layers to a Keras model."""

from collections.abc import Sequence
from typing import Any

import keras

from app.errors import ModelRejected
from app.spec.base import SpecModel
from app.spec.graph import Graph, Node
from app.spec.layers.attention import MultiHeadAttention
from app.spec.layers.base import Layer
from app.spec.layers.core import ActivityRegularization, Input
from app.spec.layers.hard import Bounded, Simplex, TopK
from app.spec.regularizers import L1L2, ActivityL1L2, ActivityOrthogonal, Orthogonal
from app.training.hard_layers import apply_hard_layer


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
    """The node's output on these inputs."""
    layer = node.layer
    if isinstance(layer, Input):
        return keras.Input(shape=node.shape, name=node.name)
    if isinstance(layer, Bounded | Simplex | TopK):
        regularizer = keras_argument(layer.activity_regularizer)
        return apply_hard_layer(layer, node.name, node.shape, inputs[0], regularizer)
    made = make_layer(layer)
    if isinstance(layer, MultiHeadAttention):
        output = made(*inputs, use_causal_mask=layer.use_causal_mask)
    else:
        output = made(inputs[0] if len(inputs) == 1 else list(inputs))
    for variable in made.variables:
        if variable.constraint is not None:
            variable.constraint(variable)  # only to see here and not amid training that its axes exist
    return output


def make_layer(layer: Layer) -> keras.layers.Layer:
    """The Keras layer for a layer of a document."""
    arguments = {
        field: keras_argument(value)
        for field, value in layer.arguments().items()
        if field not in layer.kerbs_own
    }
    if isinstance(layer, ActivityRegularization) and layer.reduction == "sum":
        arguments |= {"l1": 0.0, "l2": 0.0}
    made = getattr(keras.layers, layer.type)(**arguments, name=layer.name)
    made.trainable = layer.trainable
    return made


def keras_argument(value: Any) -> Any:
    """What Keras takes for a value of a layer's field."""
    if isinstance(value, Layer):
        return make_layer(value)
    if isinstance(value, L1L2):
        # The proximal step takes the place of the l1 gradient, so the saved model must not have both.
        return _l1_l2(0.0 if value.proximal else value.l1, value.l2)
    if isinstance(value, ActivityL1L2):
        return _l1_l2(value.l1, value.l2) if value.reduction == "per_sample" else None
    if isinstance(value, ActivityOrthogonal):
        return _orthogonal(value) if value.reduction == "per_sample" else None
    if isinstance(value, Orthogonal):
        return _orthogonal(value)
    if isinstance(value, SpecModel):
        config = value.model_dump()
        kind = config.pop("type", None)
        return {"class_name": kind, "config": config} if kind else config
    return value


# Keras's L1 and OrthogonalRegularizer keep their factor as a tensor. Where they are about a layer's activity,
# tf2onnx takes that for a further input of the model and gives up; so they get a number instead.


def _l1_l2(l1: float, l2: float) -> keras.regularizers.Regularizer | None:
    if l1 and l2:
        return keras.regularizers.L1L2(l1, l2)
    if l1:
        regularizer = keras.regularizers.L1(l1)
        regularizer.l1 = l1
        return regularizer
    return keras.regularizers.L2(l2) if l2 else None


def _orthogonal(spec: Orthogonal | ActivityOrthogonal) -> keras.regularizers.Regularizer:
    regularizer = keras.regularizers.OrthogonalRegularizer(spec.factor, spec.mode)
    regularizer.factor = spec.factor
    return regularizer
