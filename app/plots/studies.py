"""Plots of sweeps: what a figure came to by setting, and the trade-off between two."""

from collections.abc import Mapping, Sequence
from typing import Any

from app.plots.style import (
    COLOURS,
    GREY,
    HEIGHT,
    WIDTH,
    ZOOM,
    axis,
    by_name,
    document,
    is_wide,
    tooltip,
)
from app.spec.pointers import received
from app.sweeps.documents import Limit, Objective
from app.sweeps.results import cost

MOST_ROWS = 40
"""Settings that have a line of their own, where they aren't along an axis."""

MOST_LINES = 12
"""Lines along an axis of settings."""

FEWEST_ALONG = 3
"""Values of a parameter from which its settings are drawn along an axis."""


def settings_plot(
    sweep_name: str, rows: Sequence[Mapping[str, Any]], objective: Objective, limit: Limit | None
) -> dict[str, Any]:
    """The mean of a figure for each setting, with its 95 % interval.

    Along an axis, where a parameter has numbers and the others make few lines; else one below the other,
    the best first.

    Args:
        sweep_name: what the sweep is called.
        rows: of the sweep's table; each has the figure.
        objective: the figure, and which of its means are better.
        limit: of the figure, to be marked.
    """
    # As in the sweep's own order, a setting that was stopped early isn't better than one of the last round.
    best = sorted(rows, key=lambda row: (-row["rung"], cost(row, objective), row["setting"]))
    along = _along(rows)
    note = f"best: setting {best[0]['setting']}, {best[0]['metrics'][objective.metric]['mean']:.4g}"
    runs = max(row["metrics"][objective.metric]["n"] for row in rows)
    error = f"mean of up to {runs} runs, with its 95 % interval" if runs > 1 else "of one run each"
    frame = {
        "title": f"{objective.metric} by setting",
        "subtitle": f"{sweep_name} · {error} · {note}",
        "description": f"{objective.metric} of {len(rows)} settings of {sweep_name}, {error}; {note}.",
    }
    if along is None:
        return document(**frame, **_below_one_another(best[:MOST_ROWS], objective.metric, limit, len(rows)))
    return document(**frame, **_along_axis(rows, objective.metric, limit, along))


def tradeoff_plot(
    sweep_name: str,
    points: Sequence[Mapping[str, Any]],
    x: Objective,
    y: Objective,
    limits: Sequence[Limit],
) -> dict[str, Any]:
    """The means of two figures for each setting; those that no other beats in both are joined.

    Args:
        sweep_name: what the sweep is called.
        points: as `app.sweeps.results.tradeoff` gives them, at least one.
        x: the figure along the x axis.
        y: the other.
        limits: those of either figure are marked.
    """
    values = [
        {**{name: point[name] for name in ("setting", "x", "y", "on_front")}, "parameters": _words(point)}
        for point in points
    ]
    front = [value for value in values if value["on_front"]]
    told = tooltip(
        ("setting", "setting", "d"),
        ("parameters", "parameters", "nominal"),
        ("x", x.metric, ".5g"),
        ("y", y.metric, ".5g"),
    )
    place = {
        "x": axis("x", _better(x), scale={"zero": False, "nice": False, "padding": 12}),
        "y": axis("y", _better(y), scale={"zero": False, "nice": False, "padding": 12}),
    }
    layers: list[dict[str, Any]] = [
        {
            "data": {"values": front},
            "mark": {
                "type": "line",
                "color": COLOURS[0],
                "strokeWidth": 1.5,
                # What can be had at an x between two of them is what the one that isn't worse in x has.
                "interpolate": "step-after" if x.goal == "minimize" else "step-before",
                "clip": True,
            },
            "encoding": place,
        },
        {
            "data": {"values": [value for value in values if not value["on_front"]]},
            "params": ZOOM,
            "mark": {"type": "point", "color": GREY, "size": 40, "clip": True},
            "encoding": {**place, "tooltip": told},
        },
        {
            "data": {"values": front},
            "mark": {"type": "point", "filled": True, "color": COLOURS[0], "size": 70, "opacity": 1},
            "encoding": {**place, "tooltip": told},
        },
        {
            "data": {"values": front if len(front) <= MOST_ROWS else []},
            "mark": {"type": "text", "align": "left", "dx": 7, "dy": -7, "fontSize": 11, "clip": True},
            "encoding": {**place, "text": {"field": "setting", "type": "nominal"}},
        },
    ]
    layers += [_rule(limit, channel) for limit in limits for channel in _channels(limit, x, y)]
    return document(
        f"{y.metric} against {x.metric}",
        f"{sweep_name} · filled, with their numbers: settings that no other beats in both",
        f"Means of {x.metric} and {y.metric} for {len(values)} settings of {sweep_name}. No other beats: "
        + "; ".join(f"{p['setting']} ({p['x']:.4g}, {p['y']:.4g})" for p in front[:MOST_ROWS])
        + ".",
        width=WIDTH,
        height=HEIGHT + 60,
        layer=layers,
    )


