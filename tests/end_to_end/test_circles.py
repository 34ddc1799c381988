"""The circles study over HTTP: what was published, and what was reproduced with current Keras.

Accuracies and the relu layer's figures on the validation data are means over six seeds, here as there: they
spread by up to .018 from seed to seed, and by rounding from processor to processor.
"""

import json
from pathlib import Path
from statistics import mean

import pytest

from tests.support.service import Service

EXAMPLES = Path(__file__).parents[2] / "examples"
SEEDS = range(6)

PUBLISHED = [
    # document, train accuracy, validation accuracy, zero share and mean activation of the relu layer
    ("circles.json", 1.000, 0.767, 0.457, 0.320),
    ("circles_l1_before.json", 0.967, 0.821, 0.508, 0.022),
    ("circles_l1_after.json", 1.000, 0.743, 0.903, 0.024),
]


@pytest.mark.parametrize(("name", "train", "validation", "zero_share", "mean_activation"), PUBLISHED)
def test_circles_come_out_as_published(
    service: Service, name: str, train: float, validation: float, zero_share: float, mean_activation: float
) -> None:
    document = json.loads((EXAMPLES / name).read_text())
    runs = [service.run({**document, "seed": seed, "export": False}) for seed in SEEDS]
    splits = [service.client.get(f"/runs/{run['id']}/statistics").json()["splits"] for run in runs]
    assert mean(s["train"]["classification"]["accuracy"] for s in splits) == pytest.approx(train, abs=0.01)
    accuracy = mean(s["validation"]["classification"]["accuracy"] for s in splits)
    assert accuracy == pytest.approx(validation, abs=0.02)
    relu = [s["validation"]["activation_sparsity"]["activation"] for s in splits]
    assert mean(layer["zero_fraction"] for layer in relu) == pytest.approx(zero_share, abs=0.02)
    assert mean(layer["mean_activation"] for layer in relu) == pytest.approx(mean_activation, abs=0.02)
