"""Plots of a classifier: which classes are taken for which, and whether its probabilities are right."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from app.plots.style import GREY, LIGHT_GREY, SPLIT_ORDER, axis, by_name, document, tooltip

MOST_WRITTEN = 20
"""Classes of a matrix up to which every count stands in its cell."""

MOST_LABELS = 24
"""Labels that have a matrix each, in one plot."""

SIDE = 420

LIGHT_TO_DARK = ["#f7fbff", "#6baed6", "#08306b"]


def confusion_plot(run_name: str, split: str, matrix: Sequence[Any]) -> dict[str, Any]:
    """How many samples of each true class got which answer.

    Args:
        run_name: what the run is called.
        split: the part of the data.
        matrix: counts, rows the truth, columns the answer; or such a matrix of two classes for each label.
    """
    title, described = f"Confusion matrix, {split} data", f"of {run_name} on the {split} data"
    if not isinstance(matrix[0][0], list):
        cells = list(_cells(matrix))
        right = sum(row[place] for place, row in enumerate(matrix)) / max(1, sum(map(sum, matrix)))
        return document(
            title,
            f"{run_name} · {right:.1%} right",
            f"Confusion matrix {described}: {len(matrix)} classes, {right:.1%} of the answers right.",
            data={"values": cells},
            **_matrix(len(matrix), SIDE if len(matrix) > 4 else SIDE // 2),
        )
    shown = matrix[:MOST_LABELS]
    note = f" · the first {len(shown)} of {len(matrix)} labels" if len(matrix) > len(shown) else ""
    panels = [
        {
            "title": {"text": f"label {label}", "fontSize": 12, "offset": 6},
            "data": {"values": list(_cells(two))},
            **_matrix(2, 110),
        }
        for label, two in enumerate(shown)
    ]
    return document(
        title,
        f"{run_name}{note}",
        f"Confusion matrices of {len(shown)} labels, each yes or no, {described}.",
        columns=4,
        concat=panels,
    )


def _cells(matrix: Sequence[Sequence[int]]) -> Any:
    for truth, row in enumerate(matrix):
        for answer, count in enumerate(row):
            yield {"truth": truth, "answer": answer, "count": count, "share": count / max(1, sum(row))}


def _matrix(classes: int, side: int) -> dict[str, Any]:
    named = list(range(0, classes, math.ceil(classes / MOST_WRITTEN)))
    ticks = {"labelAngle": 0, "ticks": False, "domain": False, "grid": False, "values": named}
    space = {"paddingInner": 0.03 if classes <= MOST_WRITTEN else 0}
    shared = {
        "x": {"field": "answer", "type": "ordinal", "title": "answer", "axis": ticks, "scale": space},
        "y": {"field": "truth", "type": "ordinal", "title": "truth", "axis": ticks, "scale": space},
    }
    squares = {
        "mark": "rect",
        "encoding": {
            "color": {
                "field": "share",
                "type": "quantitative",
                "title": "share of the true class",
                "scale": {"range": LIGHT_TO_DARK, "domain": [0, 0.5, 1]},
                "legend": {
                    "format": ".0%",
                    "direction": "horizontal",
                    "orient": "bottom",
                    "values": [0, 0.25, 0.5, 0.75, 1],
                },
            },
            "tooltip": tooltip(
                ("truth", "truth", "nominal"),
                ("answer", "answer", "nominal"),
                ("count", "samples", ",d"),
                ("share", "share of the true class", ".1%"),
            ),
        },
    }
    counts = {
        "mark": {"type": "text", "fontSize": max(8, min(13, side // classes // 3))},
        "encoding": {
            "text": {"field": "count", "type": "quantitative", "format": ","},
            "color": {
                "condition": [
                    {"test": "datum.share > 0.55", "value": "white"},
                    {"test": "datum.count == 0", "value": LIGHT_GREY},  # what isn't zero catches the eye
                ],
                "value": "black",
            },
        },
    }
    return {
        "width": side,
        "height": side,
        "encoding": shared,
        "layer": [squares, counts] if classes <= MOST_WRITTEN else [squares],
    }


def calibration_plot(run_name: str, several: bool, splits: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Predicted probabilities against how often they came true, by bins.

    Args:
        run_name: what the run is called.
        several: whether the probability is that of the answer among several classes, not that of yes.
        splits: what `calibration` gave, by part of the data.
    """
    names = [name for name in SPLIT_ORDER if name in splits]
    rows = [{"split": name, **part} for name in names for part in splits[name]["bins"]]
    errors = ", ".join(f"{name} {splits[name]['expected_calibration_error']:.3f}" for name in names)
    across, up = (
        ("mean probability of the answer", "share of right answers")
        if several
        else ("mean predicted probability of yes", "share that is yes")
    )
    place = {
        "x": axis("mean_predicted", across, scale={"domain": [0, 1]}),
        "y": axis("fraction_true", up, scale={"domain": [0, 1]}),
        **by_name("split", "part of the data", names),
    }
    perfect = {
        "data": {"values": [{"p": 0}, {"p": 1}]},
        "mark": {"type": "line", "color": GREY, "strokeWidth": 1},
        "encoding": {
            "x": {"field": "p", "type": "quantitative"},
            "y": {"field": "p", "type": "quantitative"},
        },
    }
    lines = {"mark": {"type": "line", "strokeWidth": 2}, "encoding": place}
    points = {
        "mark": {"type": "point", "filled": True, "opacity": 1},
        "encoding": {
            **{name: encoding for name, encoding in place.items() if name != "strokeDash"},
            "size": {
                "field": "count",
                "type": "quantitative",
                "title": "predictions in the bin",
                "scale": {"range": [25, 220]},
                "legend": {"tickCount": 3, "format": ",d"},
            },
            "tooltip": tooltip(
                ("split", "part", "nominal"),
                ("mean_predicted", "predicted", ".3f"),
                ("fraction_true", "came true", ".3f"),
                ("count", "predictions", ",d"),
            ),
        },
    }
    return document(
        "Calibration",
        f"{run_name} · expected calibration error: {errors}",
        f"Predicted probabilities of {run_name} against how often they came true; they are right on the "
        f"diagonal. Expected calibration error: {errors}.",
        width=SIDE,
        height=SIDE,
        data={"values": rows},
        layer=[perfect, lines, points],
    )
