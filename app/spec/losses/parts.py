"""The single losses that a document's loss is made of."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from app.spec.losses.base import Loss
from app.spec.losses.forms import LossSpec, Sum, WeightedLoss
from app.spec.pointers import join


class Part(NamedTuple):
    """One loss on one output, as it enters the total.

    Attributes:
        name: under which it is recorded.
        output: the output it's on.
        loss: the loss itself.
        weight: how much it counts in the total.
        pointer: JSON Pointer to the loss in the run document.
    """

    name: str
    output: str
    loss: Loss
    weight: float
    pointer: str


def loss_parts(loss: LossSpec, outputs: Sequence[str], pointer: str = "/loss") -> list[Part]:
    """Every single loss that a document's loss is made of.

    A loss that names no output is taken on each of them, as Keras does.

    Args:
        loss: the `loss` field of the document.
        outputs: the names of the model's outputs.
        pointer: JSON Pointer to `loss`.
    """
    if isinstance(loss, dict):
        return [part for output, entry in loss.items() for part in _entry(output, entry, pointer)]
    if len(outputs) == 1:
        # A term of the only output needs no more of a name than the loss's.
        return [part._replace(name=part.loss.type) for part in _parts(loss, outputs[0], 1.0, pointer)]
    return [part for output in outputs for part in _parts(loss, output, 1.0, pointer)]


def _entry(output: str, entry: Loss | Sum | WeightedLoss, pointer: str) -> Iterator[Part]:
    if isinstance(entry, WeightedLoss):
        return _parts(entry.loss, output, entry.weight, join(pointer, output, "loss"))
    return _parts(entry, output, 1.0, join(pointer, output))


def _parts(loss: Loss | Sum, output: str, weight: float, pointer: str) -> Iterator[Part]:
    if isinstance(loss, Sum):
        for position, term in enumerate(loss.terms):
            where = join(pointer, "terms", position, "loss")
            yield Part(f"{output}_{term.loss.type}", output, term.loss, weight * term.weight, where)
    else:
        # Keras records the loss of an output under this name.
        yield Part(f"{output}_loss", output, loss, weight, pointer)
