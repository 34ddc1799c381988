"""Verdicts: where every limit stands with the served model, counted once more on whole parts of the data.

Nothing of the compiled loop goes into `satisfied`; it is counted from the predictions that are served, in
float64, as anybody can count it again.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from app.spec.dataset import RunData
from app.spec.rates import Rate
from app.statistics.limits import measurement
from app.training.constraints.diagnosis import diagnose
from app.training.constraints.limit import Limit
from app.training.evaluation import activations_of
from app.training.quantities import group_columns, rate_counts, rate_of_counts, sample_values
from app.training.terms import Batch

Arrays = Mapping[str, NDArray[Any]]
Verdict = dict[str, Any]


def judge(
    limits: Sequence[Limit],
    state: dict[str, Any],
    model: keras.Model,
    splits: Mapping[str, RunData],
    predictions: Mapping[str, Arrays],
) -> tuple[dict[str, list[Verdict]], list[Verdict]]:
    """The verdicts on a trained model.

    Args:
        limits: of the run.
        state: the loop's last one, of its constraints.
        model: the served one; its layers are those of the run.
        splits: the samples by split; `train` is among them.
        predictions: of the served model, by split and output.

    Returns:
        By split a verdict for each limit; and those on the training data, with how they came about.
    """
    by_split = {
        name: [
            {
                "name": limit.name,
                **measurement(limit.constraint, _values(limit, model, split, predictions[name])),
                "multiplier": _price(states),
                "method": limit.method,
                "guarantee": limit.projects,
            }
            for limit, states in zip(limits, state["limits"], strict=True)
        ]
        for name, split in splits.items()
    }
    summary = []
    for index, (limit, verdict) in enumerate(zip(limits, by_split["train"], strict=True)):
        word, hints = diagnose(limit, verdict, state, index)
        summary.append(
            {
                **verdict,
                "quantity": limit.constraint.quantity.type,
                "verdict": word,
                "splits": {name: verdicts[index]["satisfied"] for name, verdicts in by_split.items()},
                "diagnosis": hints,
            }
        )
    return by_split, summary


def _price(states: list[dict[str, Any]]) -> float:
    return float(sum(np.mean(np.sum(own["multiplier"].numpy(), axis=1)) for own in states))


def _values(limit: Limit, model: keras.Model, split: RunData, predictions: Arrays) -> NDArray[np.float64]:
    """The quantity of every sample, or `()` where it has one value in all."""
    batch = whole_batch(limit, model, split, predictions)
    quantity = limit.constraint.quantity
    if isinstance(quantity, Rate):
        assert isinstance(limit.of, str)
        return np.asarray(
            rate_of_counts(quantity, rate_counts(quantity, limit.of, batch)).numpy(), np.float64
        )
    values: NDArray[np.float64] = sample_values(quantity, limit.of, batch).numpy().astype(np.float64)
    return values.reshape(()) if limit.constraint.one_in_all else values


def whole_batch(limit: Limit, model: keras.Model, split: RunData, predictions: Arrays) -> Batch:
    """A whole split as one batch, predictions and activations in float64."""
    quantity = limit.constraint.quantity
    groups = {} if split.group is None else group_columns([quantity], split.group)
    activations = activations_of(model, limit.layers, split.inputs) if limit.layers else {}
    return Batch(
        y_true={name: tf.constant(array) for name, array in split.targets.items()},
        y_pred=_double(predictions),
        activations=_double(activations),
        weights={v.path: tf.constant(v.numpy().astype(np.float64)) for v in model.trainable_variables},
        sample_weight=None,
        columns={name: tf.constant(array) for name, array in {**split.columns, **groups}.items()},
        seed=tf.constant([0, 0]),
    )


def _double(arrays: Arrays) -> dict[str, tf.Tensor]:
    return {name: tf.constant(array.astype(np.float64)) for name, array in arrays.items()}
