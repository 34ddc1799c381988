"""Reads the body of an inference request: a JSON object, behind it the binary tensors, one after another."""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from app.errors import InvalidDocument
from app.open_inference.datatypes import DATATYPES, as_dtype
from app.open_inference.numbers import read_tensors
from app.predictions.features import by_column, joined
from app.predictions.instances import read_rows, rows_below
from app.predictions.numbers import LEAST_BYTES
from app.predictions.sessions import Array, ModelInput
from app.spec.parsing import expected_one_of
from app.spec.pointers import join, received
from app.spec.strict_json import read_json

MOST_AXES = 32
"""NumPy's arrays have 64 at most; no model has as many."""

_FIELDS = ("id", "parameters", "inputs", "outputs")


class WantedOutput(NamedTuple):
    """An output that a client asks for, in binary or as JSON."""

    name: str
    binary: bool


class InferRequest(NamedTuple):
    """An inference request.

    Attributes:
        id: the client's own name for it, to be answered with.
        arrays: by input name, each (n, …), of the dtypes and shapes that the model takes.
        outputs: which are wanted, in the order of the answer.
    """

    id: str | None
    arrays: dict[str, Array]
    outputs: list[WantedOutput]


def read_infer(
    body: bytes, header_length: int | None, inputs: Sequence[ModelInput], outputs: Sequence[str]
) -> InferRequest:
    """The request in a body.

    Args:
        body: the JSON object, and behind it the binary tensors.
        header_length: bytes of the JSON object; None for all.
        inputs: what the model takes.
        outputs: the names of what it gives.

    Raises:
        MalformedDocument: the JSON part isn't JSON.
        InvalidDocument: a field is wrong, or a tensor doesn't fit the model or its own shape.
    """
    length = len(body) if header_length is None else header_length
    if length > len(body):
        expected = f"a body of at least {length} bytes, as Inference-Header-Content-Length says"
        raise InvalidDocument.at("", f"Expected {expected}; received {len(body)}.")
    document = _read_document(body[:length], inputs)
    _check_object(document, "", _FIELDS)
    name = document.get("id")
    if name is not None and not isinstance(name, str):
        raise InvalidDocument.at("/id", f"Expected text; received {received(name)}.")
    parameters = _parameters(document, "")
    all_binary = _flag(parameters, "binary_data_output", "")
    wanted = _read_outputs(document.get("outputs"), outputs, all_binary)
    return InferRequest(name, _read_inputs(document, memoryview(body)[length:], inputs), wanted)


def _read_document(head: bytes, inputs: Sequence[ModelInput]) -> Any:
    """The JSON part; numbers of a large one as arrays, except where columns of a dataset may hold others."""
    if len(head) < LEAST_BYTES or any(model_input.features for model_input in inputs):
        return read_json(head)
    document = read_tensors(head)
    return read_json(head) if document is None else document


def _check_object(value: Any, pointer: str, fields: Sequence[str]) -> None:
    if not isinstance(value, dict):
        raise InvalidDocument.at(pointer, f"Expected an object; received {received(value)}.")
    for field in value:
        if field not in fields:
            raise InvalidDocument.at(join(pointer, field), expected_one_of("fields", fields, field))


def _parameters(owner: dict[str, Any], pointer: str) -> dict[str, Any]:
    """The `parameters` of an object; those that mean nothing here are passed over, as the protocol says."""
    parameters = owner.get("parameters", {})
    if not isinstance(parameters, dict):
        message = f"Expected an object; received {received(parameters)}."
        raise InvalidDocument.at(f"{pointer}/parameters", message)
    for name in ("shared_memory_region", "classification"):
        if parameters.get(name):
            message = f"Expected tensors in the body; received the extension {name}, which isn't offered."
            raise InvalidDocument.at(f"{pointer}/parameters/{name}", message)
    return parameters


def _flag(parameters: dict[str, Any], name: str, pointer: str, default: bool = False) -> bool:
    value = parameters.get(name, default)
    if not isinstance(value, bool):
        message = f"Expected true or false; received {received(value)}."
        raise InvalidDocument.at(f"{pointer}/parameters/{name}", message)
    return value


