"""How sparse the activations of a model's layers are on a batch."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from app.errors import InvalidDocument
from app.predictions.scorers import Scorer
from app.predictions.sessions import Array, elements_of_sample
from app.spec.parsing import expected_one_of
from app.statistics import GatheredSparsity

MOST_ELEMENTS = 2**22
"""Numbers of activations that are there at once: 16 MB in float32."""


class LayerSparsity:
    """Gathers the activation sparsity of some layers, some rows at a time.

    Args:
        scorer: the model.
        layers: names of layers.

    Raises:
        InvalidDocument: the model has no such layer, or tells nothing of its layers.
    """

    def __init__(self, scorer: Scorer, layers: Sequence[str]) -> None:
        known = [tensor.name for tensor in scorer.signature.activations]
        for place, layer in enumerate(layers):
            if layer not in known:
                raise InvalidDocument.at(f"/statistics/activation_sparsity/{place}", _unknown(known, layer))
        self._scorer = scorer
        self._gathered = {layer: GatheredSparsity(scorer.signature.near_zero) for layer in layers}

    def add(self, inputs: Mapping[str, Array]) -> None:
        """Takes in some more samples, inputs by name, each (n, …)."""
        if not self._gathered:
            return
        for part in activations_in_parts(self._scorer, list(self._gathered), inputs):
            for layer, activations in part.items():
                self._gathered[layer].add(activations)

    def figures(self) -> dict[str, Any]:
        """`{"activation_sparsity": {layer: figures}}`; nothing if no layer was asked for."""
        if not self._gathered:
            return {}
        return {
            "activation_sparsity": {name: gathered.figures() for name, gathered in self._gathered.items()}
        }


def activations_in_parts(
    scorer: Scorer, layers: Sequence[str], inputs: Mapping[str, Array]
) -> Iterator[dict[str, Array]]:
    """What some of a model's layers put out, by layer, for at most `MOST_ELEMENTS` numbers at a time."""
    tensors = [tensor for tensor in scorer.signature.activations if tensor.name in layers]
    rows = max(1, MOST_ELEMENTS // max(1, elements_of_sample(tensors, inputs)))
    for first in range(0, len(next(iter(inputs.values()))), rows):
        part = {name: array[first : first + rows] for name, array in inputs.items()}
        yield scorer.activations(layers, part)


def _unknown(known: Sequence[str], layer: str) -> str:
    if not known:
        return (
            "Expected a run, or a model of one run, whose layers' activations were exported; this has none."
        )
    return expected_one_of("layers", known, layer)
