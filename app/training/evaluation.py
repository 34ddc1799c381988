"""What a trained model does on whole splits: predictions, activations, and the statistics of both."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from app.spec.losses import Loss, LossSpec, loss_parts
from app.statistics import activation_sparsity, classification, elements_above, regression, weight_sparsity
from app.training.build import tapped_model

Array = NDArray[Any]
Arrays = dict[str, Array]

MOST_ELEMENTS = 2**25
"""Elements of activations that one forward pass may put out: 128 MB in float32."""

CLASS_LOSSES = {"categorical_crossentropy", "categorical_focal_crossentropy", "categorical_hinge"}
CLASS_NUMBER_LOSSES = {"sparse_categorical_crossentropy"}
LABEL_LOSSES = {
    "binary_crossentropy",
    "binary_focal_crossentropy",
    "weighted_binary_crossentropy",
    "hinge",
    "squared_hinge",
    "dice",
    "tversky",
}
SIGNED_LOSSES = {"hinge", "squared_hinge"}


def input_of(model: keras.Model, arrays: Mapping[str, Any]) -> Any:
    """What the model is called with: its only input, or its inputs by name."""
    names = [tensor.name for tensor in model.inputs]
    return {name: arrays[name] for name in names} if len(names) > 1 else arrays[names[0]]


def predict(model: keras.Model, inputs: Mapping[str, Array]) -> Arrays:
    """The model's outputs for all samples by output name, each `(samples, …)`."""
    return _in_passes(tapped_model(model, []), inputs, "outputs")


def activations_of(model: keras.Model, layers: Sequence[str], inputs: Mapping[str, Array]) -> Arrays:
    """The outputs of some layers for all samples by layer, each `(samples, …)`."""
    return _in_passes(tapped_model(model, layers), inputs, "activations")


def _in_passes(tapped: keras.Model, inputs: Mapping[str, Array], part: str) -> Arrays:
    """One part of a tapped model's output for all samples, some rows at a time."""
    elements = sum(math.prod(tensor.shape[1:]) for tensor in keras.tree.flatten(tapped.output))
    size = max(1, MOST_ELEMENTS // max(1, elements))
    samples = len(next(iter(inputs.values())))
    passes = []
    for first in range(0, samples, size):
        rows = {name: array[first : first + size] for name, array in inputs.items()}
        passes.append(tapped(input_of(tapped, rows), training=False)[part])
    return {name: np.concatenate([np.asarray(given[name]) for given in passes]) for name in passes[0]}


def split_statistics(
    predictions: Arrays,
    targets: Arrays,
    losses: Mapping[str, Sequence[Loss]],
    thresholds: Sequence[float],
) -> dict[str, Any]:
    """The statistics of a split that come from its predictions.

    Args:
        predictions: by output name, `(samples, …)`.
        targets: likewise.
        losses: the losses of each output; they tell classes from numbers.
        thresholds: for the elements above.

    Returns:
        `elements_above`, and `classification` or `regression`. A model with several outputs has an
        `output` beside each threshold, and its other figures by the output's name.
    """
    several = len(predictions) > 1
    above: list[dict[str, Any]] = []
    figures: dict[str, dict[str, Any]] = {}
    for output, predicted in predictions.items():
        which = {"output": output} if several else {}
        above += [which | elements_above(predicted, threshold) for threshold in thresholds]
        kind, values = task_figures(predicted, targets[output], losses[output])
        figures.setdefault(kind, {}).update({output: values} if several else values)
    return {"elements_above": above, **figures}


def losses_of(loss: LossSpec, outputs: Sequence[str]) -> dict[str, list[Loss]]:
    """The losses of each output."""
    losses: dict[str, list[Loss]] = {output: [] for output in outputs}
    for part in loss_parts(loss, outputs):
        losses[part.output].append(part.loss)
    return losses


def yes_above(losses: Sequence[Loss]) -> float | None:
    """Above which number an element says yes; None where the first loss that tells is of classes, or none."""
    for loss in losses:
        kind: str = loss.type
        if kind in CLASS_LOSSES | CLASS_NUMBER_LOSSES:
            return None
        if kind in LABEL_LOSSES:
            return 0.0 if kind in SIGNED_LOSSES or bool(getattr(loss, "from_logits", False)) else 0.5
    return None


def task_figures(predicted: Array, target: Array, losses: Sequence[Loss]) -> tuple[str, dict[str, Any]]:
    """Figures of classes or of numbers, as the first loss that tells which says."""
    for loss in losses:
        kind: str = loss.type
        if kind in CLASS_LOSSES | CLASS_NUMBER_LOSSES:
            return "classification", classification(target, predicted)
        if kind in LABEL_LOSSES:
            labels = predicted.ndim > 1 and predicted.shape[-1] > 1
            threshold = yes_above([loss])
            assert threshold is not None
            return "classification", classification(
                target, predicted, multi_label=labels, threshold=threshold
            )
    return "regression", regression(target, predicted)


def layer_sparsity(
    model: keras.Model, layers: Sequence[str], inputs: Mapping[str, Array], near_zero: float
) -> dict[str, Any]:
    """The activation sparsity of each layer over all samples of a split."""
    activations = activations_of(model, layers, inputs)
    return {layer: activation_sparsity(activations[layer], near_zero) for layer in layers}


def model_weight_sparsity(model: keras.Model, near_zero: float) -> dict[str, Any]:
    """The sparsity of every layer's trainable weights."""
    weights = {variable.path: variable.numpy() for variable in model.trainable_variables}
    return weight_sparsity(weights, near_zero)
