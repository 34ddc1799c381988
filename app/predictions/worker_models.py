"""Models without an ONNX form: a worker predicts with Keras, some rows at a time."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from app.artifacts import Signature, TensorSignature, read_signature
from app.packing import pack_arrays, unpack_arrays
from app.predictions.sessions import (
    Array,
    ModelInput,
    Stamp,
    elements_of_sample,
    model_input,
    read_stamp,
)
from app.runs.artifacts import check_artifact

KERAS_FILE = "model.keras"

MOST_ELEMENTS = 2**18
"""Numbers that go to a worker, or come back, at once: about 1.4 MB in a question's row."""

Ask = Callable[[str, dict[str, Any]], Any]
"""Puts a question of some kind to a worker and waits for the answer."""


@dataclass(frozen=True)
class WorkerModel:
    """A model that a worker scores with.

    Attributes:
        run_id: whose model it is.
        folder: where it lies.
        stamp: of the folder as it was read.
        signature: what it takes and gives.
        ask: puts a question to a worker.
    """

    run_id: str
    folder: str
    stamp: Stamp
    signature: Signature
    ask: Ask

    quick_bytes: ClassVar[float] = 0.0
    waits: ClassVar[bool] = True

    @cached_property
    def inputs(self) -> tuple[ModelInput, ...]:
        """The signature's inputs in NumPy's terms."""
        return tuple(map(model_input, self.signature.inputs))

    def predict(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """The outputs by name, each (n, …), for inputs by name, each (n, …).

        Raises:
            InvalidDocument: the model can't take these numbers, such as an index beyond an embedding.
            Unavailable: no worker answered in time.
        """
        return self._ask_in_parts("predict", {}, inputs, self.signature.outputs)

    def activations(self, layers: Sequence[str], inputs: Mapping[str, Array]) -> dict[str, Array]:
        """What some of the signature's layers put out, by layer, each (n, …); raises the same."""
        tensors = [tensor for tensor in self.signature.activations if tensor.name in layers]
        return self._ask_in_parts("activations", {"layers": list(layers)}, inputs, tensors)

    def _ask_in_parts(
        self, kind: str, asked: dict[str, Any], inputs: Mapping[str, Array], given: Sequence[TensorSignature]
    ) -> dict[str, Array]:
        samples = len(next(iter(inputs.values())))
        taken = sum(math.prod(array.shape[1:]) for array in inputs.values())
        rows = max(1, MOST_ELEMENTS // max(taken, elements_of_sample(given, inputs), 1))
        parts = []
        for first in range(0, samples, rows):
            part = {name: array[first : first + rows] for name, array in inputs.items()}
            question = {"run_id": self.run_id, **asked, "inputs": pack_arrays(part)}
            parts.append(unpack_arrays(self.ask(kind, question)))
        return {tensor.name: np.concatenate([part[tensor.name] for part in parts]) for tensor in given}


def find_worker_model(folder: Path, run_id: str, ask: Ask) -> WorkerModel:
    """The model in a folder.

    Raises:
        FileNotFoundError: there is no folder, or the run has no `model.keras`.
        ArtifactsLost: a file is missing or damaged.
    """
    stamp = read_stamp(str(folder))
    check_artifact(folder, KERAS_FILE)
    return WorkerModel(run_id, str(folder), stamp, read_signature(folder), ask)
