"""Draws docs/figures/plot_*.svg: plots of a run with a declared limit, as the service answers them.

    .venv/bin/python docs/figures/draw_plots.py

It trains the run in a service of its own, like the demo.
"""

import json
import tempfile
import time
from pathlib import Path

import httpx

from app.demo import EXAMPLES, answer, running_service

HERE = Path(__file__).resolve().parent
NAMES = ("constraints", "calibration")


def main() -> None:
    """Trains, asks and writes."""
    document = json.loads((EXAMPLES / "limit_recall.json").read_text())
    with (
        tempfile.TemporaryDirectory() as folder,
        running_service(Path(folder)) as url,
        httpx.Client(base_url=url, timeout=90.0) as client,
    ):
        run = answer(client.post("/runs", json=document, headers={"Prefer": "wait=60"}))
        while run["status"] != "succeeded":
            time.sleep(1)
            run = answer(client.get(f"/runs/{run['id']}"))
        for name in NAMES:
            drawn = client.get(f"/runs/{run['id']}/plots/{name}.svg", params={"max_points": 200})
            (HERE / f"plot_{name}.svg").write_text(drawn.raise_for_status().text)


if __name__ == "__main__":
    main()
