"""docs/language.md is what the classes say, and everything that it shows works."""

import json
import runpy
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from app.spec.checks import check_run
from app.spec.parsing import parse_run
from app.spec.run import RunSpec
from app.training.fit import fit_run
from app.training.loop import EpochBlock
from app.training.loss_evaluation import evaluate_loss

DOCS = Path(__file__).parents[1] / "docs"

sys.path.append(str(DOCS))
try:
    from language_examples import EXAMPLES, OBJECTS, Example, arrays
finally:
    sys.path.remove(str(DOCS))

DEFINITIONS: dict[str, Any] = {
    name: definition
    for name, definition in RunSpec.model_json_schema()["$defs"].items()
    if "properties" in definition
}


class Losses:
    """Listens to a run and remembers its losses."""

    def __init__(self) -> None:
        self.values: list[float] = []

    def report(self, block: EpochBlock) -> None:
        self.values += block.values[:, block.columns.index("loss")].tolist()

    def save_checkpoint(self, epoch: int, payload: bytes) -> None:
        pass

    def should_stop(self) -> bool:
        return False


@pytest.fixture(scope="module", autouse=True)
def eager() -> Iterator[None]:
    """The same computations without compiling them, which would take minutes for all of these models."""
    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.syspath_prepend(DOCS)
    return runpy.run_path(str(DOCS / "make_language.py"))["render"]()


def test_the_reference_is_current(written: str) -> None:
    assert (DOCS / "language.md").read_text() == written, "docs/make_language.py writes it anew"


def test_every_object_is_in_the_reference_once(written: str) -> None:
    for name in DEFINITIONS:
        assert written.count(f'<a id="{name}"></a>') == 1, name


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda e: f"{e.chapter}: {' '.join(e.shown)}")
def test_example_trains(example: Example) -> None:
    run = parse_run(json.dumps(example.document()).encode())
    check_run(run)
    losses = Losses()

    fitted = fit_run(run, losses)

    assert len(losses.values) == run.fit.epochs or run.fit.early_stopping
    assert np.isfinite(losses.values).all()
    assert 1 <= fitted.epoch <= run.fit.epochs


def test_every_loss_and_penalty_has_an_example() -> None:
    wanted = {
        name
        for name, definition in DEFINITIONS.items()
        if name.endswith("Penalty") or definition.get("properties", {}).keys() >= {"class_weight", "type"}
    }
    assert OBJECTS.keys() == wanted


def numbers_for(loss: str) -> tuple[Any, Any]:
    """Targets and predictions that fit a loss."""
    random = np.random.default_rng(1)
    if loss in {"iou", "giou", "diou"}:
        return arrays(random, (4,), "boxes"), arrays(random, (4,), "boxes")
    if loss.startswith("sparse"):
        return arrays(random, (1,), "classes"), arrays(random, (3,), "share")
    return arrays(random, (4,), "one_hot"), arrays(random, (4,), "share")


@pytest.mark.parametrize("name", [name for name in OBJECTS if not name.endswith("Penalty")])
def test_example_of_a_loss_has_value_and_gradient(name: str) -> None:
    y_true, y_pred = numbers_for(OBJECTS[name]["type"])

    answer = evaluate_loss({"loss": OBJECTS[name], "y_true": y_true, "y_pred": y_pred})

    assert answer["value"] is not None
    assert np.abs(answer["gradient"]).max() > 0


@pytest.mark.parametrize(
    "name", [name for name in OBJECTS if name.endswith("Penalty") and "of" not in OBJECTS[name]]
)
def test_example_of_a_penalty_adds_to_the_total(name: str) -> None:
    y_true, y_pred = numbers_for("mean_squared_error")
    asked = {"loss": "mean_squared_error", "y_true": y_true, "y_pred": y_pred}

    alone = evaluate_loss(asked)["value"]
    answer = evaluate_loss({**asked, "penalties": [OBJECTS[name]]})

    assert answer["value"] != alone
    assert len(answer["terms"]) == 2


def test_example_of_a_penalty_on_weights_trains() -> None:
    document = Example(
        "",
        "",
        {
            "model": {
                "layers": [{"type": "Dense", "name": "hidden", "units": 3}, {"type": "Dense", "units": 1}]
            },
            "loss": "mean_squared_error",
            "penalties": [OBJECTS["OrthogonalityPenalty"]],
        },
    ).document()
    losses = Losses()

    fit_run(parse_run(json.dumps(document).encode()), losses)

    assert np.isfinite(losses.values).all()
