"""From the constraints of a document to limits that the loop can hold."""

from collections.abc import Sequence

from app.spec.constraints import Constraint
from app.spec.graph import Graph
from app.spec.names import distinct
from app.spec.quantities import ActivationSparsity, ElementsAbove, WeightsOf, WeightSparsity
from app.spec.rates import Rate
from app.training.constraints.limit import Limit
from app.training.constraints.residuals import residuals_of
from app.training.constraints.scales import Scale, scale_of
from app.training.penalties import layers_of, measured

MOST_STEADY = 64
"""Samples that train in one batch and are so few that a multiplier for each residual follows in time."""


def build_limits(
    constraints: Sequence[Constraint], graph: Graph, samples: int, batch_size: int
) -> list[Limit]:
    """The limits of a run, named as their quantities, with `_1`, `_2`, … behind a name that came before.

    Args:
        constraints: of the document.
        graph: the model's layers.
        samples: rows that train.
        batch_size: rows a step.
    """
    names = distinct([constraint.quantity.type for constraint in constraints], ())  # as in app.spec.columns
    return [
        _limit(constraint, name, graph, samples, samples <= min(batch_size, MOST_STEADY))
        for constraint, name in zip(constraints, names, strict=True)
    ]


def _limit(constraint: Constraint, name: str, graph: Graph, samples: int, steady: bool) -> Limit:
    quantity = constraint.quantity
    of = measured(quantity.of, graph)
    method = chosen_method(constraint, steady)
    on_weights = isinstance(quantity, WeightSparsity) or isinstance(of, WeightsOf)
    scale = Scale() if on_weights else scale_of(of, graph)
    residuals = () if method == "projection" else tuple(residuals_of(constraint, of, scale, samples))
    layers = () if on_weights else layers_of(of, graph)
    return Limit(constraint, name, of, method, residuals, layers)


def chosen_method(constraint: Constraint, steady: bool) -> str:
    """What `auto` stands for, as was measured (docs/decisions/0010-constraint-methods.md).

    Args:
        constraint: of the document.
        steady: whether each step takes all samples that train, and these are few.
    """
    quantity = constraint.quantity
    if isinstance(quantity, WeightSparsity):
        return "projection"
    if constraint.method != "auto":
        return constraint.method
    counted = isinstance(quantity, ElementsAbove | ActivationSparsity)
    accuracy = isinstance(quantity, Rate) and quantity.type == "accuracy" and quantity.difference is None
    return "exact_penalty" if (counted or accuracy) and not steady else "augmented_lagrangian"
