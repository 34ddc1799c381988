"""Writes a trained model as files that others open: `model.keras`, `model.onnx`, and what they take.

Both are opened again and compared with the trained model on real samples before they count.
"""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import keras
import numpy as np
import onnx
import onnxruntime
import tensorflow as tf
import tf2onnx
from numpy.typing import NDArray
from tf2onnx import optimizer

from app.errors import ExportFailed
from app.training.build import tapped_model
from app.training.evaluation import in_passes, input_of, predict

OPSET = 18
LONGEST_REASON = 300
CONVOLUTIONS = (keras.layers.Conv1D, keras.layers.Conv2D, keras.layers.Conv3D)
# It tries all orders of the letters of a product of tensors: half a minute for attention along two axes, to
# predict in a sixth less time.
optimizer._get_optimizers().pop("einsum_optimizer", None)

RELATIVE_TOLERANCE = 1e-4
ABSOLUTE_TOLERANCE = 1e-5

Arrays = Mapping[str, NDArray[Any]]


@dataclass(frozen=True)
class ExportReport:
    """What came of the export.

    Attributes:
        onnx: whether `model.onnx` was written and predicts what the trained model predicts.
        reason: where it isn't, why, in one sentence.
        activations: whether `activations.onnx` was written and gives what the model's layers put out.
    """

    onnx: bool
    reason: str | None = None
    activations: bool = False


def export(
    model: keras.Model, samples: Arrays, directory: Path, tapped: keras.Model | None = None
) -> ExportReport:
    """Writes `model.keras`, and `model.onnx` and `activations.onnx` where ONNX has all that's needed.

    The activations have a file of their own, as a model that must give them can't be simplified as much.

    Args:
        model: the trained model.
        samples: some rows of real input by input name, `(rows, …)`; the files are compared on these.
        directory: an existing folder.
        tapped: what `tapped_model` made of it, for the activations; without it they aren't written.

    Raises:
        ExportFailed: `model.keras`, opened again, doesn't predict what the model predicts.
    """
    expected = predict(model, samples)
    save_keras(model, samples, expected, directory / "model.keras")
    reason = save_onnx(tapped_model(model, []), "outputs", samples, expected, directory / "model.onnx")
    if reason is not None or tapped is None or not tapped.output["activations"]:
        return ExportReport(reason is None, reason)
    activations = in_passes(tapped, samples, "activations")
    missing = save_onnx(tapped, "activations", samples, activations, directory / "activations.onnx")
    return ExportReport(True, activations=missing is None)


def save_keras(model: keras.Model, samples: Arrays, expected: Arrays, path: Path) -> None:
    """Writes the model in Keras's own format and opens it again to compare."""
    model.save(path)
    if not all_close(predict(keras.models.load_model(path), samples), expected):
        raise ExportFailed("model.keras, opened again, does not predict what the trained model predicts.")


def save_onnx(tapped: keras.Model, part: str, samples: Arrays, expected: Arrays, path: Path) -> str | None:
    """Writes a part of what a tapped model gives, `outputs` or `activations`, for ONNX Runtime.

    Returns:
        None, or why that can't be done faithfully; then there is no file.
    """
    signature = [
        tf.TensorSpec((None, *tensor.shape[1:]), tensor.dtype, name=tensor.name) for tensor in tapped.inputs
    ]
    names = [tensor.name for tensor in tapped.inputs]

    @tf.function(input_signature=signature, autograph=False)
    def forward(*tensors: tf.Tensor) -> dict[str, tf.Tensor]:
        arrays = dict(zip(names, tensors, strict=True))
        given: dict[str, tf.Tensor] = tapped(input_of(tapped, arrays), training=False)[part]
        return given

    try:
        with grouped_by_hand(tapped):
            content = convert(forward, signature)
        session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
        given = session.run(list(expected), {name: samples[name] for name in names})
    except Exception as error:  # noqa: BLE001 - converter and runtime raise whatever their operations do
        return f"ONNX Runtime can't take this model: {reason_of(error)}"
    if not all_close(dict(zip(expected, given, strict=True)), expected):
        return "The ONNX form does not predict what the trained model predicts."
    path.write_bytes(content)
    return None


