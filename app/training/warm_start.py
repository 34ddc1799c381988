"""What one run leaves for another to begin with: the weights it serves, and its multipliers.

weight_0, weight_1, …       the model's variables, in their order
limits                      JSON, one a limit: its quantity and what it is over; empty for a fixed penalty
limit_0_1_multiplier, …     of the limit's second kind of residuals, and so on
"""

import io
from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from app.errors import ModelRejected
from app.training.batches import State
from app.training.constraints.limit import Limit

KEPT = ("multiplier", "strength", "curvature")
"""Of the state of a limit's residuals."""

Arrays = Mapping[str, Any]


def to_bytes(model: keras.Model, limits: Sequence[Limit], constraints: State) -> bytes:
    """The weights of a model and the multipliers of its limits, as an uncompressed NPZ archive.

    Args:
        model: the trained model, its variables in the order of the loop's state.
        limits: what the run had to hold.
        constraints: their state when the run ended; empty without limits.
    """
    arrays = {f"weight_{i}": variable.numpy() for i, variable in enumerate(_variables(model))}
    arrays["limits"] = np.array([_identity(limit) for limit in limits], np.str_)
    for i, states in enumerate(constraints.get("limits", ())):
        for j, own in enumerate(states):
            arrays |= {f"limit_{i}_{j}_{name}": own[name].numpy() for name in KEPT}
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    return buffer.getvalue()


def from_bytes(payload: bytes) -> Arrays:
    """The arrays that `to_bytes` wrote; pickled objects are refused."""
    with np.load(io.BytesIO(payload), allow_pickle=False) as archive:
        return dict(archive)


def load_weights(model: keras.Model, start: Arrays) -> None:
    """Puts the weights of another run into a model.

    Raises:
        ModelRejected: the models differ in their weights.
    """
    variables = _variables(model)
    found = [start[f"weight_{i}"] for i in range(sum(name.startswith("weight_") for name in start))]
    if len(found) != len(variables):
        raise _other_model(f"{len(variables)} arrays of weights", f"{len(found)}")
    for variable, array in zip(variables, found, strict=True):
        if tuple(variable.shape) != array.shape:
            raise _other_model(f"{variable.path} of shape {list(variable.shape)}", f"{list(array.shape)}")
        variable.assign(array)


def with_multipliers(state: State, limits: Sequence[Limit], start: Arrays) -> State:
    """The state of the limits before the first epoch, beginning where another run's ended.

    A limit takes over the multipliers of the one with the same quantity over the same samples, whatever
    number either may reach. A fixed penalty neither takes nor leaves any, as its weight is the document's.
    Limits then set in at once, as the weights have fitted freely before.

    Args:
        state: of fresh multipliers.
        limits: of the new run.
        start: from the other run.
    """
    names = list(start["limits"])
    following = []
    for limit, states in zip(limits, state["limits"], strict=True):
        identity = _identity(limit)
        place = names.index(identity) if identity and identity in names else None
        following.append(
            [own if place is None else _continued(own, place, j, start) for j, own in enumerate(states)]
        )
    return {**state, "limits": following, "warm": tf.constant(True)}


def _continued(own: State, place: int, kind: int, start: Arrays) -> State:
    """The state of some residuals with what is kept of the other run's, where that has the same shape."""
    kept = {name: start.get(f"limit_{place}_{kind}_{name}") for name in KEPT}
    if any(array is None or array.shape != tuple(own[name].shape) for name, array in kept.items()):
        return own
    return {**own, **{name: tf.constant(array) for name, array in kept.items()}}


def _variables(model: keras.Model) -> list[keras.Variable]:
    return [*model.trainable_variables, *model.non_trainable_variables]


def _identity(limit: Limit) -> str:
    if limit.method == "penalty":
        return ""
    return limit.constraint.model_dump_json(include={"quantity", "over"})


def _other_model(expected: str, found: str) -> ModelRejected:
    message = f"Expected the model of the run to start from to have {expected}; it has {found}."
    return ModelRejected(message, "/start_from")
