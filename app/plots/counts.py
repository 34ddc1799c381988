"""Plots of what a run's model puts out: the elements above thresholds, and its layers' activations."""

from collections.abc import Mapping, Sequence
from typing import Any

from app.plots.style import COLOURS, GREY, HEIGHT, SPLIT_ORDER, WIDTH, ZOOM, axis, by_name, document, tooltip
from app.statistics.histograms import Histogram

PANELS_IN_ROW = 3


def elements_above_plot(
    run_name: str, output: str, curve: Mapping[str, Any], thresholds: Sequence[float]
) -> dict[str, Any]:
    """The share of elements above a threshold, by the threshold.

    Args:
        run_name: what the run is called.
        output: whose elements.
        curve: `thresholds` and `splits`, as the route of the curve answers them.
        thresholds: those of the run's document, which are marked.
    """
    splits = [name for name in SPLIT_ORDER if name in curve["splits"]]
    rows = [
        {"threshold": threshold, "split": split, "fraction": fraction, "per_sample": per_sample}
        for split in splits
        for threshold, fraction, per_sample in zip(
            curve["thresholds"].tolist(),
            curve["splits"][split]["fraction"].tolist(),
            curve["splits"][split]["per_sample"].tolist(),
            strict=True,
        )
    ]
    low, high = float(curve["thresholds"][0]), float(curve["thresholds"][-1])
    marked = [threshold for threshold in thresholds if low <= threshold <= high]
    curves = {
        "data": {"values": rows},
        "params": ZOOM,
        "mark": {"type": "line", "strokeWidth": 2, "interpolate": "step-after", "clip": True},
        "encoding": {
            "x": axis("threshold", f"threshold of {output}", scale={"nice": False, "zero": False}),
            "y": axis(
                "fraction", "share of elements above it", axis={"format": "%"}, scale={"domain": [0, 1]}
            ),
            **by_name("split", "part of the data", splits),
            "tooltip": tooltip(
                ("split", "part", "nominal"),
                ("threshold", "threshold", ".4g"),
                ("fraction", "share above", ".2%"),
                ("per_sample", "mean count a sample", ".4g"),
            ),
        },
    }
    rules = {
        "data": {"values": [{"threshold": threshold} for threshold in marked]},
        "mark": {"type": "rule", "color": GREY, "strokeDash": [4, 4]},
        "encoding": {
            "x": {"field": "threshold", "type": "quantitative"},
            "tooltip": tooltip(("threshold", "threshold of the document", ".4g")),
        },
    }
    note = f" · dashed: {', '.join(f'{threshold:g}' for threshold in marked[:5])}" if marked else ""
    return document(
        "Elements above a threshold",
        run_name + note,
        f"For each threshold the share of elements of {output} above it, on {', '.join(splits)}; {run_name}.",
        width=WIDTH,
        height=HEIGHT,
        layer=[curves, rules] if marked else [curves],
    )


def activations_plot(run_name: str, split: str, layers: Mapping[str, Histogram]) -> dict[str, Any]:
    """Histograms of the activations other than zero of each layer, a panel a layer.

    Args:
        run_name: what the run is called.
        split: the part of the data.
        layers: by layer.
    """
    panels = [_activations_panel(name, found) for name, found in layers.items()]
    return document(
        f"Activations, {split} data",
        [run_name, "the values other than zero; above each layer, how many are zero"],  # type: ignore[arg-type]
        f"A histogram of the activations other than zero of each layer on the {split} data of {run_name}. "
        + "; ".join(f"{name}: {_share(found.zero_fraction)} are zero" for name, found in layers.items()),
        columns=PANELS_IN_ROW,
        concat=panels,
        bounds="flush",  # the panels stand in line, whatever the labels beside them take up
        spacing={"row": 95, "column": 80},
    )


def _activations_panel(name: str, found: Histogram) -> dict[str, Any]:
    rows = [
        {"from": low, "to": high, "share": share}
        for low, high, share in zip(found.edges, found.edges[1:], found.shares, strict=False)
    ]
    return {
        "title": {
            "text": name,
            "subtitle": f"{_share(found.zero_fraction)} are zero",
            "fontSize": 12,
            "subtitleFontSize": 11,
            "offset": 6,
            "frame": "group",  # in line with the plot, not with the labels beside it
        },
        "width": 170,
        "height": 120,
        "data": {"values": rows},
        "mark": {"type": "bar", "color": COLOURS[0], "binSpacing": 0},
        "encoding": {
            "x": axis("from", "activation", bin={"binned": True}, axis={"tickCount": 4, "format": "~g"}),
            "x2": {"field": "to"},
            "y": axis(
                "share",
                "share of elements",
                axis={"format": "~%", "tickCount": 4},
                # No label stands on the upper edge, where it would move the panel's title up.
                scale={"domain": [0, 1.05 * max(found.shares, default=1.0)], "nice": False},
            ),
            "tooltip": tooltip(("from", "from", ".4g"), ("to", "to", ".4g"), ("share", "share", ".2%")),
        },
    }


def _share(fraction: float | None) -> str:
    return "none" if not fraction else f"{fraction:.1%}"
