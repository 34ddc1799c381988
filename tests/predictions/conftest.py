"""Tiny real ONNX models: what they compute can be said in a line."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from onnx import helper

from tests.support import onnx_models
from tests.support.onnx_models import save_onnx

SaveModel = Callable[[Path], None]


@pytest.fixture
def save_scaling() -> Callable[..., None]:
    """Saves a model of `width` numbers that multiplies each by `factor`: `save(folder, factor)`."""

    return onnx_models.save_scaling


@pytest.fixture
def save_sum_and_product() -> SaveModel:
    """Saves a model of inputs a (n, 2) and b (n, 2), and outputs sum = a + b and product = a·b."""

    def save(folder: Path) -> None:
        save_onnx(
            folder,
            [("a", (None, 2), "float32"), ("b", (None, 2), "float32")],
            [("sum", (None, 2), "float32"), ("product", (None, 2), "float32")],
            [
                helper.make_node("Add", ["a", "b"], ["sum"]),
                helper.make_node("Mul", ["a", "b"], ["product"]),
            ],
        )

    return save


@pytest.fixture
def save_embedding() -> SaveModel:
    """Saves a model that looks up each of any number of int32 indices in a table of 3 rows, 10·i."""

    def save(folder: Path) -> None:
        save_onnx(
            folder,
            [("token", (None, None), "int32")],
            [("embedding", (None, None, 1), "float32")],
            [helper.make_node("Gather", ["table", "token"], ["embedding"])],
            {"table": np.float32([[0], [10], [20]])},
        )

    return save


@pytest.fixture
def save_sums_of_neighbours() -> SaveModel:
    """Saves a model that adds each two neighbours of a sequence of at least two steps."""

    def save(folder: Path) -> None:
        kernel = np.ones((1, 1, 2), np.float32)
        save_onnx(
            folder,
            [("steps", (None, None), "float32")],
            [("sums", (None, None), "float32")],
            [
                helper.make_node("Unsqueeze", ["steps", "channel"], ["with_channel"]),
                helper.make_node("Conv", ["with_channel", "kernel"], ["windows"]),
                helper.make_node("Squeeze", ["windows", "channel"], ["sums"]),
            ],
            {"kernel": kernel, "channel": np.int64([1])},
        )

    return save
