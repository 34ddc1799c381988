"""What a trained model does on whole splits: predictions, activations, and the statistics of both."""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from app.statistics import weight_sparsity
from app.statistics.activation_sparsity import GatheredSparsity
from app.training.build import tapped_model

Array = NDArray[Any]
Arrays = dict[str, Array]

MOST_ELEMENTS = 2**23
"""Elements that one forward pass may take in and put out: 32 MB in float32."""


def input_of(model: keras.Model, arrays: Mapping[str, Any]) -> Any:
    """What the model is called with: its only input, or its inputs by name."""
    names = [tensor.name for tensor in model.inputs]
    return {name: arrays[name] for name in names} if len(names) > 1 else arrays[names[0]]


def predict(model: keras.Model, inputs: Mapping[str, Array]) -> Arrays:
    """The model's outputs for all samples by output name, each `(samples, …)`."""
    return in_passes(tapped_model(model, []), inputs, "outputs")


def activations_of(model: keras.Model, layers: Sequence[str], inputs: Mapping[str, Array]) -> Arrays:
    """The outputs of some layers for all samples by layer, each `(samples, …)`."""
    return in_passes(tapped_model(model, layers), inputs, "activations")


def in_passes(tapped: keras.Model, inputs: Mapping[str, Array], part: str) -> Arrays:
    """One part of a tapped model's output for all samples, some rows at a time."""
    passes = list(_passes(tapped, inputs, part))
    return {name: np.concatenate([np.asarray(given[name]) for given in passes]) for name in passes[0]}


def _passes(tapped: keras.Model, inputs: Mapping[str, Array], part: str) -> Iterator[dict[str, Any]]:
    longest = max((max(array.shape[1:], default=1) for array in inputs.values()), default=1)
    shapes = [tensor.shape[1:] for tensor in keras.tree.flatten(tapped.output)]
    elements = sum(math.prod(length or longest for length in shape) for shape in shapes)
    elements += sum(math.prod(array.shape[1:]) for array in inputs.values())
    size = max(1, MOST_ELEMENTS // max(1, elements))
    samples = len(next(iter(inputs.values())))
    for first in range(0, samples, size):
        rows = {name: array[first : first + size] for name, array in inputs.items()}
        yield tapped(input_of(tapped, rows), training=False)[part]


def layer_sparsity(
    model: keras.Model, layers: Sequence[str], inputs: Mapping[str, Array], near_zero: float
) -> dict[str, Any]:
    """The activation sparsity of each layer over all samples of a split."""
    sparsity = {layer: GatheredSparsity(near_zero) for layer in layers}
    for activations in _passes(tapped_model(model, layers), inputs, "activations"):
        for layer, gathered in sparsity.items():
            gathered.add(np.asarray(activations[layer]))
    return {layer: gathered.figures() for layer, gathered in sparsity.items()}


def model_weight_sparsity(model: keras.Model, near_zero: float) -> dict[str, Any]:
    """The sparsity of every layer's trainable weights."""
    weights = {variable.path: variable.numpy() for variable in model.trainable_variables}
    return weight_sparsity(weights, near_zero)
