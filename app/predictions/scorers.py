"""What scores arrays: a run's model by itself, or several runs together."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np

from app.artifacts import Signature
from app.errors import InvalidDocument
from app.predictions.sessions import Array, ModelInput
from app.predictions.targets import Combine, Target


class Scorer(Protocol):
    """Anything that scores: an open ONNX model (`ServedModel`), an `Ensemble`, whatever else can."""

    @property
    def signature(self) -> Signature:
        """What it takes and gives, the thresholds that its predictions are counted by."""

    @property
    def inputs(self) -> tuple[ModelInput, ...]:
        """The signature's inputs in NumPy's terms."""

    @property
    def quick_bytes(self) -> float:
        """About the largest body that it scores within a millisecond, in bytes; 0 for what is slow."""

    def predict(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """The outputs by name, each (n, …), in the signature's order, for inputs by name, each (n, …).

        Blocks as long as it takes; `Predictor.score` calls it in a thread where that is long.

        Raises:
            InvalidDocument: it can't take these numbers.
        """


@dataclass(frozen=True)
class Served:
    """What a target is resolved to, once for a whole request.

    Attributes:
        target: what was asked for, the version of a model filled in.
        scorer: what scores it.
    """

    target: Target
    scorer: Scorer


@dataclass(frozen=True)
class Ensemble:
    """Several models of the same inputs and outputs that score together.

    With ŷₘ the prediction of member m of M:

        mean: ŷ = 1/M · Σₘ ŷₘ
        vote: ŷ = 1/M · Σₘ e(ŷₘ)

    where e is 1 at the class that a member predicts and 0 elsewhere: of outputs whose last axis is 1 long
    the class 1 just where ŷₘ > 0.5, of others the largest element along the last axis, the first of equals.
    So a vote answers the share of votes for each class.

    Attributes:
        members: the models, at least one.
        combine: `mean` or `vote`.
    """

    members: Sequence[Scorer]
    combine: Combine

    @cached_property
    def signature(self) -> Signature:
        """The first member's, without its guarantees, which a combination of predictions may break."""
        parameters = sum(member.signature.parameters for member in self.members)
        changes = {"parameters": parameters, "guarantees": ()}
        return self.members[0].signature.model_copy(update=changes)

    @property
    def inputs(self) -> tuple[ModelInput, ...]:
        """The first member's."""
        return self.members[0].inputs

    @property
    def quick_bytes(self) -> float:
        """The members score one after another."""
        return min(member.quick_bytes for member in self.members) / len(self.members)

    def predict(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """The combined outputs by name, each (n, …)."""
        combined: dict[str, Array] = {}
        for member in self.members:
            for name, output in member.predict(inputs).items():
                term = output if self.combine == "mean" else votes(output)
                combined[name] = combined[name] + term if name in combined else term
        count = len(self.members)
        return {name: total / total.dtype.type(count) for name, total in combined.items()}


def votes(output: Array) -> Array:
    """1 at the class that each prediction says, 0 elsewhere; of the output's shape and dtype."""
    if output.shape[-1] == 1:
        return (output > 0.5).astype(output.dtype)
    classes = output.argmax(axis=-1)
    marked = np.zeros_like(output)
    np.put_along_axis(marked, classes[..., np.newaxis], 1, axis=-1)
    return marked


def check_same_tensors(signatures: Sequence[Signature], pointer: str) -> None:
    """Refuses models that can't score together.

    Args:
        signatures: of the members, in the document's order.
        pointer: to the list of runs.

    Raises:
        InvalidDocument: one has other inputs or outputs than the first.
    """
    first = signatures[0]
    for position, signature in enumerate(signatures):
        if (signature.inputs, signature.outputs) != (first.inputs, first.outputs):
            message = "Expected a run with the inputs and outputs of the first; received one with others."
            raise InvalidDocument.at(f"{pointer}/{position}", message)
