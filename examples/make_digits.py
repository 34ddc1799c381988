"""Writes the documents on handwritten digits: sparse activations, sparse outputs, dropout, augmentation.

    .venv/bin/python examples/make_digits.py

The first digits of the 1,797 that come with scikit-learn, 8 × 8 pixels each (Alpaydin and Kaynak, "Optical
Recognition of Handwritten Digits", 1998).
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import load_digits

from render import write


def digits(samples: int) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """The first images, `(samples, 8, 8)` from 0 to 1, and what they show, `(samples,)`."""
    data = load_digits()
    return data.images[:samples] / 16, data.target[:samples]


def pixels(images: NDArray[np.float64]) -> Any:
    """Images as nested lists, of two decimals."""
    return np.round(images, 2).tolist()


def classifier(name: str, samples: int, layers: list[dict[str, Any]], **fields: Any) -> dict[str, Any]:
    """Tells digits apart; the first two thirds train, the others validate.

    Args:
        name: what the run is called.
        samples: how many digits.
        layers: of the model, before the last.
        fields: what is its own, in place of what all have.
    """
    images, shown = digits(samples)
    trained = samples * 2 // 3
    return {
        "name": name,
        "tags": {"example": "digits"},
        "seed": 1,
        "dataset": {"inline": {"x": pixels(images), "y": shown[:, None].tolist()}},
        "split": {"train": {"rows": [0, trained]}, "validation": {"rows": [trained, samples]}},
        "model": {"layers": [*layers, {"type": "Dense", "units": 10, "activation": "softmax"}]},
        "loss": "sparse_categorical_crossentropy",
        "optimizer": {"type": "Adam", "learning_rate": 0.005},
        "metrics": ["accuracy"],
        "fit": {"epochs": 30, "batch_size": 40},
        **fields,
    }


def activity_dense_document() -> dict[str, Any]:
    """Few of 64 dense units are active for a digit."""
    return classifier(
        "digits, sparse dense activations",
        300,
        [
            {"type": "Flatten"},
            {
                "type": "Dense",
                "units": 64,
                "activation": "relu",
                "activity_regularizer": {"l1": 0.01},
            },
        ],
    )


def activity_conv2d_document() -> dict[str, Any]:
    """Few places of 8 feature maps are active for a digit."""
    return classifier(
        "digits, sparse feature maps",
        300,
        [
            {"type": "Reshape", "target_shape": [8, 8, 1]},
            {
                "type": "Conv2D",
                "filters": 8,
                "kernel_size": 3,
                "activation": "relu",
                "activity_regularizer": {"l1": 0.001},
            },
            {"type": "Flatten"},
        ],
    )


def activity_lstm_document() -> dict[str, Any]:
    """Reads a digit row by row; the state of 16 units after the last is small."""
    return classifier(
        "digits by rows, small LSTM activations",
        300,
        [{"type": "LSTM", "units": 16, "activity_regularizer": {"l1": 0.04, "l2": 0.04}}],
    )


def sparse_outputs_document() -> dict[str, Any]:
    """Takes the noise off images; every pixel that isn't black has its price."""
    images, _ = digits(240)
    noisy = images + np.random.default_rng(1).normal(scale=0.2, size=images.shape)
    flat = (len(images), 64)
    return {
        "name": "digits, sparse outputs",
        "tags": {"example": "digits"},
        "seed": 1,
        "dataset": {
            "inline": {"x": pixels(noisy.reshape(flat)), "y": pixels(images.reshape(flat))},
        },
        "split": {"train": {"rows": [0, 160]}, "validation": {"rows": [160, 240]}},
        "model": {
            "layers": [
                {"type": "Dense", "units": 32, "activation": "relu"},
                {"type": "Dense", "name": "clean", "units": 64, "activation": "sigmoid"},
            ]
        },
        "loss": "mean_squared_error",
        "penalties": [{"type": "norm", "norm": "l1", "weight": 0.004}],
        "optimizer": {"type": "Adam", "learning_rate": 0.005},
        "fit": {"epochs": 60, "batch_size": 32},
        "statistics": {"thresholds": [0.05], "near_zero": 0.05},
    }


def dropout_document() -> dict[str, Any]:
    """Half of the units left out of each step; ends at the epoch with the least validation loss."""
    return classifier(
        "digits, dropout and early stopping",
        300,
        [
            {"type": "Reshape", "target_shape": [8, 8, 1]},
            {"type": "Conv2D", "filters": 16, "kernel_size": 3, "activation": "relu"},
            {"type": "Flatten"},
            {"type": "Dropout", "rate": 0.5},
        ],
        fit={
            "epochs": 300,
            "batch_size": 40,
            "early_stopping": {
                "monitor": "val_loss",
                "patience": 10,
                "restore_best_weights": True,
            },
        },
    )


def separable_document() -> dict[str, Any]:
    """Few weights and few images, which are moved and blended so that they do for more."""
    document = classifier(
        "digits, depthwise separable",
        300,
        [
            {"type": "Conv2D", "filters": 16, "kernel_size": 3, "padding": "same", "activation": "relu"},
            {"type": "DepthwiseConv2D", "kernel_size": 3, "activation": "relu"},
            {"type": "SeparableConv2D", "filters": 32, "kernel_size": 3, "activation": "relu"},
            {"type": "Flatten"},
        ],
        loss="categorical_crossentropy",
        augmentation=[
            {
                "type": "RandomTranslation",
                "height_factor": 0.125,
                "width_factor": 0.125,
                "fill_mode": "constant",
            },
            {"type": "MixUp", "alpha": 0.2},
        ],
        fit={"epochs": 60, "batch_size": 40},
    )
    images, shown = digits(300)
    # Moving takes a channel axis, blending one-hot targets.
    document["dataset"] = {
        "inline": {"x": pixels(images[..., None]), "y": np.eye(10, dtype=int)[shown].tolist()}
    }
    return document


def documents() -> dict[str, dict[str, Any]]:
    """The documents by file name."""
    return {
        "activity_dense.json": activity_dense_document(),
        "activity_conv2d.json": activity_conv2d_document(),
        "activity_lstm.json": activity_lstm_document(),
        "sparse_outputs.json": sparse_outputs_document(),
        "dropout.json": dropout_document(),
        "separable.json": separable_document(),
    }


if __name__ == "__main__":
    write(documents())
