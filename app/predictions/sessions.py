"""Models opened for scoring, each once, the most recently used of them kept.

A model is opened again when its folder has been replaced, and forgotten when the folder is gone; a look at
the folder's inode and time on each request, about a microsecond, tells.
"""

import math
import os
import time
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Generic, NamedTuple, Protocol, TypeVar

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from onnxruntime.capi.onnxruntime_pybind11_state import Fail, InvalidArgument, RuntimeException

from app.artifacts import FeatureSignature, Signature, TensorSignature, read_signature
from app.errors import ArtifactsLost, InvalidDocument
from app.runs.artifacts import read_artifact

Array = NDArray[Any]

MODEL_FILE = "model.onnx"
ACTIVATIONS_FILE = "activations.onnx"

QUICK_SECONDS = 0.001
"""Longest scoring that other requests may have to wait for."""

PART_ELEMENTS = 32 * 1024
"""As many input elements are scored at once: what the layers put out then stays in the processor's caches."""

LEAST_PART_ROWS = 64
"""As many samples at least, so that a call costs little."""

_PROBE_ELEMENTS = 1024
"""How many input elements a model is timed with, besides a single sample."""

BYTES_PER_NUMBER = 8
"""About what a number takes in a request's body."""


_USUAL = onnxruntime.RunOptions()
"""Made once, as ONNX Runtime would for each call."""

_ASKED_ALONE = onnxruntime.RunOptions()
"""Computes the asked outputs alone, not all that a model has."""
_ASKED_ALONE.only_execute_path_to_fetches = True


class ModelInput(NamedTuple):
    """An input of a model: `shape` is a sample's, without the batch; `features` are its columns, if known."""

    name: str
    shape: tuple[int | None, ...]
    dtype: np.dtype[Any]
    features: tuple[FeatureSignature, ...] = ()


Stamp = tuple[int, int]
"""What changes when a folder is replaced by another of the same name: its inode and its time."""


