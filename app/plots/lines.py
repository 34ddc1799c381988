"""Plots of a run's history: the loss and other series, and where its limits stood."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from app.plots.style import FEW_POINTS, HEIGHT, WIDTH, ZOOM, axis, by_name, document, is_wide, tooltip
from app.predictions.sessions import Array
from app.runs.history import History


def loss_plot(run_name: str, history: History, columns: Sequence[str]) -> dict[str, Any]:
    """Series of a run's history by epoch.

    Args:
        run_name: what the run is called.
        history: some of its epochs.
        columns: which; each is one of the history's.
    """
    series = _chosen(history, columns)
    scale = {"type": "log"} if _is_wide(series) else {"zero": False, "padding": 8}
    title = "Loss by epoch" if set(columns) <= {"loss", "val_loss"} else "History by epoch"
    value = "loss" if title.startswith("Loss") else "value"
    note = ", logarithmic scale" if "type" in scale else ""
    return document(
        title,
        run_name,
        f"Lines of {', '.join(columns)} of {run_name} over {_epochs(history)}. {_ends(series)}",
        width=WIDTH,
        height=HEIGHT,
        data={"values": list(_rows(history, series))},
        params=ZOOM,
        mark=_line(history),
        encoding={
            "x": _epoch_axis(history),
            "y": axis("value", value + note, scale=scale),
            **by_name("series", "series", list(columns)),
            "tooltip": tooltip(
                ("series", "series", "nominal"), ("epoch", "epoch", "d"), ("value", "value", ".5g")
            ),
        },
    )


def constraints_plot(run_name: str, history: History, limits: Mapping[str, str]) -> dict[str, Any]:
    """How far each declared limit was broken, and its multiplier, by epoch.

    Args:
        run_name: what the run is called.
        history: some of its epochs.
        limits: what each limit says, by its name in the history.
    """
    panels = []
    for what, title in (
        ("violation", "violation (beyond the limit)"),
        ("multiplier", "multiplier (loss a unit of the limit)"),
    ):
        series = {limits[name]: history.series()[f"{name}_{what}"] for name in limits}
        lines = {
            "mark": _line(history),
            "params": [{**ZOOM[0], "name": f"zoom_{what}"}],
            "encoding": {
                "x": _epoch_axis(history),
                "y": axis("value", title, scale={"zero": True, "nice": False, "padding": 8}),
                **by_name("series", "limit", list(series)),
                "tooltip": tooltip(
                    ("series", "limit", "nominal"), ("epoch", "epoch", "d"), ("value", what, ".5g")
                ),
            },
        }
        panels.append(
            {
                "width": WIDTH,
                "height": HEIGHT // 2 + 20,
                "data": {"values": list(_rows(history, series))},
                **lines,
            }
        )
    only = f" · {next(iter(limits.values()))}" if len(limits) == 1 else ""
    return document(
        "Declared limits by epoch",
        f"{run_name}{only}",
        f"Violations and multipliers of {len(limits)} limits of {run_name} over {_epochs(history)}: "
        f"{'; '.join(limits.values())}.",
        vconcat=panels,
    )


def _chosen(history: History, columns: Sequence[str]) -> dict[str, Array]:
    series = history.series()
    return {name: series[name] for name in columns}


def _rows(history: History, series: Mapping[str, Array]) -> Iterator[dict[str, Any]]:
    for name, values in series.items():
        for epoch, value in zip(history.epochs.tolist(), values.tolist(), strict=True):
            yield {"epoch": epoch, "series": name, "value": value if np.isfinite(value) else None}


def _line(history: History) -> dict[str, Any]:
    return {"type": "line", "strokeWidth": 2, "point": len(history.epochs) <= FEW_POINTS, "clip": True}


def _epoch_axis(history: History) -> dict[str, Any]:
    first, last = int(history.epochs[0]), int(history.epochs[-1])
    domain = [first, last] if last > first else [first - 1, first + 1]
    ticks = {"format": ",d", "tickCount": 8, "labelOverlap": True, "grid": False}
    if last - first < FEW_POINTS:  # no ticks between the epochs
        ticks["values"] = history.epochs.tolist()
    return axis("epoch", "epoch", scale={"domain": domain, "nice": False, "padding": 4}, axis=ticks)


def _is_wide(series: Mapping[str, Array]) -> bool:
    values = np.concatenate(list(series.values()))
    return is_wide(values[np.isfinite(values)].tolist())


def _epochs(history: History) -> str:
    first, last = int(history.epochs[0]), int(history.epochs[-1])
    return f"epochs {first} to {last}" if last > first else f"epoch {first}"


def _ends(series: Mapping[str, Array]) -> str:
    said = [f"{name} {values[-1]:.4g}" for name, values in series.items() if np.isfinite(values[-1])]
    return f"At the end: {', '.join(said)}." if said else ""
