"""What all plots look like: Vega-Lite documents of one frame.

The colours are those of Okabe and Ito, which people tell apart who see colours differently; lines differ in
their dashes, too, so that a print in grey can be read.

Source: Okabe, Ito, "Color Universal Design", 2008; Vega-Lite 6, https://vega.github.io/vega-lite/docs/.
"""

from collections.abc import Collection, Sequence
from typing import Any

SCHEMA = "https://vega.github.io/schema/vega-lite/v6.json"

WIDTH, HEIGHT = 560, 300

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#999933")
DASHES = ([1, 0], [6, 3], [2, 2], [8, 3, 2, 3])
GREY = "#666666"
LIGHT_GREY = "#8c8c8c"

LOGARITHMIC_FROM = 50
"""Positive numbers the largest of which is so many times the least are shown by their logarithms."""

FEW_POINTS = 30
"""Up to so many points of a line are marked, so that a single one can be seen."""

SPLIT_ORDER = ("train", "validation", "test")

_FONT = "Liberation Sans, Arial, Helvetica, sans-serif"

_CONFIG = {
    "font": _FONT,
    "view": {"stroke": None},
    "title": {
        "anchor": "start",
        "fontSize": 15,
        "subtitleFontSize": 12,
        "subtitleColor": GREY,
        "offset": 12,
        "fontWeight": 600,
        "limit": WIDTH + 160,
    },
    "axis": {
        "labelFontSize": 11,
        "titleFontSize": 12,
        "titleFontWeight": "normal",
        "titlePadding": 8,
        "gridColor": "#e6e6e6",
        "domainColor": "#999999",
        "tickColor": "#999999",
    },
    "legend": {"labelFontSize": 11, "titleFontSize": 12, "titleFontWeight": "normal", "labelLimit": 260},
    "header": {"labelFontSize": 12, "titleFontSize": 12},
}


def document(title: str, subtitle: str, description: str, **content: Any) -> dict[str, Any]:
    """A Vega-Lite document.

    Args:
        title: what it shows.
        subtitle: of which run, and what to know.
        description: the same for those who don't see it.
        content: data, marks and encodings.
    """
    return {
        "$schema": SCHEMA,
        "title": {"text": title, "subtitle": subtitle},
        "description": description,
        "background": "white",
        "padding": 16,
        "config": _CONFIG,
        **content,
    }


def axis(field: str, title: str, **more: Any) -> dict[str, Any]:
    """The encoding of a quantity along an axis."""
    return {"field": field, "type": "quantitative", "title": title, **more}


def is_wide(values: Collection[float]) -> bool:
    """Whether numbers are better shown by their logarithms."""
    return min(values, default=0) > 0 and max(values) > LOGARITHMIC_FROM * min(values)


def by_name(field: str, title: str | None, names: Sequence[str]) -> dict[str, Any]:
    """The encodings that tell names apart: a colour and a dash, together another for each of 32 names."""
    scale = {"domain": list(names), "range": [COLOURS[n % len(COLOURS)] for n in range(len(names))]}
    dashes = [DASHES[(n + n // len(COLOURS)) % len(DASHES)] for n in range(len(names))]
    legend = (
        None
        if len(names) == 1
        else {
            "title": title,
            "symbolType": "stroke",
            "symbolStrokeWidth": 3,
            "symbolSize": 500,
            "symbolOpacity": 1,
        }
    )
    named = {"field": field, "type": "nominal", "sort": list(names), "legend": legend}
    return {
        "color": {**named, "scale": scale},
        "strokeDash": {**named, "scale": {"domain": list(names), "range": dashes}},
    }


def tooltip(*fields: tuple[str, str, str]) -> list[dict[str, str]]:
    """What stands beside the pointer: for each field its name, its title, and `nominal` or its format."""
    return [
        {"field": field, "title": title, "type": "nominal"}
        if form == "nominal"
        else {"field": field, "title": title, "type": "quantitative", "format": form}
        for field, title, form in fields
    ]


ZOOM = [{"name": "zoom", "select": "interval", "bind": "scales"}]
"""Drag and wheel move and enlarge what lines show, where a plot is interactive."""
