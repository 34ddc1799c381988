"""What `POST /predict` answers: predictions, and the statistics of this very batch."""

from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from app.artifacts import Signature
from app.predictions.classes import classes
from app.predictions.documents import Wanted
from app.predictions.limits import limits_held
from app.predictions.scorers import Served
from app.predictions.sessions import Array
from app.predictions.targets import EnsembleTarget, ModelTarget, RunTarget, Target
from app.statistics import counts_above, elements_above


def json_of(served: Served, outputs: Mapping[str, Array], wanted: Wanted) -> bytes:
    """The JSON answer.

    Args:
        served: what predicted.
        outputs: predictions by output name, each (n, …).
        wanted: what the answer is to hold.
    """
    signature = served.scorer.signature
    shown = returned(outputs, signature, wanted)
    content = names_of(served.target) | {
        "predictions": shown if len(shown) > 1 else next(iter(shown.values())),
        "statistics": batch_statistics(outputs, signature, wanted),
    }
    if signature.guarantees:
        content["guarantees"] = signature.guarantees
    return orjson.dumps(content, option=orjson.OPT_SERIALIZE_NUMPY)


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


def batch_statistics(outputs: Mapping[str, Array], signature: Signature, wanted: Wanted) -> dict[str, Any]:
    """`elements_above` for each threshold, and, where the run declares limits, `constraints`."""
    thresholds = signature.thresholds if wanted.thresholds is None else wanted.thresholds
    statistics: dict[str, Any] = {"elements_above": _count_above(outputs, thresholds, wanted.counts)}
    if signature.limits:
        statistics["constraints"] = limits_held(signature.limits, outputs)
    return statistics


def _count_above(
    outputs: Mapping[str, Array], thresholds: Sequence[float], with_counts: bool
) -> list[dict[str, Any]]:
    """`elements_above` for each threshold; of several outputs each, with its name under `output`."""
    several = len(outputs) > 1
    counted = []
    for name, predictions in outputs.items():
        for threshold in thresholds:
            figures = elements_above(predictions, threshold)
            if several:
                figures = {"output": name, **figures}
            if with_counts:
                figures["counts"] = counts_above(predictions, threshold)
            counted.append(figures)
    return counted
