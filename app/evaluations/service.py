"""Scores whole parts of data and counts. Knows no HTTP."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from app.errors import InvalidDocument, NotFound
from app.evaluations.documents import Evaluation
from app.predictions.layer_sparsity import LayerSparsity
from app.predictions.limits import limits_held
from app.predictions.scorers import Scorer
from app.predictions.sessions import Array
from app.spec.checks import check_run
from app.spec.dataset import Dataset, RunData, load_data
from app.spec.fit import Fit
from app.spec.run import RunSpec
from app.spec.space import blocks
from app.spec.split import split_rows
from app.statistics.figures import flat_samples
from app.statistics.of_splits import losses_of, split_statistics

ROWS = 4096
"""Most samples that are scored at once; fewer of large ones, see `app.spec.space.blocks`."""


def parts_of(spec: RunSpec, scorer: Scorer, own: RunData) -> dict[str, RunData]:
    """The parts of a run's own data, its inputs and targets named as the model has them."""
    data = _named(own, scorer)
    return {name: data.rows(rows) for name, rows in split_rows(spec.split, data).items()}


def predictions_of(scorer: Scorer, inputs: Mapping[str, Array]) -> dict[str, Array]:
    """The outputs for all samples by name, some rows at a time."""
    passes = [scorer.predict(rows) for rows in in_parts(scorer, inputs)]
    return {name: np.concatenate([part[name] for part in passes]) for name in passes[0]}


def activation_sparsity_of(scorer: Scorer, inputs: Mapping[str, Array]) -> dict[str, Any]:
    """The activation sparsity of every layer over all samples, by layer."""
    layers = [tensor.name for tensor in scorer.signature.activations]
    sparsity = LayerSparsity(scorer, layers)
    for rows in in_parts(scorer, inputs):
        sparsity.add(rows)
    figures: dict[str, Any] = sparsity.figures()["activation_sparsity"]
    return figures


def in_parts(scorer: Scorer, inputs: Mapping[str, Array]) -> Iterator[dict[str, Array]]:
    """The model's inputs, some rows at a time."""
    samples = len(next(iter(inputs.values())))
    rows = min(ROWS, next(blocks(samples, *(array[:1] for array in inputs.values()))).stop)
    for first in range(0, samples, rows):
        yield {
            model_input.name: inputs[model_input.name][first : first + rows].astype(model_input.dtype)
            for model_input in scorer.inputs
        }


def evaluate(
    run_id: str, spec: RunSpec, scorer: Scorer, own: RunData | None, asked: Evaluation
) -> dict[str, Any]:
    """Figures of a run's model on a part of its data, `own`, or on other data.

    Raises:
        InvalidDocument: the data aren't what the model takes.
        NotFound: the run's data have no such part.
    """
    data = _data(spec, scorer, own, asked)
    predictions = predictions_of(scorer, data.inputs)
    thresholds = spec.statistics.thresholds if asked.thresholds is None else asked.thresholds
    losses = losses_of(spec.loss, list(predictions))
    content = {
        "run_id": run_id,
        "samples": data.samples,
        **split_statistics(predictions, data.targets, losses, thresholds),
    }
    if scorer.signature.activations:
        content["activation_sparsity"] = activation_sparsity_of(scorer, data.inputs)
    if scorer.signature.limits:
        content["constraints"] = limits_held(scorer.signature.limits, predictions)
    return content


def _data(spec: RunSpec, scorer: Scorer, own: RunData | None, asked: Evaluation) -> RunData:
    if asked.dataset is None:
        assert own is not None
        parts = parts_of(spec, scorer, own)
        if asked.split not in parts:
            raise NotFound(f"The run's data have the parts {', '.join(parts)}; none is {asked.split}.")
        return parts[asked.split]
    features = [feature for tensor in scorer.signature.inputs for feature in tensor.features]
    if not isinstance(asked.dataset, Dataset) or any(feature.categories is not None for feature in features):
        raise InvalidDocument.at(
            "/dataset",
            "Expected a split, or inline samples for a model without categories; received something else.",
        )
    # The document as it would be with these data tells whether they fit; how it trains doesn't matter.
    changes = {"dataset": asked.dataset, "split": None, "fit": Fit(), "start_from": None}
    data = _named(load_data(asked.dataset), scorer)
    for model_input in scorer.inputs:
        _check_input(data, model_input.name, model_input.shape)
    check_run(spec.model_copy(update=changes))
    return data


def _check_input(data: RunData, name: str, shape: tuple[int | None, ...]) -> None:
    if name not in data.inputs:
        message = f"Expected the input {name!r}; received {', '.join(data.inputs)}."
        raise InvalidDocument.at("/dataset/inline/x", message)
    given = data.inputs[name].shape[1:]
    fits = len(given) == len(shape) and all(a in (None, b) for a, b in zip(shape, given, strict=True))
    if not fits:
        expected = [length or "any" for length in shape]
        message = f"Expected samples of shape {expected}; received {list(given)}."
        raise InvalidDocument.at("/dataset/inline/x", message)


def _named(data: RunData, scorer: Scorer) -> RunData:
    signature = scorer.signature
    return data.named([x.name for x in signature.inputs], [y.name for y in signature.outputs])


def at_thresholds(
    statistics: Mapping[str, Any], spec: RunSpec, scorer: Scorer, own: RunData, thresholds: Sequence[float]
) -> dict[str, Any]:
    """The statistics of a run with the elements above other thresholds than its document's."""
    splits = dict(statistics["splits"])
    for name, data in parts_of(spec, scorer, own).items():
        predictions = predictions_of(scorer, data.inputs)
        counted = split_statistics(
            predictions, data.targets, losses_of(spec.loss, list(predictions)), thresholds
        )
        splits[name] = splits[name] | {"elements_above": counted["elements_above"]}
    return {**statistics, "splits": splits}


def curve(run_id: str, spec: RunSpec, scorer: Scorer, own: RunData, points: int) -> dict[str, Any]:
    """How many elements lie above a threshold, by the threshold.

    Args:
        run_id: of the run.
        spec: its document.
        scorer: its model.
        own: its data.
        points: how many thresholds, equally far from one another, the least and the largest prediction
            among them; at least 2.
    """
    predictions = {
        name: predictions_of(scorer, data.inputs) for name, data in parts_of(spec, scorer, own).items()
    }
    outputs = {}
    for output in next(iter(predictions.values())):
        rows = {name: flat_samples(arrays[output]) for name, arrays in predictions.items()}
        finite = np.concatenate([values[np.isfinite(values)] for values in rows.values()])
        low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)
        thresholds = np.linspace(low, high, points).astype(np.float32)
        outputs[output] = {
            "thresholds": thresholds,
            "splits": {name: _counts(values, thresholds) for name, values in rows.items()},
        }
    return {"run_id": run_id, "outputs": outputs}


def _counts(rows: Array, thresholds: Array) -> dict[str, Array]:
    """The elements of rows (n, d) above each threshold, rising: their share, and their mean a sample."""
    ordered = np.sort(rows, axis=None)
    above = ordered.size - np.searchsorted(ordered, thresholds, side="right")
    return {"fraction": above / ordered.size, "per_sample": above / len(rows)}