def convert(forward: Any, signature: list[tf.TensorSpec]) -> bytes:
    """A function of tensors as an ONNX model."""
    converted, _ = tf2onnx.convert.from_function(
        forward,
        input_signature=signature,
        opset=OPSET,
        custom_op_handlers={"Expm1": (convert_expm1, []), "Erfc": (convert_erfc, [])},
    )
    for node in converted.graph.node:
        if node.op_type == "ConvTranspose":
            use_output_padding(node)
    content: bytes = converted.SerializeToString()
    return content


def convert_expm1(graph: Any, node: Any, _name: str, _arguments: Any) -> None:
    """`exp(x) − 1`, of CELU, for which the converter has no counterpart."""
    one = graph.make_const(tf2onnx.utils.make_name("one"), np.float32(1.0)).output[0]
    exponential = graph.make_node("Exp", node.input).output[0]
    graph.remove_node(node.name)
    graph.make_node("Sub", [exponential, one], outputs=node.output)


def convert_erfc(graph: Any, node: Any, _name: str, _arguments: Any) -> None:
    """`1 − erf(x)`, of GELU, for which the converter has no counterpart."""
    one = graph.make_const(tf2onnx.utils.make_name("one"), np.float32(1.0)).output[0]
    error_function = graph.make_node("Erf", node.input).output[0]
    graph.remove_node(node.name)
    graph.make_node("Sub", [one, error_function], outputs=node.output)


@contextmanager
def grouped_by_hand(model: keras.Model) -> Iterator[None]:
    """Meanwhile convolutions of groups of channels are split, one convolution a group, and joined again.

    Keras has XLA compile such a convolution, which ONNX can't express.
    """
    layers = [layer for layer in map(wrapped_layer, model.layers) if isinstance(layer, CONVOLUTIONS)]
    changed = [layer for layer in layers if layer.groups > 1]
    for layer in changed:
        layer.call = partial(convolve_groups, layer)
    try:
        yield
    finally:
        for layer in changed:
            del layer.call


def wrapped_layer(layer: keras.Layer) -> keras.Layer:
    """The layer that wrappers such as `TimeDistributed` are around; otherwise the layer itself."""
    return wrapped_layer(layer.layer) if isinstance(layer, keras.layers.Wrapper) else layer


def convolve_groups(layer: Any, inputs: tf.Tensor) -> tf.Tensor:
    """What a convolution of groups puts out, (batch, …, filters), for inputs (batch, …, channels)."""
    padding = layer.padding
    if padding == "causal":
        steps = layer.dilation_rate[0] * (layer.kernel_size[0] - 1)
        inputs, padding = keras.ops.pad(inputs, [[0, 0], [steps, 0], [0, 0]]), "valid"
    kernels = keras.ops.split(layer.kernel, layer.groups, -1)  # (…, channels / groups, filters / groups)
    parts = [
        keras.ops.conv(part, kernel, list(layer.strides), padding, dilation_rate=layer.dilation_rate)
        for part, kernel in zip(keras.ops.split(inputs, layer.groups, -1), kernels, strict=True)
    ]
    outputs = keras.ops.concatenate(parts, -1)
    return layer.activation(outputs + layer.bias if layer.use_bias else outputs)


def use_output_padding(node: onnx.NodeProto) -> None:
    """Says by `output_padding` what the converter says by negative pads, of which ONNX Runtime takes none.

    An axis of a transposed convolution is `stride · (length − 1) + kernel − pads + output_padding` long.
    """
    pads: Any = next((attribute.ints for attribute in node.attribute if attribute.name == "pads"), [])
    axes = len(pads) // 2
    missing = [max(-(pads[axis] + pads[axes + axis]), 0) for axis in range(axes)]
    if not any(missing):
        return
    for axis, length in enumerate(missing):
        if length:  # what is longer than stride and kernel make it is so at its end
            pads[axis] = pads[axes + axis] = 0
    node.attribute.append(onnx.helper.make_attribute("output_padding", missing))


def all_close(predicted: Arrays, expected: Arrays) -> bool:
    """Whether each output is within the tolerance of the one expected."""
    return all(
        np.allclose(predicted[name], expected[name], rtol=RELATIVE_TOLERANCE, atol=ABSOLUTE_TOLERANCE)
        for name in expected
    )


def reason_of(error: Exception) -> str:
    """An error's message on one line, without colours and Keras's list of arguments; or its class's name."""
    message = re.sub(r"\x1b\[\d*m", "", str(error)).partition("Arguments received by")[0]
    return " ".join(message.split())[:LONGEST_REASON] or type(error).__name__
