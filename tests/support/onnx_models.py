"""Tiny real ONNX models, saved where runs' models lie."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
from onnx import helper, numpy_helper

from app.artifacts import LimitSignature, Signature, TensorSignature, write_signature
from app.database import Database, utc_now
from app.runs.tables import RunRow

Tensor = tuple[str, tuple[int | None, ...], str]

ONNX_TYPES = {"float32": onnx.TensorProto.FLOAT, "int32": onnx.TensorProto.INT32}


def save_onnx(
    folder: Path,
    inputs: Sequence[Tensor],
    outputs: Sequence[Tensor],
    nodes: Sequence[onnx.NodeProto],
    constants: dict[str, np.ndarray] | None = None,
    thresholds: tuple[float, ...] = (0.5,),
    limits: Sequence[LimitSignature] = (),
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
            limits=tuple(limits),
        ),
        folder,
    )


def save_scaling(
    folder: Path,
    factor: float = 1.0,
    width: int = 2,
    thresholds: tuple[float, ...] = (0.5,),
    limits: Sequence[LimitSignature] = (),
) -> None:
    """A model of `width` numbers that multiplies each by `factor`."""
    save_onnx(
        folder,
        [("x", (None, width), "float32")],
        [("dense", (None, width), "float32")],
        [helper.make_node("Mul", ["x", "factor"], ["dense"])],
        {"factor": np.float32([factor])},
        thresholds,
        limits,
    )


def add_scaling_run(
    database: Database, data_dir: Path, run_id: str, factor: float = 1.0, width: int = 2
) -> None:
    """A run that has succeeded, whose model scales."""
    add_finished_run(database, run_id)
    save_scaling(data_dir / "artifacts" / run_id, factor, width)


def add_finished_run(database: Database, run_id: str) -> None:
    """The row of a run that has succeeded."""
    now = utc_now()
    run = RunRow(id=run_id, tags={}, status="succeeded", created_at=now, finished_at=now, epochs=1)
    run.verdicts, run.document, run.body_hash = [], {}, ""
    with database.writing() as session:
        session.add(run)
