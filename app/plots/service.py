"""Which plots a run has, and what they are made of. Knows no HTTP."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from app.errors import Conflict, InvalidDocument, NotFound
from app.evaluations.service import curve, in_parts, parts_of
from app.plots.classes import calibration_plot, confusion_plot
from app.plots.counts import activations_plot, elements_above_plot
from app.plots.lines import constraints_plot, loss_plot
from app.plots.style import SPLIT_ORDER
from app.predictions.layer_sparsity import activations_in_parts
from app.predictions.scorers import Scorer
from app.predictions.sessions import Array
from app.runs.history import History
from app.runs.tables import RunRow
from app.spec.columns import limit_names
from app.spec.constraints import Constraint
from app.spec.dataset import RunData
from app.spec.parsing import expected_one_of
from app.spec.run import RunSpec
from app.statistics.histograms import Histogram, Range, histogram

TITLES = {
    "loss": "Loss by epoch, or other series of the history",
    "constraints": "Violations and multipliers of the declared limits by epoch",
    "elements_above": "Share of elements above a threshold, by the threshold",
    "activations": "Histograms of each layer's activations",
    "confusion_matrix": "Counts by true class and answer",
    "calibration": "Predicted probabilities against how often they came true",
}
"""The plots by name."""

OF_MODEL = ("elements_above", "activations")
"""Those for which the run's data are scored."""

CURVE_POINTS = 201
BINS = 30
MOST_LAYERS = 24
MOST_SERIES = 32
MOST_CLASSES = 300


@dataclass(frozen=True)
class Wanted:
    """What a request says of a plot.

    Attributes:
        name: which.
        max_points: most epochs.
        series: columns of the history; empty for the loss.
        split: a part of the data; None for the plot's own choice.
        output: of a model of several; None for the first.
        layers: whose activations; empty for all.
    """

    name: str
    max_points: int
    series: Sequence[str] = ()
    split: str | None = None
    output: str | None = None
    layers: Sequence[str] = ()


def names_of_plots(run: RunRow) -> list[str]:
    """The plots that a run has by now."""
    figures = _figures(run).values()
    has = {
        "loss": run.epoch > 0,
        "constraints": run.epoch > 0 and bool(run.document.get("constraints")),
        "elements_above": run.status == "succeeded",
        "activations": run.status == "succeeded" and bool(_splits(run)),
        "confusion_matrix": any(_several(one) for one in figures),
        "calibration": any(of.get("calibration") for one in figures for of in _several(one).values()),
    }
    return [name for name in TITLES if has[name]]


def check_plot(run: RunRow, name: str) -> None:
    """Checks that a run has a plot.

    Raises:
        NotFound: there is no plot of that name, or this run will never have it.
        Conflict: the run doesn't have it yet.
    """
    if name not in TITLES:
        raise NotFound(expected_one_of("plots", list(TITLES), name))
    if name in names_of_plots(run):
        return
    if run.status in ("queued", "running"):
        raise Conflict(
            f"Expected a run that has got that far; run {run.id} is {run.status}, and has no {name} yet."
        )
    raise NotFound(f"Run {run.id} has no plot {name}: {_REASONS[name]}.")


_REASONS = {
    "loss": "it has recorded no epoch",
    "constraints": "its document declares no limits, or it has recorded no epoch",
    "elements_above": "it has no model",
    "activations": "it has no model",
    "confusion_matrix": "it has no model, or none of its losses is of classes",
    "calibration": "it has no model, or its predictions aren't probabilities of classes",
}


def history_plot(run: RunRow, spec: RunSpec, history: History, wanted: Wanted) -> dict[str, Any]:
    """The plot of the loss, or of the constraints.

    Raises:
        InvalidDocument: a series isn't one of the history's.
    """
    thinned = history.thinned(wanted.max_points)
    if wanted.name == "constraints":
        names = dict(zip(limit_names(spec), spec.constraints, strict=True))
        shown = list(names.items())[:MOST_SERIES]
        return constraints_plot(title_of(run), thinned, {name: _words(name, limit) for name, limit in shown})
    columns = wanted.series or [name for name in ("loss", "val_loss") if name in history.columns]
    for name in columns:
        if name not in history.columns:
            message = expected_one_of("series", list(history.columns), name)
            raise InvalidDocument.at("", f"series: {message}")
    return loss_plot(title_of(run), thinned, list(dict.fromkeys(columns)))


