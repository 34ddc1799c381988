"""Predictions with the saved models of finished runs, for those that ONNX Runtime can't score."""

from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf
from numpy.typing import NDArray

from app.errors import InvalidDocument, RunError
from app.training.evaluation import Arrays, activations_of, predict

OPEN_MODELS = 4
"""Models that are kept open."""


class SavedModels:
    """Saved models, the most recently used of them open. For one thread."""

    def __init__(self) -> None:
        self._models: OrderedDict[tuple[Path, int], keras.Model] = OrderedDict()

    def predict(self, path: Path, inputs: Mapping[str, NDArray[Any]]) -> Arrays:
        """The outputs for all samples by name, each `(samples, …)`.

        Args:
            path: a `model.keras`.
            inputs: by name, each `(samples, …)`.

        Raises:
            InvalidDocument: the model can't take these numbers.
            RunError: there is no such file any more.
        """
        return self._compute(path, lambda model: predict(model, inputs))

    def activations(self, path: Path, layers: Sequence[str], inputs: Mapping[str, NDArray[Any]]) -> Arrays:
        """The outputs of some layers for all samples by layer, each `(samples, …)`; raises the same."""
        return self._compute(path, lambda model: activations_of(model, layers, inputs))

    def _compute(self, path: Path, compute: Callable[[keras.Model], Arrays]) -> Arrays:
        try:
            model = self._open(path)
        except FileNotFoundError as error:
            raise RunError("The run's model is gone.") from error
        try:
            return compute(model)
        except tf.errors.InvalidArgumentError as error:
            reason = f"received some that it can't: {error.message}"
            raise InvalidDocument.at(
                "/instances", f"Expected instances that the model can score; {reason}"
            ) from error

    def _open(self, path: Path) -> keras.Model:
        key = (path, path.stat().st_ino)
        model = self._models.get(key)
        if model is None:
            model = self._models[key] = keras.models.load_model(path, compile=False)
            if len(self._models) > OPEN_MODELS:
                self._models.popitem(last=False)
        self._models.move_to_end(key)
        return model
