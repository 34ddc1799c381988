"""Writes the document of a model that tells what is in an image, and where.

    .venv/bin/python examples/make_shapes.py

300 drawn images of 12 × 12 pixels, each with a square, a disc or a cross somewhere, and one pixel in 50
flipped. One output is the class, the other the box around the shape, in parts of the image's side.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from render import write

SIDE = 12
SHAPES = ("square", "disc", "cross")


def draw(shape: str, top: int, left: int, size: int) -> NDArray[np.bool_]:
    """An image with one shape in the box of `size` × `size` pixels at (`top`, `left`)."""
    rows, columns = np.mgrid[:size, :size] - (size - 1) / 2
    pixels = {
        "square": np.ones((size, size), dtype=bool),
        "disc": np.hypot(rows, columns) <= size / 2 - 0.2,
        "cross": (np.abs(rows) < 1) | (np.abs(columns) < 1),
    }
    image = np.zeros((SIDE, SIDE), dtype=bool)
    image[top : top + size, left : left + size] = pixels[shape]
    return image


def shapes_data(samples: int = 300) -> dict[str, Any]:
    """Images `x`, 300 × 12 × 12 of 0 and 1; `class`, 300 × 1; `box`, 300 × 4: x1, y1, x2, y2."""
    random = np.random.default_rng(1)
    images, classes, boxes = [], [], []
    for _ in range(samples):
        kind, size = int(random.integers(len(SHAPES))), int(random.integers(5, 9))
        top, left = (int(start) for start in random.integers(0, SIDE - size + 1, size=2))
        noise = random.random((SIDE, SIDE)) < 0.02
        images.append((draw(SHAPES[kind], top, left, size) ^ noise).astype(int).tolist())
        classes.append([kind])
        box = np.array([left, top, left + size, top + size]) / SIDE
        boxes.append(np.round(box, 3).tolist())
    return {"x": images, "y": {"class": classes, "box": boxes}}


def documents() -> dict[str, dict[str, Any]]:
    """The documents by file name."""
    return {
        "class_and_box.json": {
            "name": "shapes, class and box",
            "tags": {"example": "shapes"},
            "seed": 1,
            "dataset": {"inline": shapes_data()},
            "split": {"train": {"rows": [0, 240]}, "validation": {"rows": [240, 300]}},
            "model": {
                "layers": [
                    {"type": "Reshape", "target_shape": [SIDE, SIDE, 1]},
                    {"type": "Conv2D", "filters": 16, "kernel_size": 3, "activation": "relu"},
                    {"type": "MaxPooling2D", "pool_size": 2},
                    {"type": "Flatten"},
                    {"type": "Dense", "name": "seen", "units": 64, "activation": "relu"},
                    {
                        "type": "Dense",
                        "name": "class",
                        "units": 3,
                        "activation": "softmax",
                        "inputs": ["seen"],
                    },
                    {"type": "Dense", "name": "box", "units": 4, "activation": "sigmoid", "inputs": ["seen"]},
                ],
                "outputs": ["class", "box"],
            },
            "loss": {
                "class": "sparse_categorical_crossentropy",
                "box": {"loss": "smooth_l1", "weight": 50},
            },
            "optimizer": {"type": "Adam", "learning_rate": 0.003},
            "metrics": {"class": ["accuracy"], "box": ["mean_absolute_error"]},
            "fit": {"epochs": 40, "batch_size": 40},
        }
    }


if __name__ == "__main__":
    write(documents())
