"""What a verdict is to be called, and in words what is off and what to do about it."""

from typing import Any

import numpy as np

from app.spec.quantities import ActivationSparsity
from app.training.constraints.limit import Limit

FAR = 0.1
"""How far a proxy's mean may be from what is truly counted, over the scale of the limit."""


def diagnose(
    limit: Limit, verdict: dict[str, Any], state: dict[str, Any], index: int
) -> tuple[str, list[str]]:
    """The word for a verdict on the training data, and hints.

    Args:
        limit: that it's about.
        verdict: where it stands.
        state: the last one of the loop's constraints.
        index: of the limit.

    Returns:
        `held`; `infeasible` if no epoch held it; `broken` if some did, but not the served one. And hints,
        none where nothing is off.
    """
    hints = []
    watch = state["watch"][index]
    ever_held, oscillation = bool(watch["held"]), float(watch["oscillation"])
    epochs = int(state["epochs"])
    if verdict["satisfied"]:
        word = "held"
    else:
        word = "broken" if ever_held else "infeasible"
    if word == "infeasible":
        if not bool(state["active"]) or epochs < 20:
            hints.append(
                f"No epoch held the limit, but there were only {epochs}: train for more epochs, of which the "
                "limits need at least some dozens."
            )
        elif isinstance(limit.constraint.quantity, ActivationSparsity):
            hints.append(
                "No epoch held the limit. Only an activation that can be exactly zero, such as relu, makes "
                "zeros: put the limit on such a layer, or lower it."
            )
        else:
            hints.append(
                f"No epoch held the limit while its multiplier grew to {verdict['multiplier']:.3g}: it looks "
                "infeasible for this model and data. Relax it, limit a quantile of the samples or their mean "
                "in place of every sample, train longer or with a lower learning rate, or give the model "
                "more units."
            )
    if word == "broken":
        hints.append(
            "Some epochs held this limit, but the served one doesn't: no epoch held all limits together. "
            "Relax one of them, or train longer."
        )
    if oscillation > 0.5:
        hints.append(
            "The multiplier oscillates: it turned back more than half of the way that it went. A lower "
            "learning rate, or larger batches, let it settle."
        )
    for residuals, own in zip(limit.residuals, state["limits"][index], strict=True):
        soft, true = (float(value) for value in own["mean"])
        scale = max(abs(limit.constraint.limit), 1e-3)
        if residuals.truth is not None and np.isfinite(soft) and abs(soft - true) > FAR * scale:
            hints.append(
                f"The smooth form that gradients flow through is {abs(soft - true):.3g} away from what is "
                "truly counted: many decisions lie near the threshold. Train longer, so that they part."
            )
    return word, list(dict.fromkeys(hints))
