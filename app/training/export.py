"""Writes a trained model as files that others open: `model.keras`, `model.onnx`, and what they take.

Both are opened again and compared with the trained model on real samples before they count.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import onnxruntime
import tensorflow as tf
import tf2onnx
from numpy.typing import NDArray

from app.errors import ExportFailed
from app.training.build import tapped_model
from app.training.evaluation import input_of, predict

OPSET = 18
RELATIVE_TOLERANCE = 1e-4
ABSOLUTE_TOLERANCE = 1e-5

Arrays = Mapping[str, NDArray[Any]]


@dataclass(frozen=True)
class ExportReport:
    """What came of the export.

    Attributes:
        onnx: whether `model.onnx` was written and predicts what the trained model predicts.
        reason: where it isn't, why, in one sentence.
    """

    onnx: bool
    reason: str | None = None


def export(model: keras.Model, samples: Arrays, directory: Path) -> ExportReport:
    """Writes `model.keras` and, where every operation has its counterpart, `model.onnx`.

    Args:
        model: the trained model.
        samples: some rows of real input by input name, `(rows, …)`; the files are compared on these.
        directory: an existing folder.

    Raises:
        ExportFailed: `model.keras`, opened again, doesn't predict what the model predicts.
    """
    expected = predict(model, samples)
    save_keras(model, samples, expected, directory / "model.keras")
    return save_onnx(model, samples, expected, directory / "model.onnx")


def save_keras(model: keras.Model, samples: Arrays, expected: Arrays, path: Path) -> None:
    """Writes the model in Keras's own format and opens it again to compare."""
    model.save(path)
    if not all_close(predict(keras.models.load_model(path), samples), expected):
        raise ExportFailed("model.keras, opened again, does not predict what the trained model predicts.")


def save_onnx(model: keras.Model, samples: Arrays, expected: Arrays, path: Path) -> ExportReport:
    """Writes the model for ONNX Runtime; leaves no file where that can't be done faithfully."""
    signature = [
        tf.TensorSpec((None, *tensor.shape[1:]), tensor.dtype, name=tensor.name) for tensor in model.inputs
    ]
    names = [tensor.name for tensor in model.inputs]
    tapped = tapped_model(model, [])

    @tf.function(input_signature=signature, autograph=False)
    def forward(*tensors: tf.Tensor) -> dict[str, tf.Tensor]:
        arrays = dict(zip(names, tensors, strict=True))
        outputs: dict[str, tf.Tensor] = tapped(input_of(model, arrays), training=False)["outputs"]
        return outputs

    try:
        converted, _ = tf2onnx.convert.from_function(forward, input_signature=signature, opset=OPSET)
        content = converted.SerializeToString()
        session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
        predicted = session.run(list(expected), {name: samples[name] for name in names})
    except Exception as error:  # noqa: BLE001 - converter and runtime raise whatever their operations do
        return ExportReport(False, f"ONNX Runtime can't take this model: {first_line(error)}")
    if not all_close(dict(zip(expected, predicted, strict=True)), expected):
        return ExportReport(False, "The ONNX form does not predict what the trained model predicts.")
    path.write_bytes(content)
    return ExportReport(True)


def all_close(predicted: Arrays, expected: Arrays) -> bool:
    """Whether each output is within the tolerance of the one expected."""
    return all(
        np.allclose(predicted[name], expected[name], rtol=RELATIVE_TOLERANCE, atol=ABSOLUTE_TOLERANCE)
        for name in expected
    )


def first_line(error: Exception) -> str:
    """The first line of an error's message, or its class's name."""
    return next(iter(str(error).splitlines()), "") or type(error).__name__
