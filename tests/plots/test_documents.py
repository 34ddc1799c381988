"""Plots of unusual runs, drawn by the process that draws them."""

import asyncio
from typing import Any

import numpy as np
import orjson
import pytest

from app.plots.classes import MOST_LABELS, calibration_plot, confusion_plot
from app.plots.counts import activations_plot, elements_above_plot
from app.plots.lines import constraints_plot, loss_plot
from app.plots.renderer import Renderer
from app.runs.history import History
from app.statistics.histograms import Histogram, Range, histogram

RANDOM = np.random.default_rng(8)


def history(epochs: int, **columns: Any) -> History:
    values = np.stack([np.broadcast_to(np.float32(column), epochs) for column in columns.values()], axis=1)
    return History(list(columns), np.arange(1, epochs + 1, dtype=np.int32), values)


def histogram_of(values: np.ndarray) -> Histogram:
    within = Range()
    within.add(values)
    return histogram([values], within, 30)


LIMITS = {f"recall_{number}": f"recall of group {number} ≥ 0.{number}" for number in range(32)}
HUNDRED = np.eye(100, dtype=int) * 5 + RANDOM.integers(0, 2, (100, 100))
CURVE = {
    "thresholds": np.float32([0.0, 0.0]),
    "splits": {"train": {"fraction": np.zeros(2), "per_sample": np.zeros(2)}},
}

DOCUMENTS = {
    "one epoch": loss_plot("one", history(1, loss=0.5, val_loss=0.6), ["loss", "val_loss"]),
    "not finite": loss_plot("broken", history(4, loss=[1, np.nan, np.inf, 2]), ["loss"]),
    "wide": loss_plot("wide", history(100, loss=np.logspace(3, -3, 100)), ["loss"]),
    "many limits": constraints_plot(
        "many",
        history(50, **{f"{name}_{what}": 1.0 for name in LIMITS for what in ("violation", "multiplier")}),
        LIMITS,
    ),
    "many classes": confusion_plot("hundred", "test", HUNDRED.tolist()),
    "many labels": confusion_plot("labels", "test", [[[1, 2], [3, 0]]] * (MOST_LABELS + 3)),
    "one prediction": calibration_plot(
        "single",
        True,
        {
            "test": {
                "expected_calibration_error": 0.5,
                "bins": [{"from": 0.4, "to": 0.5, "count": 1, "mean_predicted": 0.5, "fraction_true": 1.0}],
            }
        },
    ),
    "constant predictions": elements_above_plot("constant", "y", CURVE, [0.5]),
    "odd activations": activations_plot(
        "odd", "train", {"zero": histogram_of(np.zeros(9)), "one": histogram_of(np.full(9, 3.0))}
    ),
}
EXPECTED = {
    "wide": "logarithmic scale",
    "many limits": LIMITS["recall_31"],
    "many labels": f"the first {MOST_LABELS} of {MOST_LABELS + 3} labels",
    "one prediction": "share of right answers",
    "odd activations": "100.0% are zero",
}


@pytest.fixture(scope="module")
def drawn() -> dict[str, str]:
    async def draw() -> list[bytes]:
        renderer = Renderer()
        try:
            options = orjson.OPT_SERIALIZE_NUMPY
            documents = [orjson.dumps(document, option=options) for document in DOCUMENTS.values()]
            return await asyncio.gather(*(renderer.render(document, "svg") for document in documents))
        finally:
            await renderer.close()

    return dict(zip(DOCUMENTS, (content.decode() for content in asyncio.run(draw())), strict=True))


@pytest.mark.parametrize("name", DOCUMENTS)
def test_it_is_drawn_with_title_and_axes(drawn: dict[str, str], name: str) -> None:
    svg = drawn[name]
    assert svg.startswith("<svg")
    assert f">{DOCUMENTS[name]['title']['text']}</text>" in svg
    assert 'aria-label="X-axis' in svg
    assert "NaN" not in svg
    assert EXPECTED.get(name, "") in svg


def test_the_process_is_started_again_when_it_has_ended() -> None:
    async def draw() -> None:
        renderer = Renderer()
        document = orjson.dumps(DOCUMENTS["one epoch"], option=orjson.OPT_SERIALIZE_NUMPY)
        first = await renderer.render(document, "html")
        assert renderer._process is not None
        renderer._process.kill()
        await renderer._process.wait()
        assert await renderer.render(document, "html") == first
        with pytest.raises(RuntimeError, match="can't be drawn"):
            await renderer.render(b'{"mark": 5}', "svg")
        await renderer.close()

    asyncio.run(draw())


def test_a_histogram_counts_what_is_not_zero() -> None:
    values = np.array([0.0, 0.0, 1.0, 2.0, 3.0, 5.0, np.nan, np.inf])
    within = Range()
    for part in (values[:3], values[3:]):
        within.add(part)
    found = histogram([values[:3], values[3:]], within, 4)
    assert found.edges == [1, 2, 3, 4, 5]
    assert found.shares == [1 / 8, 1 / 8, 1 / 8, 1 / 8]
    assert found.zero_fraction == 2 / 8
