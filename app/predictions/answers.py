"""What `POST /predict` answers: predictions, and the statistics of this very batch."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import orjson

from app.artifacts import Signature
from app.predictions.batch_statistics import batch_statistics
from app.predictions.classes import classes
from app.predictions.documents import Wanted
from app.predictions.scorers import Served
from app.predictions.sessions import Array
from app.predictions.targets import EnsembleTarget, ModelTarget, RunTarget, Target

NOTHING: Mapping[str, Any] = MappingProxyType({})


def json_of(
    served: Served, outputs: Mapping[str, Array], wanted: Wanted, further: Mapping[str, Any] = NOTHING
) -> bytes:
    """The JSON answer.

    Args:
        served: what predicted.
        outputs: predictions by output name, each (n, …).
        wanted: what the answer is to hold.
        further: statistics besides those of the predictions.
    """
    signature = served.scorer.signature
    shown = returned(outputs, signature, wanted)
    predictions = shown if len(shown) > 1 else next(iter(shown.values()))
    statistics = batch_statistics(outputs, signature, thresholds_of(signature, wanted), wanted.counts)
    content = {"predictions": predictions} | ends_of(served, {**statistics, **further})
    return orjson.dumps(content, option=orjson.OPT_SERIALIZE_NUMPY)


def ends_of(served: Served, statistics: dict[str, Any]) -> dict[str, Any]:
    """What an answer holds besides the predictions."""
    content = names_of(served.target) | {"statistics": statistics}
    if served.scorer.signature.guarantees:
        content["guarantees"] = served.scorer.signature.guarantees
    return content


def thresholds_of(signature: Signature, wanted: Wanted) -> Sequence[float]:
    """Above which elements are counted."""
    return signature.thresholds if wanted.thresholds is None else wanted.thresholds


def names_of(target: Target) -> dict[str, Any]:
    """What predicted, as the answer names it."""
    match target:
        case RunTarget(run_id):
            return {"run_id": run_id}
        case ModelTarget(name, version):
            return {"model": name, "version": version}
        case EnsembleTarget(run_ids, combine):
            return {"run_ids": run_ids, "combine": combine}


def returned(outputs: Mapping[str, Array], signature: Signature, wanted: Wanted) -> Mapping[str, Array]:
    """The predictions as they were asked for: as they are, or the classes that they say."""
    if wanted.returned == "probabilities":
        return outputs
    yes_above = {tensor.name: tensor.yes_above for tensor in signature.outputs}
    return {name: classes(output, yes_above[name]) for name, output in outputs.items()}
