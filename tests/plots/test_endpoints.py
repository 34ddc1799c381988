"""Plots of trained runs: what they hold is what the other routes answer, and every form is drawn."""

import json
import re
from typing import Any

import keras
import numpy as np
import pytest

from tests.support.documents import long_document, tiny_document
from tests.support.service import Service

RANDOM = np.random.default_rng(3)
X = RANDOM.normal(size=(60, 3)).round(2)
Y = (X.sum(axis=1) + RANDOM.normal(size=60) > 0).astype(int)
NAME = "Ann's </script><b>run</b> & others"


@pytest.fixture(scope="module")
def run_id(service: Service) -> str:
    """A classifier of two classes with a limit, and a name that is awkward in pages."""
    document = {
        "name": NAME,
        "dataset": {"inline": {"x": X.tolist(), "y": Y[:, np.newaxis].tolist()}},
        "split": {"train": {"rows": [0, 40]}, "validation": {"rows": [40, 60]}},
        "model": {
            "layers": [
                {"type": "Dense", "units": 6, "activation": "relu"},
                {"type": "Dense", "units": 1, "activation": "sigmoid"},
            ]
        },
        "loss": "binary_crossentropy",
        "constraints": [{"quantity": {"type": "elements_above"}, "at_most": 0.5}],
        "metrics": ["accuracy"],
        "fit": {"epochs": 40},
    }
    run = service.run(document)
    assert run["status"] == "succeeded", run["error"]
    return str(run["id"])


def plot(service: Service, run_id: str, name: str, **parameters: Any) -> dict[str, Any]:
    document = service.get(f"/runs/{run_id}/plots/{name}", **parameters)
    assert document["$schema"] == "https://vega.github.io/schema/vega-lite/v6.json"
    assert document["title"]["text"]
    assert NAME in document["description"]
    return document


def test_all_that_the_run_has_are_listed(service: Service, run_id: str) -> None:
    items = service.get(f"/runs/{run_id}/plots")["items"]
    assert [item["name"] for item in items] == [
        "loss",
        "constraints",
        "elements_above",
        "activations",
        "confusion_matrix",
        "calibration",
    ]
    for item in items:
        assert service.client.get(item["href"]).status_code == 200


def test_the_loss_is_that_of_the_history(service: Service, run_id: str) -> None:
    series = service.get(f"/runs/{run_id}/metrics")["series"]
    values = plot(service, run_id, "loss")["data"]["values"]
    for name in ("loss", "val_loss"):
        assert [row["value"] for row in values if row["series"] == name] == pytest.approx(series[name])
    few = plot(service, run_id, "loss", series=["accuracy"], max_points=7)["data"]["values"]
    assert len(few) == 7
    assert few[-1] == {"epoch": 40, "series": "accuracy", "value": pytest.approx(series["accuracy"][-1])}


def test_the_limits_are_those_of_the_history(service: Service, run_id: str) -> None:
    series = service.get(f"/runs/{run_id}/metrics")["series"]
    panels = plot(service, run_id, "constraints")["vconcat"]
    for panel, what in zip(panels, ("violation", "multiplier"), strict=True):
        values = panel["data"]["values"]
        assert [row["value"] for row in values] == pytest.approx(series[f"elements_above_{what}"])
        assert {row["series"] for row in values} == {"elements_above ≤ 0.5, mean"}


def test_the_curve_is_that_of_its_route(service: Service, run_id: str) -> None:
    curve = service.get(f"/runs/{run_id}/statistics/elements_above", points=201)["outputs"]["dense_1"]
    values = plot(service, run_id, "elements_above")["layer"][0]["data"]["values"]
    for split, counted in curve["splits"].items():
        rows = [row for row in values if row["split"] == split]
        assert [row["threshold"] for row in rows] == pytest.approx(curve["thresholds"], rel=1e-6)
        assert [row["fraction"] for row in rows] == counted["fraction"]


def test_activations_are_those_of_keras(service: Service, run_id: str) -> None:
    panels = plot(service, run_id, "activations", split="train")["concat"]
    model = keras.models.load_model(service.data_dir / "artifacts" / run_id / "model.keras")
    tapped = keras.Model(model.inputs, [layer.output for layer in model.layers[-2:]])
    for panel, layer, values in zip(
        panels, ("dense", "dense_1"), tapped.predict(X[:40].astype("float32"), verbose=0), strict=True
    ):
        assert panel["title"]["text"] == layer
        zeros = (values == 0).mean()
        assert panel["title"]["subtitle"] == (f"{zeros:.1%} are zero" if zeros else "none are zero")
        shown = panel["data"]["values"]
        assert sum(row["share"] for row in shown) == pytest.approx(1 - zeros)
        edges = [row["from"] for row in shown] + [shown[-1]["to"]]
        assert [edges[0], edges[-1]] == pytest.approx(
            [values[values != 0].min(), values[values != 0].max()], rel=1e-4
        )
    (only,) = plot(service, run_id, "activations", layer="dense")["concat"]
    assert only["title"]["text"] == "dense"


