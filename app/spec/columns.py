"""The names under which a run's history is recorded, told from the document alone.

`loss`, then its terms where there are several, then the metrics; and the same with `val_` before it for the
validation rows; at last the violation and the multiplier of each constraint. A metric has the name that was
asked for; a term whose name is taken gets `_1`, `_2`, ….
"""

from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING, TypeVar

from app.spec.fit import EarlyStopping, ReduceLROnPlateau
from app.spec.graph import Graph
from app.spec.layers.base import Layer
from app.spec.layers.core import ActivityRegularization
from app.spec.losses import loss_parts
from app.spec.metrics import RISING
from app.spec.names import distinct
from app.spec.regularizers import L1L2, ActivityL1L2, ActivityOrthogonal, Orthogonal
from app.spec.reported_metrics import reported_metrics

if TYPE_CHECKING:
    from app.spec.run import RunSpec

Monitoring = TypeVar("Monitoring", EarlyStopping, ReduceLROnPlateau)


def history_columns(run: "RunSpec", graph: Graph) -> list[str]:
    """Every column of a run's history, in order."""
    terms = term_names(run, graph)
    metrics = [metric.name for metric in reported_metrics(run.metrics, list(graph.outputs))]
    names = ["loss", *(terms if len(terms) > 1 else []), *metrics]
    validated = run.split is not None and run.split.validates
    names += [f"val_{name}" for name in names] if validated else []
    return names + [f"{name}_{what}" for name in limit_names(run) for what in ("violation", "multiplier")]


def limit_names(run: "RunSpec") -> list[str]:
    """The names of the constraints: their quantities', with `_1`, `_2`, … behind one that came before."""
    return distinct([constraint.quantity.type for constraint in run.constraints], ())


def with_mode(monitoring: Monitoring, run: "RunSpec", graph: Graph) -> Monitoring:
    """The same, with `auto` told: a metric of which more is better is to rise, all else is to fall.

    Keras tells it by the metric's class too; its name may be anything.
    """
    if monitoring.mode != "auto":
        return monitoring
    column = monitoring.monitor.removeprefix("val_")
    reported = reported_metrics(run.metrics, list(graph.outputs))
    rises = any(found.name == column and found.metric.type in RISING for found in reported)
    return monitoring.model_copy(update={"mode": "max" if rises else "min"})


def term_names(run: "RunSpec", graph: Graph) -> list[str]:
    """The names of the terms of the total: losses, penalties, regularizers."""
    outputs = list(graph.outputs)
    terms = [part.name for part in loss_parts(run.loss, outputs)]
    terms += [penalty.type for penalty in run.penalties]
    for node in graph.nodes:
        terms += [f"{node.name}_{name}" for name in _regularizer_names(node.layer)]
    return distinct(terms, taken_by_metrics(run, outputs))


def taken_by_metrics(run: "RunSpec", outputs: Collection[str]) -> list[str]:
    """The names that terms can't have."""
    return ["loss", *(metric.name for metric in reported_metrics(run.metrics, list(outputs)))]


def _regularizer_names(layer: Layer, trainable: bool = True) -> Iterator[str]:
    """The parts of a layer that are regularized; of its weights only those that it has and trains."""
    trainable = trainable and layer.trainable
    if isinstance(layer, ActivityRegularization):
        yield from (f"activity_{kind}" for kind in ("l1", "l2") if getattr(layer, kind))
    for field, value in layer:
        part = field.removesuffix("_regularizer")
        if part != "activity" and not (trainable and getattr(layer, _SWITCHES.get(part, ""), True)):
            continue
        if isinstance(value, Orthogonal | ActivityOrthogonal) and value.factor:
            yield f"{part}_orthogonal"
        elif isinstance(value, L1L2 | ActivityL1L2):
            yield from (f"{part}_{kind}" for kind in ("l1", "l2") if getattr(value, kind))
    for inner in layer.wrapped().values():
        yield from _regularizer_names(inner, trainable)


_SWITCHES = {"bias": "use_bias", "beta": "center", "gamma": "scale"}
"""The fields that say whether a layer has a weight at all."""
