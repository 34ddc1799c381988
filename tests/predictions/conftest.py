"""Tiny real ONNX models: what they compute can be said in a line."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from app.artifacts import Signature, TensorSignature, write_signature

Tensor = tuple[str, tuple[int | None, ...], str]
SaveModel = Callable[[Path], None]

ONNX_TYPES = {"float32": onnx.TensorProto.FLOAT, "int32": onnx.TensorProto.INT32}


def save_onnx(
    folder: Path,
    inputs: Sequence[Tensor],
    outputs: Sequence[Tensor],
    nodes: Sequence[onnx.NodeProto],
    constants: dict[str, np.ndarray] | None = None,
    thresholds: tuple[float, ...] = (0.5,),
) -> None:
    def describe(tensors: Sequence[Tensor]) -> list[onnx.ValueInfoProto]:
        return [helper.make_tensor_value_info(n, ONNX_TYPES[dtype], shape) for n, shape, dtype in tensors]

    initializers = [numpy_helper.from_array(array, name) for name, array in (constants or {}).items()]
    graph = helper.make_graph(nodes, "test", describe(inputs), describe(outputs), initializers)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    onnx.checker.check_model(model)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "model.onnx").write_bytes(model.SerializeToString())
    write_signature(
        Signature(
            inputs=tuple(TensorSignature(name=n, shape=shape, dtype=dtype) for n, shape, dtype in inputs),
            outputs=tuple(TensorSignature(name=n, shape=shape, dtype=dtype) for n, shape, dtype in outputs),
            parameters=sum(array.size for array in (constants or {}).values()),
            thresholds=thresholds,
        ),
        folder,
    )


@pytest.fixture
def save_scaling() -> Callable[..., None]:
    """Saves a model of `width` numbers that multiplies each by `factor`: `save(folder, factor)`."""

    def save(
        folder: Path, factor: float = 1.0, width: int = 2, thresholds: tuple[float, ...] = (0.5,)
    ) -> None:
        save_onnx(
            folder,
            [("x", (None, width), "float32")],
            [("dense", (None, width), "float32")],
            [helper.make_node("Mul", ["x", "factor"], ["dense"])],
            {"factor": np.float32([factor])},
            thresholds,
        )

    return save


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
