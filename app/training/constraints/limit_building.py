"""From the constraints of a document to limits that the loop can hold."""

from collections.abc import Sequence

from app.spec.constraints import Constraint
from app.spec.graph import Graph
from app.spec.layers.core import Dense
from app.spec.names import distinct
from app.spec.quantities import ActivationSparsity, ElementsAbove, Linear, WeightsOf, WeightSparsity
from app.spec.rates import Rate
from app.training.constraints.limit import Limit
from app.training.constraints.rate_residuals import limits_false_positives
from app.training.constraints.residual_building import residuals_of
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
    steady = samples <= min(batch_size, MOST_STEADY)
    limits = []
    for constraint, name in zip(constraints, names, strict=True):
        of = measured(constraint.quantity.of, graph)
        may_project = len(constraints) == 1 and _is_free(of, graph)
        method = chosen_method(constraint, steady, may_project)
        limits.append(_limit(constraint, name, of, method, graph, samples))
    return limits


def _limit(
    constraint: Constraint, name: str, of: str | WeightsOf, method: str, graph: Graph, samples: int
) -> Limit:
    quantity = constraint.quantity
    on_weights = isinstance(quantity, WeightSparsity) or isinstance(of, WeightsOf)
    scale = Scale() if on_weights else scale_of(of, graph)
    residuals = () if method == "projection" else tuple(residuals_of(constraint, of, scale, samples))
    layers = () if on_weights else layers_of(of, graph)
    return Limit(constraint, name, of, method, residuals, layers)


def _is_free(of: str | WeightsOf, graph: Graph) -> bool:
    """Whether it's an output that may be any number, so that nothing is lost by a projection behind it."""
    if isinstance(of, WeightsOf) or of not in graph.outputs:
        return False
    (layer,) = (node.layer for node in graph.nodes if node.name == graph.outputs[of])
    return isinstance(layer, Dense) and layer.activation in (None, "linear")


def chosen_method(constraint: Constraint, steady: bool, may_project: bool) -> str:
    """What `auto` stands for, as was measured (docs/decisions/0010-constraint-methods.md).

    Args:
        constraint: of the document.
        steady: whether each step takes all samples that train, and these are few.
        may_project: whether the model may project its predictions onto the limit.
    """
    quantity = constraint.quantity
    if isinstance(quantity, WeightSparsity):
        return "projection"
    if constraint.method != "auto":
        return constraint.method
    equation = isinstance(quantity, Linear) and constraint.equals is not None
    if equation and constraint.over == "every_sample" and may_project and not steady:
        return "projection"
    counted = isinstance(quantity, ElementsAbove | ActivationSparsity)
    accuracy = isinstance(quantity, Rate) and quantity.type == "accuracy" and quantity.difference is None
    ordered = counted or accuracy or limits_false_positives(constraint)
    return "exact_penalty" if ordered and not steady else "augmented_lagrangian"
