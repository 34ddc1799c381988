"""The answers of the protocol: outputs as JSON or in binary, metadata of the server and of models."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import orjson

from app import __version__
from app.artifacts import FeatureSignature, TensorSignature
from app.open_inference.datatypes import DATATYPES, datatype_of
from app.open_inference.requests import WantedOutput
from app.predictions.scorers import Scorer
from app.predictions.sessions import Array

PLATFORM = "onnxruntime_onnx"
"""What runs the models, in the protocol's words."""

EXTENSIONS = ("binary_tensor_data",)


def infer_answer(
    model: Mapping[str, str],
    request_id: str | None,
    outputs: Mapping[str, Array],
    wanted: Sequence[WantedOutput],
) -> tuple[bytes, int | None]:
    """The body of an answer, and the bytes of its JSON part; None where that is all.

    Args:
        model: `model_name` and, of a named model, `model_version`.
        request_id: the client's own.
        outputs: by name, each (n, …).
        wanted: which are answered, and how.
    """
    described, tensors = [], []
    for name, binary in wanted:
        array = outputs[name]
        datatype = datatype_of(array.dtype)
        tensor: dict[str, Any] = {"name": name, "shape": array.shape, "datatype": datatype}
        if binary:
            content = np.ascontiguousarray(array, DATATYPES[datatype]).tobytes()
            tensor["parameters"] = {"binary_data_size": len(content)}
            tensors.append(content)
        else:
            tensor["data"] = np.ascontiguousarray(array).ravel()
        described.append(tensor)
    answer = {**model, **({} if request_id is None else {"id": request_id}), "outputs": described}
    head = orjson.dumps(answer, option=orjson.OPT_SERIALIZE_NUMPY)
    return b"".join([head, *tensors]), len(head) if tensors else None


def server_metadata() -> dict[str, Any]:
    """What the server is."""
    return {"name": "kerb", "version": __version__, "extensions": list(EXTENSIONS)}


def model_metadata(name: str, versions: Sequence[str], scorer: Scorer) -> dict[str, Any]:
    """What a model takes and gives; −1 is an axis of any length.

    An input that is made of columns, some of categories, is told column by column, as only so can it be sent
    as it is stored.
    """
    return {
        "name": name,
        "versions": list(versions),
        "platform": PLATFORM,
        "inputs": [
            told
            for tensor in scorer.signature.inputs
            for told in (
                [_column(one) for one in tensor.features] if _has_categories(tensor) else [_tensor(tensor)]
            )
        ],
        "outputs": [_tensor(tensor) for tensor in scorer.signature.outputs],
    }


def _has_categories(tensor: TensorSignature) -> bool:
    return any(one.categories is not None for one in tensor.features)


def _column(column: FeatureSignature) -> dict[str, Any]:
    kinds = {type(category) for category in column.categories or ()} - {type(None)}
    datatype = {str: "BYTES", bool: "BOOL", int: "INT64"}[kinds.pop()] if kinds else "FP64"
    return {"name": column.name, "datatype": datatype, "shape": [-1]}


def _tensor(tensor: TensorSignature) -> dict[str, Any]:
    shape = [-1 if length is None else length for length in (None, *tensor.shape[1:])]
    return {"name": tensor.name, "datatype": datatype_of(np.dtype(tensor.dtype)), "shape": shape}
