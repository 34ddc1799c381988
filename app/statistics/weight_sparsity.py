"""How sparse the weights of each layer are, and which input features they no longer use."""

from collections.abc import Mapping
from functools import reduce
from typing import Any

import numpy as np

from app.statistics.figures import Array, all_finite, finite, ratio

_FIGURES = ("zero_fraction", "near_zero_fraction", "l1_norm", "l2_norm")


def weight_sparsity(weights: Mapping[str, Array], near_zero: float) -> dict[str, dict[str, Any]]:
    """Figures of each layer's weights w.

        zero_fraction      = share of weights with w = 0 exactly
        near_zero_fraction = share of weights with |w| ≤ near_zero
        l1_norm            = Σ |w|
        l2_norm            = √Σ w²

    A layer's figures cover its kernels: the variables of two or more axes; a layer that has none
    (normalisations) is covered by all its variables. Biases would only blur them, and stand for
    themselves under `variables`.

    Args:
        weights: arrays by variable path, as Keras has it: `dense/kernel`, `lstm/lstm_cell/bias`.
        near_zero: largest absolute value that counts as nearly zero, ≥ 0.

    Returns:
        By layer name: the four figures; `unused_input_features`, the rows without a non-zero weight of
        kernels of shape (features, units), only where the layer has such a kernel; and `variables`, the
        four figures of each variable by its path within the layer. Figures of weights that aren't all
        finite are None.
    """
    layers: dict[str, dict[str, Array]] = {}
    for path, array in weights.items():
        layer, _, variable = path.partition("/")
        layers.setdefault(layer, {})[variable] = array
    return {layer: _layer_figures(variables, near_zero) for layer, variables in layers.items()}


def _layer_figures(variables: Mapping[str, Array], near_zero: float) -> dict[str, Any]:
    kernels = [array for array in variables.values() if array.ndim >= 2] or list(variables.values())
    figures: dict[str, Any] = dict(_figures(kernels, near_zero))
    unused = _unused_input_features(variables)
    if unused is not None:
        figures["unused_input_features"] = unused
    figures["variables"] = {name: _figures([array], near_zero) for name, array in variables.items()}
    return figures


def _figures(arrays: list[Array], near_zero: float) -> dict[str, float | None]:
    """The four figures of all elements of the arrays together."""
    w = np.concatenate([array.ravel() for array in arrays]).astype(np.float64)
    if not all_finite(w):
        return dict.fromkeys(_FIGURES)
    magnitude = np.abs(w)
    return {
        "zero_fraction": ratio(w.size - int(np.count_nonzero(w)), w.size),
        "near_zero_fraction": ratio(int(np.count_nonzero(magnitude <= near_zero)), w.size),
        "l1_norm": finite(magnitude.sum()),
        "l2_norm": finite(float(np.linalg.norm(w))),
    }


def _unused_input_features(variables: Mapping[str, Array]) -> list[int] | None:
    """Rows that are zero in every (features, units) kernel that meets the layer's input."""
    kernels = [array for name, array in variables.items() if _meets_input(name) and array.ndim == 2]
    if not kernels:
        return None
    unused = reduce(np.logical_and, (~kernel.any(axis=1) for kernel in kernels))
    return [int(row) for row in np.flatnonzero(unused)]


def _meets_input(variable: str) -> bool:
    """Whether the variable is a `kernel`, alone or in a cell (`forward_lstm/lstm_cell/kernel`)."""
    return variable.rpartition("/")[2] == "kernel"
