"""The data of a run: samples in the document itself, or columns of a stored dataset.

`{"inline": {"x": …, "y": …}}`: nested lists, or, with several inputs or targets, objects of named lists;
`{"id": "ds_…", "features": […], "target": […]}`: see `app.spec.stored_dataset`.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Annotated, Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from pydantic import (
    Discriminator,
    Field,
    PlainSerializer,
    PlainValidator,
    Tag,
    WithJsonSchema,
    model_validator,
)

from app.spec.arrays import Array, Arrays, Numbers
from app.spec.base import SpecModel
from app.spec.features import Feature
from app.spec.mistakes import mistake
from app.spec.pointers import received
from app.spec.space import IN_MEMORY, Space
from app.spec.stored_dataset import StoredDataset


def _validate_groups(value: Any) -> NDArray[Any]:
    if isinstance(value, np.ndarray):
        return value
    if not isinstance(value, list) or not value:
        raise mistake(f"Expected a list of texts or integers; received {received(value)}.")
    kind = str if isinstance(value[0], str) else int
    for index, item in enumerate(value):
        if type(item) is not kind:
            expected = "a text" if kind is str else "an integer"
            raise mistake(f"Expected {expected}, as a group's name; received {received(item)}.", index)
    try:
        return np.array(value)
    except OverflowError as error:
        raise mistake("Expected integers of at most 64 bits; received a larger one.") from error


Groups = Annotated[
    NDArray[Any],
    PlainValidator(_validate_groups),
    PlainSerializer(lambda groups: groups.tolist(), when_used="json"),
    WithJsonSchema({"type": "array", "items": {"anyOf": [{"type": "string"}, {"type": "integer"}]}}),
]
"""The group that each sample belongs to, by text or by integer: `(samples,)`."""


class InlineData(SpecModel):
    """Samples as nested lists. All arrays have as many elements as there are samples."""

    x: Arrays
    """Inputs, `(samples, …)`; a flat list is one column. By input name where the model has several."""

    y: Arrays
    """Targets, `(samples, …)`; a flat list is one column. By output name where the model has several."""

    sample_weight: Array | None = None
    """How much each sample counts in the loss, `(samples,)`, none negative and not all 0."""

    group: Groups | None = None
    """The group of each sample, for limits on rates by group."""

    columns: dict[str, Array] = Field(default_factory=dict)
    """Further numbers of each sample by name, for instance thresholds, `(samples, …)`."""

    @property
    def samples(self) -> int:
        """Number of samples."""
        return len(next(self._arrays())[1])

    def _arrays(self) -> Iterator[tuple[tuple[str, ...], Numbers | NDArray[Any]]]:
        for name in ("x", "y", "columns"):
            arrays = getattr(self, name)
            if isinstance(arrays, dict):
                yield from (((name, part), array) for part, array in arrays.items())
            else:
                yield (name,), arrays
        for name in ("sample_weight", "group"):
            if getattr(self, name) is not None:
                yield (name,), getattr(self, name)

    @model_validator(mode="after")
    def _check_lengths(self) -> "InlineData":
        arrays = self._arrays()
        first, array = next(arrays)
        for path, other in arrays:
            if len(other) != len(array):
                raise mistake(
                    f"Expected {len(array)} samples, as {'/'.join(first)} has; received {len(other)}.", *path
                )
        return self

    @model_validator(mode="after")
    def _check_sample_weight(self) -> "InlineData":
        weights = self.sample_weight
        if weights is None:
            return self
        if weights.ndim != 1:
            raise mistake("Expected one number a sample; received nested lists.", "sample_weight")
        if weights.min() < 0:
            at = int(weights.argmin())
            raise mistake(f"Expected a number >= 0; received {weights[at]}.", "sample_weight", at)
        if not weights.any():
            raise mistake("Expected a sample that counts; received only zeros.", "sample_weight")
        return self


class Dataset(SpecModel):
    """Samples in the document."""

    inline: InlineData
    """The samples themselves."""


def _kind(value: Any) -> str:
    names_id = "id" in value if isinstance(value, dict) else isinstance(value, StoredDataset)
    return StoredDataset.__name__ if names_id else Dataset.__name__


AnyDataset = Annotated[
    Annotated[Dataset, Tag(Dataset.__name__)] | Annotated[StoredDataset, Tag(StoredDataset.__name__)],
    Discriminator(_kind),
]
"""Where the samples come from."""


ONLY_INPUT, ONLY_TARGET = "x", "y"
"""Names of an input and of a target that the document doesn't name."""