def _read_outputs(wanted: Any, outputs: Sequence[str], all_binary: bool) -> list[WantedOutput]:
    if wanted is None or wanted == []:
        return [WantedOutput(name, all_binary) for name in outputs]
    if not isinstance(wanted, list):
        raise InvalidDocument.at("/outputs", f"Expected a list; received {received(wanted)}.")
    found: list[WantedOutput] = []
    for place, item in enumerate(wanted):
        pointer = f"/outputs/{place}"
        _check_object(item, pointer, ("name", "parameters"))
        name = item.get("name")
        if name not in outputs:
            raise InvalidDocument.at(f"{pointer}/name", _not_one_of("outputs", outputs, name))
        if any(name == other.name for other in found):
            raise InvalidDocument.at(
                f"{pointer}/name", f"Expected each output once; received {name!r} again."
            )
        binary = _flag(_parameters(item, pointer), "binary_data", pointer, all_binary)
        found.append(WantedOutput(name, binary))
    return found


def _not_one_of(what: str, names: Sequence[str], name: Any) -> str:
    if isinstance(name, str):
        return expected_one_of(what, names, name)
    return f"Expected the name of one of the {what}; received {received(name)}."


def _read_inputs(
    document: dict[str, Any], rest: memoryview, inputs: Sequence[ModelInput]
) -> dict[str, Array]:
    tensors = document.get("inputs")
    if not isinstance(tensors, list) or not tensors:
        message = f"Expected a list of at least one input; received {received(tensors)}."
        raise InvalidDocument.at("/inputs", message)
    if any(model_input.features for model_input in inputs):
        names = [str(tensor.get("name")) for tensor in tensors if isinstance(tensor, dict)]
        columns = by_column(inputs, names)
        if columns is not None:
            return joined(_read_tensors(tensors, rest, columns), inputs)
    return _read_tensors(tensors, rest, inputs)


def _read_tensors(tensors: list[Any], rest: memoryview, inputs: Sequence[ModelInput]) -> dict[str, Array]:
    by_name = {model_input.name: model_input for model_input in inputs}
    found: dict[str, Array] = {}
    for place, tensor in enumerate(tensors):
        pointer = f"/inputs/{place}"
        _check_object(tensor, pointer, ("name", "shape", "datatype", "parameters", "data"))
        name = tensor.get("name")
        if not isinstance(name, str) or name not in by_name:
            raise InvalidDocument.at(f"{pointer}/name", _not_one_of("inputs", list(by_name), name))
        if name in found:
            raise InvalidDocument.at(f"{pointer}/name", f"Expected each input once; received {name!r} again.")
        shape = _read_shape(tensor.get("shape"), by_name[name], pointer)
        if by_name[name].features and not by_name[name].shape and "data" in tensor:
            found[name] = _read_column(tensor["data"], shape, by_name[name], f"{pointer}/data")
            continue
        datatype = tensor.get("datatype")
        dtype = DATATYPES.get(datatype) if isinstance(datatype, str) else None
        if dtype is None:
            given = received(datatype)
            message = f"Expected one of {', '.join(DATATYPES)}; received {given}."
            raise InvalidDocument.at(f"{pointer}/datatype", message)
        array, rest = _read_array(tensor, rest, shape, dtype, pointer)
        found[name] = as_dtype(array, by_name[name].dtype, f"{pointer}/data").reshape(shape)
    _check_complete(found, by_name, rest)
    return found


def _read_column(data: Any, shape: tuple[int, ...], column: ModelInput, pointer: str) -> Array:
    """A column of a stored dataset, by itself: its values as they are stored."""
    if not isinstance(data, list) or len(data) != shape[0]:
        raise InvalidDocument.at(pointer, f"Expected a list of {shape[0]} values; received {received(data)}.")
    return read_rows(data, column, maybe_booleans=True, row_pointer=rows_below(pointer))


def _check_complete(found: dict[str, Array], wanted: dict[str, ModelInput], rest: memoryview) -> None:
    for name in wanted:
        if name not in found:
            raise InvalidDocument.at("/inputs", f"Expected the input {name!r} as well; received none.")
    if len(found) > 1 and len(set(map(len, found.values()))) > 1:
        rows = {name: len(array) for name, array in found.items()}
        message = f"Expected as many samples in each input; received {rows}."
        raise InvalidDocument.at("/inputs", message)
    if len(rest):
        message = f"Expected a body that ends with the last tensor; received {len(rest)} bytes more."
        raise InvalidDocument.at("", message)