def _along_axis(
    rows: Sequence[Mapping[str, Any]], metric: str, limit: Limit | None, parameter: str
) -> dict[str, Any]:
    values = [
        {"at": row["parameters"][parameter], "line": _words(row, parameter), **_told(row, metric)}
        for row in rows
    ]
    lines = list(dict.fromkeys(value["line"] for value in values))
    wide = is_wide([value["at"] for value in values])
    place = {
        "x": axis(
            "at",
            parameter,
            scale={"type": "log", "nice": False, "padding": 12} if wide else {"zero": False, "padding": 8},
            axis={"grid": False, "format": "~g", "labelOverlap": True},
        ),
        **by_name("line", "other parameters", lines),
    }
    interval = {
        "mark": {"type": "rule", "opacity": 0.5, "clip": True},
        "encoding": {
            "x": place["x"],
            "color": place["color"],
            "y": {"field": "low", "type": "quantitative"},
            "y2": {"field": "high"},
        },
    }
    means = {
        "params": ZOOM,
        "mark": {"type": "line", "strokeWidth": 2, "point": True, "clip": True},
        "encoding": {
            **place,
            "y": axis("mean", metric, scale={"zero": False, "padding": 8}),
            "tooltip": _TOLD,
        },
    }
    marked = [] if limit is None else [_rule(limit, "y")]
    return {
        "width": WIDTH,
        "height": HEIGHT,
        "data": {"values": values},
        "layer": [interval, means, *marked],
    }


def _below_one_another(
    rows: Sequence[Mapping[str, Any]], metric: str, limit: Limit | None, in_all: int
) -> dict[str, Any]:
    values = [{"label": f"{row['setting']}: {_words(row)}", **_told(row, metric)} for row in rows]
    place = {
        "y": {
            "field": "label",
            "type": "nominal",
            "sort": [value["label"] for value in values],
            "title": "setting" if in_all <= len(rows) else f"setting, the best {len(rows)} of {in_all}",
            "axis": {"labelLimit": 380, "grid": True},
        }
    }
    layers: list[dict[str, Any]] = [
        {
            "mark": {"type": "rule", "color": GREY, "strokeWidth": 2},
            "encoding": {**place, "x": {"field": "low", "type": "quantitative"}, "x2": {"field": "high"}},
        },
        {
            "mark": {"type": "point", "filled": True, "color": COLOURS[0], "size": 60, "opacity": 1},
            "encoding": {
                **place,
                "x": axis("mean", metric, scale={"zero": False, "padding": 8}),
                "tooltip": _TOLD,
            },
        },
    ]
    if limit is not None:
        layers.append(_rule(limit, "x"))
    return {"width": WIDTH - 160, "height": {"step": 18}, "data": {"values": values}, "layer": layers}


_TOLD = tooltip(
    ("setting", "setting", "d"),
    ("parameters", "parameters", "nominal"),
    ("mean", "mean", ".5g"),
    ("low", "from", ".5g"),
    ("high", "to", ".5g"),
    ("n", "runs", "d"),
)


def _told(row: Mapping[str, Any], metric: str) -> dict[str, Any]:
    found = row["metrics"][metric]
    low, high = found["ci95"] or (found["mean"], found["mean"])
    return {
        "setting": row["setting"],
        "parameters": _words(row),
        "mean": found["mean"],
        "low": low,
        "high": high,
        "n": found["n"],
    }


def _along(rows: Sequence[Mapping[str, Any]]) -> str | None:
    """The parameter of numbers with the most values, if the others make few lines."""
    numbers = {
        name: {row["parameters"][name] for row in rows}
        for name in rows[0]["parameters"]
        if all(_is_number(row["parameters"].get(name)) for row in rows)
    }
    if not numbers:
        return None
    name = max(numbers, key=lambda name: len(numbers[name]))
    lines = {_words(row, name) for row in rows}
    return name if len(numbers[name]) >= FEWEST_ALONG and len(lines) <= MOST_LINES else None


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _words(row: Mapping[str, Any], without: str | None = None) -> str:
    """The parameters of a setting, but one."""
    said = [
        f"{name.rpartition('/')[2]} {value if isinstance(value, str) else _number_or(value)}"
        for name, value in row["parameters"].items()
        if name != without
    ]
    return ", ".join(said)


def _number_or(value: Any) -> str:
    return f"{value:.4g}" if _is_number(value) else received(value)


def _better(objective: Objective) -> str:
    return f"{objective.metric} ({'less' if objective.goal == 'minimize' else 'more'} is better)"


def _channels(limit: Limit, x: Objective, y: Objective) -> list[str]:
    return [channel for channel, objective in (("x", x), ("y", y)) if objective.metric == limit.metric]


def _rule(limit: Limit, channel: str) -> dict[str, Any]:
    sign, value = ("≤", limit.at_most) if limit.at_most is not None else ("≥", limit.at_least)
    return {
        "data": {"values": [{"limit": value, "said": f"{sign} {value:g}"}]},
        "mark": {"type": "rule", "color": GREY, "strokeDash": [4, 4]},
        "encoding": {
            channel: {"field": "limit", "type": "quantitative"},
            "tooltip": tooltip(("said", "limit", "nominal")),
        },
    }
