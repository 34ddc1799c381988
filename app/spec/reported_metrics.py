"""The metrics of a run one by one: of which output each is, and the column it's recorded in."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from app.spec.metrics import Metric, MetricsSpec
from app.spec.names import distinct
from app.spec.pointers import join


class Reported(NamedTuple):
    """One metric of one output.

    Attributes:
        name: its column in the history, as Keras names it.
        output: the output it looks at.
        metric: the metric itself.
        pointer: JSON Pointer to it in the run document.
    """

    name: str
    output: str
    metric: Metric
    pointer: str


def reported_metrics(
    metrics: MetricsSpec, outputs: Sequence[str], pointer: str = "/metrics"
) -> list[Reported]:
    """Every metric of every output, with the name it's recorded under.

    As Keras does: with several outputs the output's name comes first, and a name that was taken gets a
    number.

    Args:
        metrics: the `metrics` field of the document.
        outputs: the names of the model's outputs.
        pointer: JSON Pointer to `metrics`.
    """
    found = [
        (output, metric, join(where, position))
        for output, listed, where in _by_output(metrics, outputs, pointer)
        for position, metric in enumerate(listed)
    ]
    plain = [metric.name or metric.type for _, metric, _ in found]
    if len(outputs) > 1:
        plain = [f"{output}_{name}" for (output, _, _), name in zip(found, plain, strict=True)]
    return [Reported(name, *entry) for name, entry in zip(distinct(plain), found, strict=True)]


def _by_output(
    metrics: MetricsSpec, outputs: Sequence[str], pointer: str
) -> list[tuple[str, tuple[Any, ...], str]]:
    if isinstance(metrics, dict):
        return [(output, listed, join(pointer, output)) for output, listed in metrics.items()]
    return [(output, metrics, pointer) for output in outputs]