def test_classes_are_those_of_the_statistics(service: Service, run_id: str) -> None:
    splits = service.get(f"/runs/{run_id}/statistics")["splits"]
    for split in ("train", "validation"):
        figures = splits[split]["classification"]
        values = plot(service, run_id, "confusion_matrix", split=split)["data"]["values"]
        assert [[row["count"] for row in values[i : i + 2]] for i in (0, 2)] == figures["confusion_matrix"]
        shown = plot(service, run_id, "calibration")["data"]["values"]
        bins = [{k: v for k, v in row.items() if k != "split"} for row in shown if row["split"] == split]
        assert bins == figures["calibration"]["bins"]
        assert sum(part["count"] for part in bins) == {"train": 40, "validation": 20}[split]
    assert "validation data" in plot(service, run_id, "confusion_matrix")["title"]["text"]


@pytest.mark.parametrize(
    ("path", "accept", "media_type", "start"),
    [
        ("loss.png", "*/*", "image/png", b"\x89PNG\r\n"),
        ("activations", "image/png;q=0.9, application/json;q=0.1", "image/png", b"\x89PNG\r\n"),
        ("constraints?format=svg", "text/html", "image/svg+xml", b"<svg"),
        ("calibration", "image/svg+xml", "image/svg+xml", b"<svg"),
        ("confusion_matrix", "text/html,application/xhtml+xml,*/*;q=0.8", "text/html", b"<!DOCTYPE html>"),
        ("elements_above.svg", "*/*", "image/svg+xml", b"<svg"),
        ("loss.json", "image/png", "application/json", b'{"$schema"'),
        ("loss", "*/*", "application/json", b'{"$schema"'),
    ],
)
def test_forms(service: Service, run_id: str, path: str, accept: str, media_type: str, start: bytes) -> None:
    answer = service.client.get(f"/runs/{run_id}/plots/{path}", headers={"Accept": accept})
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].partition(";")[0] == media_type
    assert answer.content.startswith(start)


def test_a_page_holds_all_that_it_needs(service: Service, run_id: str) -> None:
    answer = service.client.get(f"/runs/{run_id}/plots/loss.html")
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    outside = re.sub(r"<script>.*?</script>", "", answer.text, flags=re.DOTALL)
    assert not re.search(r"\b(src|href|url)\b", outside)
    assert "<b>run</b>" not in answer.text
    assert answer.text.count("</script>") == 2  # that of the library, and that of the plot
    (document,) = re.findall(r'vegaEmbed\("#plot", (\{.*\}), \{renderer', answer.text)
    assert json.loads(document) == plot(service, run_id, "loss")


@pytest.mark.parametrize(
    ("path", "status", "message"),
    [
        ("los", 404, 'Did you mean "loss"'),
        ("loss.pdf", 422, "png"),
        ("loss?format=gif", 422, "svg"),
        ("loss?series=los", 422, 'Did you mean "loss"'),
        ("confusion_matrix?split=test", 422, "validation"),
        ("activations?layer=dens", 422, 'Did you mean "dense"'),
        ("elements_above?output=y", 422, "dense_1"),
    ],
)
def test_wrong_requests(service: Service, run_id: str, path: str, status: int, message: str) -> None:
    answer = service.client.get(f"/runs/{run_id}/plots/{path}")
    assert answer.status_code == status, answer.text
    assert message in answer.text.replace('\\"', '"')


def test_what_a_run_has_not(service: Service) -> None:
    regression = service.run(tiny_document(loss="mean_squared_error", fit={"epochs": 1}))["id"]
    names = [item["name"] for item in service.get(f"/runs/{regression}/plots")["items"]]
    assert names == ["loss", "elements_above", "activations"]
    for name in ("constraints", "confusion_matrix", "calibration"):
        answer = service.client.get(f"/runs/{regression}/plots/{name}.png")
        assert answer.status_code == 404
        assert f"has no plot {name}: it" in answer.json()["detail"]
    assert service.client.get(f"/runs/{regression}/plots/loss.svg").status_code == 200  # of a single epoch


def test_a_run_in_training_has_its_history(service: Service) -> None:
    going = service.submit(long_document())["id"]
    service.wait_until(going, lambda run: run["progress"]["epoch"] > 0)
    assert [item["name"] for item in service.get(f"/runs/{going}/plots")["items"]] == ["loss"]
    assert service.client.get(f"/runs/{going}/plots/loss.png").content.startswith(b"\x89PNG")
    assert service.client.get(f"/runs/{going}/plots/elements_above").status_code == 409
    service.client.post(f"/runs/{going}/cancel")
    assert service.client.get(f"/runs/{going}/plots/elements_above").status_code == 404
