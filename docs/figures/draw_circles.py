"""Draws docs/figures/circles.svg: what the three circles runs predict over the plane.

    .venv/bin/python docs/figures/draw_circles.py

It trains them in a service of its own, like the demo, and asks `/predict` for a grid of points.
"""

import json
import tempfile
from itertools import groupby
from pathlib import Path
from typing import Any

import httpx

from app.demo import DOCUMENTS, EXAMPLES, answer, running_service

TARGET = Path(__file__).resolve().parent / "circles.svg"

SIDE = 260  # pixels of a panel
GAP = 20
TOP, BOTTOM = 34, 62
REACH = 1.4  # the plane is shown from -REACH to REACH
CELLS = 80  # predictions along each side

# From certainly 0 to certainly 1.
COLOURS = ("#9ec5e6", "#b3d1ec", "#cbdff1", "#e2edf7", "#f7f7f7", "#fbe6dc", "#f9cfbd", "#f6b79f", "#f2a083")
POINT_COLOURS = ("#08306b", "#67000d")


def trained_runs(client: httpx.Client, documents: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The runs of the documents, all succeeded."""
    runs = []
    for document in documents:
        run = answer(client.post("/runs", json=document, headers={"Prefer": "wait=60"}))
        assert run["status"] == "succeeded", run["error"]
        runs.append(run)
    return runs


def surface(client: httpx.Client, run: dict[str, Any]) -> list[list[float]]:
    """The predictions of a run over the plane, from the top row down."""
    places = [REACH * (2 * (i + 0.5) / CELLS - 1) for i in range(CELLS)]
    points = [[x, -y] for y in places for x in places]
    body = answer(client.post("/predict", json={"run_id": run["id"], "instances": points}))
    flat = [row[0] for row in body["predictions"]]
    return [flat[i : i + CELLS] for i in range(0, len(flat), CELLS)]


def surface_paths(rows: list[list[float]]) -> list[str]:
    """One path for each colour: the stretches of each row that have it."""
    size = SIDE / CELLS
    stretches: dict[int, list[str]] = {}
    for row_number, row in enumerate(rows):
        levels = [min(int(value * len(COLOURS)), len(COLOURS) - 1) for value in row]
        column = 0
        for level, group in groupby(levels):
            length = len(list(group))
            left, top, width = column * size, row_number * size, length * size
            stretches.setdefault(level, []).append(
                f"M{left:.4g} {top:.4g}h{width:.4g}v{size + 0.3:.4g}h-{width:.4g}z"
            )
            column += length
    return [
        f'<path fill="{COLOURS[level]}" d="{"".join(parts)}"/>' for level, parts in sorted(stretches.items())
    ]


def point_marks(document: dict[str, Any]) -> list[str]:
    """The data: training points filled, validation points hollow."""
    inline, first_held_out = document["dataset"]["inline"], document["split"]["validation"]["rows"][0]
    marks = []
    for number, ((x, y), (label,)) in enumerate(zip(inline["x"], inline["y"], strict=True)):
        left, top = SIDE * (x + REACH) / (2 * REACH), SIDE * (REACH - y) / (2 * REACH)
        colour = POINT_COLOURS[label]
        fill = colour if number < first_held_out else "none"
        marks.append(f'<circle cx="{left:.1f}" cy="{top:.1f}" r="3.2" fill="{fill}" stroke="{colour}"/>')
    return marks


def panel(number: int, title: str, caption: list[str], content: list[str]) -> str:
    """One picture with its title and the lines below it."""
    lines = "".join(
        f'<text x="{SIDE / 2}" y="{SIDE + 22 + 18 * i}" text-anchor="middle">{line}</text>'
        for i, line in enumerate(caption)
    )
    return (
        f'<g transform="translate({GAP + number * (SIDE + GAP)} {TOP})">'
        f'<text x="{SIDE / 2}" y="-12" text-anchor="middle" font-weight="bold">{title}</text>'
        f"{''.join(content)}"
        f'<rect width="{SIDE}" height="{SIDE}" fill="none" stroke="#888"/>{lines}</g>'
    )


def main() -> None:
    """Trains, asks and draws."""
    documents = [json.loads((EXAMPLES / name).read_text()) for name in DOCUMENTS]
    panels = []
    with (
        tempfile.TemporaryDirectory() as folder,
        running_service(Path(folder)) as url,
        httpx.Client(base_url=url, timeout=90.0) as client,
    ):
        for number, (document, run) in enumerate(
            zip(documents, trained_runs(client, documents), strict=True)
        ):
            splits = answer(client.get(f"/runs/{run['id']}/statistics"))["splits"]
            accuracies = [splits[name]["classification"]["accuracy"] for name in ("train", "validation")]
            zeros = splits["train"]["activation_sparsity"]["activation"]["zero_fraction"]
            caption = [
                f"accuracy {accuracies[0]:.3f} train, {accuracies[1]:.3f} validation",
                f"{zeros:.1%} of the activations are zero",
            ]
            content = surface_paths(surface(client, run)) + point_marks(document)
            panels.append(panel(number, run["name"].removeprefix("circles, "), caption, content))
    width, height = GAP + len(panels) * (SIDE + GAP), TOP + SIDE + BOTTOM
    TARGET.write_text(
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        f'font-family="sans-serif" font-size="13" fill="#222">'
        f'<rect width="{width}" height="{height}" fill="#fff"/>\n' + "\n".join(panels) + "\n</svg>\n"
    )


if __name__ == "__main__":
    main()
