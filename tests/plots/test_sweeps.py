"""Plots of sweeps: they hold what the table and the trade-off route answer, and are drawn."""

import asyncio
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from app.plots.renderer import Renderer
from app.plots.studies import MOST_ROWS, settings_plot, tradeoff_plot
from app.sweeps.documents import Limit, Objective
from tests.support.documents import tiny_document
from tests.support.stored import InProcess

RATE = "/optimizer/learning_rate"
LIMITS = [{"metric": "train/elements_above/0.5/fraction", "at_most": 0.6}]


@pytest.fixture(scope="module")
def kerb(migrated_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[InProcess]:
    folder = tmp_path_factory.mktemp("sweeps")
    shutil.copy(migrated_file, folder / "kerb.db")
    service = InProcess(folder)
    yield service
    service.database.close()


@pytest.fixture(scope="module")
def sweep(kerb: InProcess) -> dict[str, Any]:
    """Three rates with and without a bias, two seeds each."""
    return kerb.sweep(
        {
            "name": "rates",
            "base": tiny_document(3, export=False, optimizer={"type": "SGD", "learning_rate": 0.1}),
            "axes": [
                {"name": "rate", "pointer": RATE, "values": [0.01, 0.1, 1.0]},
                {"name": "bias", "choice": {"with": {}, "without": {"/model/layers/0/use_bias": False}}},
            ],
            "repeats": 2,
            "objectives": [{"metric": "loss", "goal": "minimize"}],
            "limits": LIMITS,
        }
    )


def plot(kerb: InProcess, sweep: dict[str, Any], name: str, **parameters: Any) -> dict[str, Any]:
    answer = kerb.client.get(f"/sweeps/{sweep['id']}/plots/{name}", params=parameters)
    assert answer.status_code == 200, answer.text
    document: dict[str, Any] = answer.json()
    return document


def drawn(*documents: dict[str, Any]) -> list[str]:
    async def draw() -> list[bytes]:
        renderer = Renderer()
        try:
            return [await renderer.render(orjson.dumps(document), "svg") for document in documents]
        finally:
            await renderer.close()

    return [content.decode() for content in asyncio.run(draw())]


def test_settings_are_those_of_the_table(kerb: InProcess, sweep: dict[str, Any]) -> None:
    document = plot(kerb, sweep, "settings")
    best = min(sweep["table"], key=lambda row: row["metrics"]["loss"]["mean"])
    assert f"best: setting {best['setting']}" in document["title"]["subtitle"]
    for value, row in zip(document["data"]["values"], sweep["table"], strict=True):
        found = row["metrics"]["loss"]
        assert value["at"] == row["parameters"]["rate"]
        assert value["line"] == f"bias {row['parameters']['bias']}"
        assert [value["mean"], value["low"], value["high"]] == [found["mean"], *found["ci95"]]
    limited = plot(kerb, sweep, "settings", metric=LIMITS[0]["metric"])
    assert limited["layer"][-1]["data"]["values"] == [{"limit": 0.6, "said": "≤ 0.6"}]


def test_the_tradeoff_is_that_of_its_route(kerb: InProcess, sweep: dict[str, Any]) -> None:
    asked = {"x": LIMITS[0]["metric"], "y": "loss", "x_goal": "minimize", "y_goal": "minimize"}
    points = kerb.client.get(f"/sweeps/{sweep['id']}/tradeoff", params=asked).json()["points"]
    document = plot(kerb, sweep, "tradeoff")  # of the objective and the limit
    assert document == plot(kerb, sweep, "tradeoff", **asked)
    shown = {value["setting"]: value for layer in document["layer"][1:3] for value in layer["data"]["values"]}
    assert len(shown) == len(points) == 6
    for point in points:
        assert {name: shown[point["setting"]][name] for name in ("x", "y", "on_front")} == {
            name: point[name] for name in ("x", "y", "on_front")
        }
    assert document["layer"][-1]["data"]["values"] == [{"limit": 0.6, "said": "≤ 0.6"}]


def test_all_are_drawn(kerb: InProcess, sweep: dict[str, Any]) -> None:
    named = [
        {"setting": n, "rung": 0, "parameters": {"loss": f"number {n}"}, "metrics": {"f": _figure(n)}}
        for n in range(MOST_ROWS + 5)
    ]
    objective = Objective(metric="f", goal="maximize")
    one = tradeoff_plot("one", [{**named[0], "x": 1.0, "y": 1.0, "on_front": True}], objective, objective, [])
    below = settings_plot("names", named, objective, Limit(metric="f", at_least=3))
    documents = [plot(kerb, sweep, "settings"), plot(kerb, sweep, "tradeoff"), one, below]
    svgs = drawn(*documents)
    for document, svg in zip(documents, svgs, strict=True):
        assert f">{document['title']['text']}</text>" in svg
        assert "NaN" not in svg
    assert "bias without" in svgs[0]
    assert f"the best {MOST_ROWS} of {len(named)}" in svgs[3]
    assert f"{MOST_ROWS + 4}: loss number {MOST_ROWS + 4}" in svgs[3]  # the largest
    assert ">0: loss number 0<" not in svgs[3]


def _figure(n: int) -> dict[str, Any]:
    return {"mean": float(n), "std": None, "ci95": None, "n": 1}


@pytest.mark.parametrize(
    ("path", "status", "message"),
    [
        ("setings", 404, 'Did you mean "settings"'),
        ("settings?metric=los", 422, 'Did you mean "loss"'),
        ("tradeoff?x=loss", 422, "y: Expected x and y"),
        ("tradeoff?x=loss&y=losss", 422, 'Did you mean "loss"'),
        ("settings.gif", 422, "png"),
    ],
)
def test_wrong_requests(kerb: InProcess, sweep: dict[str, Any], path: str, status: int, message: str) -> None:
    answer = kerb.client.get(f"/sweeps/{sweep['id']}/plots/{path}")
    assert answer.status_code == status, answer.text
    assert message in answer.text.replace('\\"', '"')


def test_listed_before_and_after(kerb: InProcess, sweep: dict[str, Any]) -> None:
    items = kerb.client.get(f"/sweeps/{sweep['id']}/plots").json()["items"]
    assert [item["name"] for item in items] == ["settings", "tradeoff"]
    assert all(kerb.client.get(item["href"]).status_code == 200 for item in items)
    waiting = kerb.client.post("/sweeps", json={"base": tiny_document(1), "repeats": 2}).json()
    assert kerb.client.get(f"/sweeps/{waiting['id']}/plots/settings").status_code == 409
    assert kerb.client.get("/sweeps/sweep_0/plots").status_code == 404
