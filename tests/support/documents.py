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
