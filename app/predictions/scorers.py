"""What scores arrays: a run's model by itself, or several runs together."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple, Protocol

from app.artifacts import Signature, TensorSignature
from app.errors import InvalidDocument
from app.predictions.classes import votes
from app.predictions.sessions import Array, ModelInput
from app.predictions.targets import Combine, Target


class Scorer(Protocol):
    """Anything that scores: an open ONNX model (`ServedModel`), a worker (`WorkerModel`), an `Ensemble`."""

    @property
    def signature(self) -> Signature:
        """What it takes and gives, the thresholds that its predictions are counted by."""

    @property
    def inputs(self) -> tuple[ModelInput, ...]:
        """The signature's inputs in NumPy's terms."""

    @property
    def quick_bytes(self) -> float:
        """About the largest body that it scores within a millisecond, in bytes; 0 for what is slow."""

    @property
    def waits(self) -> bool:
        """Whether it waits for a worker, rather than computes."""

    def predict(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """The outputs by name, each (n, …), in the signature's order, for inputs by name, each (n, …).

        Blocks as long as it takes; `Predictor.score` calls it in a thread where that is long.

        Raises:
            InvalidDocument: it can't take these numbers.
            Unavailable: it waits for a worker, and none answered in time.
        """

    def activations(self, layers: Sequence[str], inputs: Mapping[str, Array]) -> dict[str, Array]:
        """What some of the signature's layers put out, by layer, each (n, …), for the same inputs.

        Raises:
            InvalidDocument, Unavailable: as `predict` does.
        """


class Served(NamedTuple):
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

    where e is 1 for the class that a member predicts (`app.predictions.classes`) and 0 elsewhere. So a vote
    answers the share of votes for each class.

    Attributes:
        members: the models, at least one.
        combine: `mean` or `vote`.
    """

    members: Sequence[Scorer]
    combine: Combine

    @cached_property
    def signature(self) -> Signature:
        """The first member's, without its layers, and its guarantees, which a combination may break."""
        first = self.members[0].signature
        parameters = sum(member.signature.parameters for member in self.members)
        changes: dict[str, Any] = {"parameters": parameters, "guarantees": (), "activations": ()}
        if (
            self.combine == "vote"
        ):  # a share of votes says yes where most do, whatever the members' outputs are
            changes["outputs"] = tuple(map(_as_share, first.outputs))
        return first.model_copy(update=changes)

    @property
    def inputs(self) -> tuple[ModelInput, ...]:
        """The first member's."""
        return self.members[0].inputs

    @property
    def quick_bytes(self) -> float:
        """The members score one after another."""
        return min(member.quick_bytes for member in self.members) / len(self.members)

    @property
    def waits(self) -> bool:
        """Whether a member does."""
        return any(member.waits for member in self.members)

    def predict(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """The combined outputs by name, each (n, …)."""
        yes_above = {tensor.name: tensor.yes_above for tensor in self.members[0].signature.outputs}
        combined: dict[str, Array] = {}
        for member in self.members:
            for name, output in member.predict(inputs).items():
                term = output if self.combine == "mean" else votes(output, yes_above[name])
                combined[name] = combined[name] + term if name in combined else term
        count = len(self.members)
        return {name: total / total.dtype.type(count) for name, total in combined.items()}

    def activations(self, layers: Sequence[str], inputs: Mapping[str, Array]) -> dict[str, Array]:
        """Of no layers, as each member has its own."""
        return {}


def _as_share(tensor: TensorSignature) -> TensorSignature:
    return tensor if tensor.yes_above is None else tensor.model_copy(update={"yes_above": 0.5})


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