def _read_shape(shape: Any, model_input: ModelInput, pointer: str) -> tuple[int, ...]:
    is_shape = isinstance(shape, list) and len(shape) <= MOST_AXES
    if not is_shape or not all(type(length) is int and length >= 1 for length in shape):
        is_told = is_shape and all(type(length) in (int, float) for length in shape)
        raise _wrong_shape(model_input, str(shape) if is_told else received(shape), pointer)
    pairs = zip(model_input.shape, shape[1:], strict=False)
    fits = len(shape) == 1 + len(model_input.shape)
    if not fits or any(known not in (None, length) for known, length in pairs):
        raise _wrong_shape(model_input, str(shape), pointer)
    return tuple(shape)


def _wrong_shape(model_input: ModelInput, given: str, pointer: str) -> InvalidDocument:
    lengths = ["n", *("any" if length is None else str(length) for length in model_input.shape)]
    expected = f"Expected a shape [{', '.join(lengths)}]"
    return InvalidDocument.at(f"{pointer}/shape", f"{expected}; received {given}.")


def _read_array(
    tensor: dict[str, Any], rest: memoryview, shape: tuple[int, ...], dtype: np.dtype[Any], pointer: str
) -> tuple[Array, memoryview]:
    """The numbers of a tensor, in a row, and what is left of the binary part."""
    size = _parameters(tensor, pointer).get("binary_data_size")
    if size is None:
        return _from_json(tensor.get("data"), shape, dtype, f"{pointer}/data"), rest
    at = f"{pointer}/parameters/binary_data_size"
    if "data" in tensor:
        raise InvalidDocument.at(f"{pointer}/data", "Expected data or binary_data_size; received both.")
    needed = math.prod(shape) * dtype.itemsize
    if type(size) is not int or size != needed:
        expected = f"{needed} bytes for a shape {list(shape)} of {tensor['datatype']}"
        raise InvalidDocument.at(at, f"Expected {expected}; received {received(size)}.")
    if size > len(rest):
        message = f"Expected {size} bytes behind the JSON part; received {len(rest)}."
        raise InvalidDocument.at(at, message)
    # Behind JSON of any length the numbers lie anywhere; what computes with them wants them aligned.
    numbers = np.frombuffer(rest[:size], dtype)
    return numbers if numbers.flags.aligned else numbers.copy(), rest[size:]


def _from_json(data: Any, shape: tuple[int, ...], dtype: np.dtype[Any], pointer: str) -> Array:
    """Numbers in one list, or in nested ones, in a row."""
    if isinstance(data, np.ndarray):  # which `read_tensors` has found to be of the shape and the datatype
        return data
    if not isinstance(data, list):
        raise InvalidDocument.at(pointer, f"Expected a list; received {received(data)}.")
    numbers = _flat(data, shape, pointer)
    count = math.prod(shape)
    if len(numbers) != count:
        raise InvalidDocument.at(
            pointer, f"Expected {count} numbers, as the shape has; received {len(numbers)}."
        )
    allowed: set[type] = {bool} if dtype.kind == "b" else {int, float} if dtype.kind == "f" else {int}
    if not set(map(type, numbers)) <= allowed:
        wrong = next(number for number in numbers if type(number) not in allowed)
        kinds = {"b": "true or false", "f": "numbers"}.get(dtype.kind, "whole numbers")
        raise InvalidDocument.at(pointer, f"Expected {kinds}; received {received(wrong)}.")
    try:
        with np.errstate(over="ignore"):
            return np.array(numbers, dtype)
    except OverflowError as error:
        message = "Expected numbers that the datatype holds; received one that is too large or too small."
        raise InvalidDocument.at(pointer, message) from error


def _flat(data: list[Any], shape: tuple[int, ...], pointer: str) -> list[Any]:
    """The numbers in a row; where lists lie in lists, they must be as the shape has them."""
    lengths = [len(data)]
    while data and isinstance(data[0], list):
        if not all(isinstance(part, list) for part in data):
            raise InvalidDocument.at(
                pointer, "Expected lists of the same depth; received numbers among them."
            )
        if len(set(map(len, data))) > 1:
            raise InvalidDocument.at(pointer, "Expected lists of the same length; received others.")
        lengths.append(len(data[0]))
        joined: list[Any] = []
        for part in data:
            joined += part
        data = joined
    if len(lengths) > 1 and tuple(lengths) != shape:
        given = str(lengths) if len(lengths) <= MOST_AXES else f"of {len(lengths)} axes"
        message = (
            f"Expected {math.prod(shape)} numbers, in a row or of the shape {list(shape)}; received {given}."
        )
        raise InvalidDocument.at(pointer, message)
    return data