Floats = NDArray[np.float32]
Value = TypeVar("Value")


@dataclass(frozen=True)
class RunData:
    """The samples of a run as arrays. Flat lists have become columns: `(samples, 1)`.

    Attributes:
        inputs: `(samples, …)` by input name; float32, or raw float64 where `features` has the input.
        targets: float32 `(samples, …)` by output name; labels are numbers like others.
        sample_weight: float32 `(samples,)`, or None where all count the same.
        group: texts or int64 `(samples,)`, or None.
        columns: float32 `(samples, …)` by name; here a flat list stays flat.
        features: the columns of inputs that are raw, by input name.
        incomplete: `(samples,)`, whether a sample lacks a value and is left out; None where none does.
        space: where its arrays lie, and those that are made of them.
    """

    inputs: dict[str, NDArray[Any]]
    targets: dict[str, Floats]
    sample_weight: Floats | None = None
    group: NDArray[Any] | None = None
    columns: dict[str, Floats] = field(default_factory=dict)
    features: dict[str, tuple[Feature, ...]] = field(default_factory=dict)
    incomplete: NDArray[np.bool_] | None = None
    space: Space = IN_MEMORY

    @property
    def samples(self) -> int:
        """Number of samples."""
        return len(next(iter(self.inputs.values())))

    def rows(self, numbers: NDArray[np.int64]) -> "RunData":
        """The samples with these row numbers."""
        take = self.space.take
        return RunData(
            inputs={name: take(array, numbers) for name, array in self.inputs.items()},
            targets={name: take(array, numbers) for name, array in self.targets.items()},
            sample_weight=None if self.sample_weight is None else self.sample_weight[numbers],
            group=None if self.group is None else self.group[numbers],
            columns={name: take(array, numbers) for name, array in self.columns.items()},
            features=self.features,
            incomplete=None if self.incomplete is None else self.incomplete[numbers],
            space=self.space,
        )

    def named(self, inputs: Sequence[str], outputs: Sequence[str]) -> "RunData":
        """The same, with an only input and an only target under the names that the model has for them."""
        return replace(
            self,
            inputs=_renamed(self.inputs, inputs),
            targets=_renamed(self.targets, outputs),
            features=_renamed(self.features, inputs),
        )


def load_data(dataset: Dataset) -> RunData:
    """The samples of a document, as float32."""
    inline = dataset.inline
    return RunData(
        inputs=_columns(inline.x, ONLY_INPUT),
        targets=_columns(inline.y, ONLY_TARGET),
        sample_weight=None if inline.sample_weight is None else inline.sample_weight.astype(np.float32),
        group=inline.group,
        columns={name: array.astype(np.float32) for name, array in inline.columns.items()},
    )


def _columns(arrays: Numbers | dict[str, Numbers], only: str) -> dict[str, Floats]:
    named = arrays if isinstance(arrays, dict) else {only: arrays}
    floats = {name: array.astype(np.float32) for name, array in named.items()}
    return {name: array[:, None] if array.ndim == 1 else array for name, array in floats.items()}


def _renamed(arrays: dict[str, Value], names: Sequence[str]) -> dict[str, Value]:
    if len(names) == len(arrays) == 1:
        return dict(zip(names, arrays.values(), strict=True))
    return {name: arrays[name] for name in names if name in arrays}


def weigh_classes(targets: Floats, class_weight: Mapping[int, float]) -> Floats:
    """What a class weight makes each sample count, as Keras does: `(samples,)`.

    The class is the index of the largest element where the target has several, else the number itself.
    Classes that aren't named count 1.
    """
    classes = targets.argmax(axis=-1) if targets.shape[-1] > 1 else targets[..., 0]
    weights = np.ones(classes.shape, np.float32)
    for label, weight in class_weight.items():
        weights[classes == label] = weight
    return weights