def statistics_plot(run: RunRow, wanted: Wanted) -> dict[str, Any]:
    """The plot of the confusion matrix, or of the calibration, from the stored statistics.

    Raises:
        InvalidDocument: the run has no such part of the data, or no such output.
    """
    parts = {split: _several(figures) for split, figures in _figures(run).items()}
    outputs = list(next(iter(parts.values())))
    output = _one("output", outputs, wanted.output) if wanted.output or len(outputs) > 1 else outputs[0]
    label = title_of(run) if len(outputs) == 1 else f"{title_of(run)} · {output}"
    of_output = {split: figures[output] for split, figures in parts.items()}
    if wanted.name == "calibration":
        known = {
            split: figures["calibration"]
            for split, figures in of_output.items()
            if figures.get("calibration")
        }
        if not known:
            raise NotFound(f"Run {run.id} has no plot calibration: {_REASONS['calibration']}.")
        matrix = next(iter(of_output.values()))["confusion_matrix"]
        return calibration_plot(label, not isinstance(matrix[0][0], list) and len(matrix) > 2, known)
    split = _one("split", _best_first(of_output), wanted.split)
    matrix = of_output[split]["confusion_matrix"]
    if matrix is None:
        raise NotFound(f"Run {run.id} has no confusion matrix of {split}: its predictions aren't finite.")
    if len(matrix) > MOST_CLASSES:
        raise Conflict(f"Expected at most {MOST_CLASSES} classes in a picture; this run has {len(matrix)}.")
    return confusion_plot(label, split, matrix)


def model_plot(run: RunRow, spec: RunSpec, scorer: Scorer, own: RunData, wanted: Wanted) -> dict[str, Any]:
    """The plot of the elements above thresholds, or of the activations, for which the data are scored.

    Raises:
        InvalidDocument: the run has no such part of the data, no such output or no such layer.
    """
    if wanted.name == "elements_above":
        outputs = curve(run.id, spec, scorer, own, CURVE_POINTS)["outputs"]
        output = _one("output", list(outputs), wanted.output)
        return elements_above_plot(title_of(run), output, outputs[output], spec.statistics.thresholds)
    known = [tensor.name for tensor in scorer.signature.activations]
    if not known:
        raise NotFound(f"Run {run.id} has no plot activations: those of its layers couldn't be exported.")
    layers = [_one("layer", known, layer) for layer in wanted.layers] or known[:MOST_LAYERS]
    parts = parts_of(spec, scorer, own)
    split = _one("split", _best_first(parts), wanted.split)
    histograms = layer_histograms(scorer, layers, parts[split].inputs)
    return activations_plot(title_of(run), split, histograms)


def layer_histograms(
    scorer: Scorer, layers: Sequence[str], inputs: Mapping[str, Array]
) -> dict[str, Histogram]:
    """The histogram of each layer's activations; they are computed twice, for the range and the counts."""

    def computed(layer: str) -> Iterator[Array]:
        for rows in in_parts(scorer, inputs):
            for activations in activations_in_parts(scorer, [layer], rows):
                yield activations[layer]

    found = {}
    for layer in layers:
        within = Range()
        for activations in computed(layer):
            within.add(activations)
        found[layer] = histogram(computed(layer), within, BINS)
    return found


def title_of(run: RunRow) -> str:
    """What a run is called under a plot's title."""
    return run.name or run.id


def _splits(run: RunRow) -> dict[str, Any]:
    splits: dict[str, Any] = (run.statistics or {}).get("splits", {})
    return splits


def _figures(run: RunRow) -> dict[str, dict[str, Any]]:
    """The figures of classes, by part of the data."""
    return {name: part["classification"] for name, part in _splits(run).items() if "classification" in part}


def _several(figures: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The figures by output; those of a model of one output by an empty name."""
    return {"": figures} if "confusion_matrix" in figures else figures


def _best_first(parts: Mapping[str, Any]) -> list[str]:
    """The parts of the data, those first that the model hasn't seen."""
    return [name for name in ("validation", "test", *SPLIT_ORDER[:1]) if name in parts]


def _one(parameter: str, known: Sequence[str], asked: str | None) -> str:
    """The one that is asked for, or the first."""
    if asked is None:
        return known[0]
    if asked not in known:
        raise InvalidDocument.at("", f"{parameter}: {expected_one_of(f'{parameter}s', list(known), asked)}")
    return asked


def _words(name: str, constraint: Constraint) -> str:
    sign = {"at_most": "≤", "at_least": "≥", "equals": "="}[constraint.limit_field]
    over = constraint.over if isinstance(constraint.over, str) else f"{constraint.over.quantile:g} of samples"
    return f"{name} {sign} {getattr(constraint, constraint.limit_field):g}, {over.replace('_', ' ')}"
