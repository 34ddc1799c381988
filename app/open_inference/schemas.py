"""What the protocol's routes take and answer, for the OpenAPI document; inference reads and writes bytes."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field


class _Schema(BaseModel):
    model_config = ConfigDict(use_attribute_docstrings=True, protected_namespaces=())


class InferTensor(_Schema):
    """An input."""

    name: str
    shape: list[int]
    """The samples first."""
    datatype: str
    """`FP32`, `INT64`, …"""
    parameters: dict[str, Any] | None = None
    """`binary_data_size`: the bytes that it has behind the JSON part, little-endian, row by row."""
    data: list[Any] | None = None
    """The numbers, in one list or in nested ones, row by row."""


class InferWantedOutput(_Schema):
    """An output that is wanted."""

    name: str
    parameters: dict[str, Any] | None = None
    """`binary_data`: whether it's wanted in binary."""


class InferDocument(_Schema):
    """Inputs to be scored. Binary tensors stand behind it, in the inputs' order; the header
    `Inference-Header-Content-Length` then says how long the JSON part is.
    """

    id: str | None = None
    """Comes back with the answer."""
    parameters: dict[str, Any] | None = None
    """`binary_data_output`: whether outputs are wanted in binary, where they don't say."""
    inputs: list[InferTensor] = Field(min_length=1)
    outputs: list[InferWantedOutput] | None = None
    """By default all."""


class InferOutput(_Schema):
    """An output."""

    name: str
    shape: list[int]
    datatype: str
    parameters: dict[str, Any] | None = None
    data: list[Any] | None = None


class InferAnswer(_Schema):
    """The outputs."""

    model_name: str
    model_version: str | None = None
    id: str | None = None
    outputs: list[InferOutput]


class TensorMetadata(_Schema):
    """An input or an output of a model."""

    name: str
    datatype: str
    shape: list[int]
    """−1 for any length."""


class ModelMetadata(_Schema):
    """What a model takes and gives."""

    name: str
    versions: list[str]
    platform: str
    inputs: list[TensorMetadata]
    outputs: list[TensorMetadata]


class ServerMetadata(_Schema):
    """What the server is."""

    name: Literal["kerb"]
    version: str
    extensions: list[str]


class Live(_Schema):
    """The server answers."""

    live: Literal[True]


class Ready(_Schema):
    """The server, or a model, can score."""

    name: str | None = None
    ready: Literal[True]


class IndexItem(_Schema):
    """A version of a model."""

    name: str
    version: str
    state: Literal["READY"]
    reason: str