@dataclass(frozen=True)
class ServedModel:
    """A model that is open.

    Attributes:
        folder: where it was read.
        stamp: of the folder as it was read.
        signature: what it takes and gives.
        inputs: the same of its inputs, in NumPy's terms.
        output_names: in the model's order.
        session: ONNX Runtime's.
        quick_bytes: about the largest body whose instances it scores within `QUICK_SECONDS`.
    """

    folder: str
    stamp: Stamp
    signature: Signature
    inputs: tuple[ModelInput, ...]
    output_names: list[str]
    session: onnxruntime.InferenceSession
    quick_bytes: float

    waits: ClassVar[bool] = False

    def predict(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """The outputs by name, each (n, …), for inputs by name, each (n, …).

        Raises:
            InvalidDocument: the model can't take these numbers, such as an index beyond an embedding.
        """
        size = sum(array.size for array in inputs.values())
        if size <= PART_ELEMENTS:
            return _run(self.session, self.output_names, inputs)
        rows = len(next(iter(inputs.values())))
        step = max(LEAST_PART_ROWS, rows * PART_ELEMENTS // size)
        parts = [
            _run(
                self.session,
                self.output_names,
                {name: array[start : start + step] for name, array in inputs.items()},
            )
            for start in range(0, rows, step)
        ]
        return {name: np.concatenate([part[name] for part in parts]) for name in self.output_names}

    def activations(self, layers: Sequence[str], inputs: Mapping[str, Array]) -> dict[str, Array]:
        """What some of the signature's layers put out, by layer, each (n, …), for the same inputs.

        Raises:
            InvalidDocument: as above.
            ArtifactsLost: the file of these is missing or damaged.
        """
        return _run(self._tapped, list(layers), inputs, _ASKED_ALONE)

    @cached_property
    def _tapped(self) -> onnxruntime.InferenceSession:
        """The model that gives activations, opened when they are first asked for."""
        return _open_session(read_artifact(Path(self.folder), ACTIVATIONS_FILE))


ModelKey = tuple[str | None, str]
"""A project and a run of it."""


class Opened(Protocol):
    """A model that was read from a folder."""

    @property
    def folder(self) -> str:
        """Where it was read."""

    @property
    def stamp(self) -> Stamp:
        """Of the folder as it was read."""


Model = TypeVar("Model", bound=Opened)


class ModelCache(Generic[Model]):
    """Open models by project and run, the least recently used dropped first.

    Not for several threads at once: the event loop's thread alone asks and keeps. Opening, which takes
    long, is a function apart, `open_model`, that any thread may call.

    Args:
        capacity: how many models to keep open, ≥ 1.
    """

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._models: OrderedDict[ModelKey, Model] = OrderedDict()

    def __len__(self) -> int:
        return len(self._models)

    def get(self, key: ModelKey) -> Model | None:
        """The open model, if there is one and its folder is still the one that was read."""
        model = self._models.get(key)
        if model is None:
            return None
        try:
            is_current = read_stamp(model.folder) == model.stamp
        except OSError:
            is_current = False
        if not is_current:
            del self._models[key]
            return None
        self._models.move_to_end(key)
        return model

    def keep(self, key: ModelKey, model: Model) -> None:
        """Keeps a model, dropping the one that was unused for longest if there are too many."""
        self._models[key] = model
        self._models.move_to_end(key)
        if len(self._models) > self._capacity:
            self._models.popitem(last=False)


def read_stamp(folder: str) -> Stamp:
    """The stamp of a folder.

    Raises:
        FileNotFoundError: there is no such folder.
    """
    status = os.stat(folder)  # noqa: PTH116, on every request; a Path would double its cost
    return status.st_ino, status.st_mtime_ns


def open_model(folder: Path) -> ServedModel:
    """Opens the model in a folder and times it.

    Raises:
        FileNotFoundError: there is no folder, or the run has no `model.onnx`.
        ArtifactsLost: a file is missing or damaged.
    """
    while True:
        stamp = read_stamp(str(folder))
        try:
            signature = read_signature(folder)
            content = read_artifact(folder, MODEL_FILE)
        except ArtifactsLost:
            if read_stamp(str(folder)) == stamp:
                raise
            continue
        if read_stamp(str(folder)) == stamp:  # otherwise the two files may be of different models
            break
    session = _open_session(content)
    inputs = tuple(model_input(tensor) for tensor in signature.inputs)
    output_names = [tensor.name for tensor in signature.outputs]
    quick_bytes = BYTES_PER_NUMBER * _quick_elements(session, output_names, inputs)
    return ServedModel(str(folder), stamp, signature, inputs, output_names, session, quick_bytes)


def _open_session(content: bytes) -> onnxruntime.InferenceSession:
    return onnxruntime.InferenceSession(content, _session_options(), providers=["CPUExecutionProvider"])


def _session_options() -> onnxruntime.SessionOptions:
    """One thread a request, so that requests share the cores, and memory that is given back."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    # The arena and the patterns keep memory for the largest batch that ever came, one for each model.
    options.enable_cpu_mem_arena = False
    options.enable_mem_pattern = False
    options.log_severity_level = 4  # what goes wrong is raised; it needn't be printed too
    return options


def model_input(tensor: TensorSignature) -> ModelInput:
    """An input of a signature in NumPy's terms."""
    return ModelInput(tensor.name, tensor.shape[1:], np.dtype(tensor.dtype), tensor.features)


def elements_of_sample(tensors: Sequence[TensorSignature], inputs: Mapping[str, Array]) -> int:
    """About how many numbers a sample has in all of these; an axis of any length is as long as an input's."""
    longest = max(max(array.shape[1:], default=1) for array in inputs.values())
    return sum(math.prod(length or longest for length in tensor.shape[1:]) for tensor in tensors)


def _run(
    session: onnxruntime.InferenceSession,
    output_names: list[str],
    inputs: Mapping[str, Array],
    options: onnxruntime.RunOptions = _USUAL,
) -> dict[str, Array]:
    try:
        outputs = session.run(output_names, inputs, options)
    except (Fail, InvalidArgument, RuntimeException) as error:
        message = f"Expected instances that the model can score; received some that it can't: {error}"
        raise InvalidDocument.at("/instances", message) from error
    return dict(zip(output_names, outputs, strict=True))


def _quick_elements(
    session: onnxruntime.InferenceSession, output_names: list[str], inputs: tuple[ModelInput, ...]
) -> float:
    """How many input elements are scored within `QUICK_SECONDS`, by the time of one sample and of a batch."""
    sample = max(1, sum(math.prod(length or 1 for length in model_input.shape) for model_input in inputs))
    rows = max(2, _PROBE_ELEMENTS // sample)
    try:
        one = _best_seconds(session, output_names, _zeros(inputs, 1))
        if one > QUICK_SECONDS:
            return 0.0
        many = _best_seconds(session, output_names, _zeros(inputs, rows))
    except InvalidDocument:  # an axis of any length may yet need more than one element
        return 0.0
    seconds_per_element = (many - one) / ((rows - 1) * sample)
    return (QUICK_SECONDS - one) / seconds_per_element if seconds_per_element > 0 else math.inf


def _best_seconds(
    session: onnxruntime.InferenceSession, output_names: list[str], inputs: Mapping[str, Array]
) -> float:
    """The shortest of three calls; the first also prepares the session."""
    seconds = []
    for _ in range(3):
        start = time.perf_counter()
        _run(session, output_names, inputs)
        seconds.append(time.perf_counter() - start)
    return min(seconds)


def _zeros(inputs: tuple[ModelInput, ...], rows: int) -> dict[str, Array]:
    return {one.name: np.zeros((rows, *(length or 1 for length in one.shape)), one.dtype) for one in inputs}
