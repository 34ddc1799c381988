"""What the routes take and answer, for the OpenAPI document; predictions are read and written as bytes."""

from typing import Any

from pydantic import BaseModel, ConfigDict


class _Schema(BaseModel):
    model_config = ConfigDict(use_attribute_docstrings=True, protected_namespaces=())


class ServingDocument(_Schema):
    """Instances to be scored: `instances` or `inputs`."""

    signature_name: str | None = None
    """`serving_default`, the only one."""
    instances: list[Any] | None = None
    """Rows: a sample's values each or, with several inputs, an object of them by input name."""
    inputs: list[Any] | dict[str, list[Any]] | None = None
    """Columns: all samples' values or, with several inputs, an object of them by input name."""


class ServingAnswer(_Schema):
    """Predictions in the form in which instances came."""

    predictions: list[Any] | None = None
    """One a row; an object by output name where there are several outputs."""
    outputs: list[Any] | dict[str, list[Any]] | None = None
    """All rows; an object by output name where there are several outputs."""


class ServingStatus(_Schema):
    """Whether a model can score."""

    model_version_status: list[dict[str, Any]]


class ServingMetadata(_Schema):
    """What a model takes and gives, as a signature definition."""

    model_spec: dict[str, str]
    metadata: dict[str, Any]
