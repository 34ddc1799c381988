"""`signature.json`: what a run's model takes and gives, beside the model's files.

Whoever exports a model writes it; whoever serves one reads it, and needs nothing else to know which arrays
the model takes.
"""

from pathlib import Path
from typing import Any

import orjson
from pydantic import BaseModel, ConfigDict, Field

from app.runs.artifacts import read_artifact
from app.spec.constraints import Constraint

SIGNATURE = "signature.json"


class FeatureSignature(BaseModel):
    """A column of an input that takes a stored dataset's columns as they are stored."""

    model_config = ConfigDict(frozen=True, use_attribute_docstrings=True)

    name: str
    """Of the column."""
    categories: tuple[str | bool | int | None, ...] | None = None
    """The categories that the model has learned from; null is a missing value. None for numbers."""
    codes: tuple[int, ...] = ()
    """What the model's file takes for each of them."""
    ignores_unknown: bool = False
    """Whether the model takes other categories as well; the file takes -1 for them."""
    fills_missing: bool = False
    """Whether the model takes a missing number; the file takes NaN for it."""


class TensorSignature(BaseModel):
    """One input or output of a model."""

    model_config = ConfigDict(frozen=True, use_attribute_docstrings=True)

    name: str
    """Its name, in the file of the model and in requests."""
    shape: tuple[int | None, ...]
    """Lengths of its axes, the batch first; None where any length will do."""
    dtype: str
    """NumPy's name of its numbers: `float32`, `int32`."""
    yes_above: float | None = None
    """Of an output whose elements each say yes or no: above which number they say yes. Where it's None, the
    largest along the last axis is the class, or, if that is 1 long, above 0.5 is yes."""
    features: tuple[FeatureSignature, ...] = ()
    """Of an input that is made of columns of a stored dataset: the columns, in order."""


class LimitSignature(BaseModel):
    """A declared limit."""

    model_config = ConfigDict(frozen=True, use_attribute_docstrings=True)

    name: str
    """As in the history and the verdicts."""
    of: str | None
    """The output whose predictions tell whether it holds; None where they don't tell it alone."""
    constraint: Constraint
    """As the run's document has it."""


class Signature(BaseModel):
    """What a model takes and gives, and what its predictions are counted by."""

    model_config = ConfigDict(frozen=True, use_attribute_docstrings=True)

    inputs: tuple[TensorSignature, ...] = Field(min_length=1)
    """The inputs, in the model's order."""
    outputs: tuple[TensorSignature, ...] = Field(min_length=1)
    """The outputs, in the model's order."""
    activations: tuple[TensorSignature, ...] = ()
    """What the layers put out, by layer name; empty where their activations can't be had."""
    parameters: int = Field(ge=0)
    """How many numbers the model has learned."""
    thresholds: tuple[float, ...] = (0.5,)
    """Above which elements of predictions are counted, unless a request says otherwise."""
    near_zero: float = 0.001
    """Largest absolute value that counts as nearly zero."""
    limits: tuple[LimitSignature, ...] = ()
    """The limits that the run's document declares."""
    guarantees: tuple[dict[str, Any], ...] = ()
    """The limits that every prediction holds, as the model projects it onto them: the `quantity` and one of
    `at_most`, `at_least` and `equals`."""


def write_signature(signature: Signature, folder: Path) -> None:
    """Writes `signature.json` into the folder of a model."""
    (folder / SIGNATURE).write_bytes(orjson.dumps(signature.model_dump(mode="json")))


def read_signature(folder: Path) -> Signature:
    """The signature in the folder of a model.

    Raises:
        ArtifactsLost: it's missing or damaged.
    """
    return Signature.model_validate_json(read_artifact(folder, SIGNATURE))
