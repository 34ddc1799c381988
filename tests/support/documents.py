"""Small run documents."""

from typing import Any


def tiny_document(epochs: int = 3, **fields: Any) -> dict[str, Any]:
    """A run that takes a moment: four samples, two weights and a bias."""
    return {
        "dataset": {"inline": {"x": [[0, 0], [0, 1], [1, 0], [1, 1]], "y": [[0], [1], [1], [1]]}},
        "model": {"layers": [{"type": "Dense", "units": 1, "activation": "sigmoid"}]},
        "loss": "binary_crossentropy",
        "fit": {"epochs": epochs},
        **fields,
    }


def long_document(epochs: int = 2_000_000, **fields: Any) -> dict[str, Any]:
    """The same, training for so long that a test can come in between."""
    return tiny_document(epochs, **fields)


def two_inputs_document() -> dict[str, Any]:
    """A run of a moment with two inputs, of two elements and of one, and two outputs."""
    return {
        "dataset": {
            "inline": {
                "x": {"left": [[0, 0], [0, 1], [1, 0], [1, 1]], "right": [[0], [1], [2], [3]]},
                "y": {"sum": [[0], [2], [3], [5]], "sign": [[0], [1], [1], [1]]},
            }
        },
        "model": {
            "layers": [
                {"type": "Input", "name": "left", "shape": [2]},
                {"type": "Input", "name": "right", "shape": [1]},
                {"type": "Concatenate", "name": "both", "inputs": ["left", "right"]},
                {"type": "Dense", "name": "sum", "units": 1, "inputs": ["both"]},
                {"type": "Dense", "name": "sign", "units": 1, "activation": "sigmoid", "inputs": ["both"]},
            ],
            "outputs": ["sum", "sign"],
        },
        "loss": {"sum": "mean_squared_error", "sign": "binary_crossentropy"},
        "fit": {"epochs": 3},
    }
