"""The walk through of the README, command by command, against a real service."""

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.support.service import Service

ROOT = Path(__file__).parents[1]
SEPARATOR = "\x1e"


@pytest.fixture(scope="module")
def outputs(service: Service, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """What each block of commands that uses curl printed, in order."""
    text = (ROOT / "README.md").read_text()
    walk = text[text.index("## A walk through") : text.index("## The run document")]
    blocks = [block for block in re.findall(r"^```sh\n(.*?)^```", walk, re.M | re.S) if "curl" in block]
    folder = tmp_path_factory.mktemp("walk")
    (folder / "examples").symlink_to(ROOT / "examples")
    address = service.url.removeprefix("http://")
    script = f"\nprintf '{SEPARATOR}'\n".join(blocks).replace("localhost:8000", address)
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script], cwd=folder, capture_output=True, text=True, check=True
    )
    first, *rest = done.stdout.split(SEPARATOR)
    assert first == ""
    return [(folder / "run.json").read_text(), *rest, str((folder / "circles.keras").stat().st_size)]


pytestmark = pytest.mark.skipif(shutil.which("curl") is None, reason="the walk through needs curl")


def answer(outputs: list[str], number: int) -> Any:
    return json.loads(outputs[number])


def test_the_run_is_waited_for(outputs: list[str]) -> None:
    run = answer(outputs, 0)

    assert run["status"] == "succeeded"
    assert run["progress"] == {"epoch": 4000, "epochs": 4000}


def test_the_history_is_thinned(outputs: list[str]) -> None:
    metrics = answer(outputs, 1)

    assert len(metrics["epochs"]) == 5
    assert metrics["epochs"][-1] == 4000
    assert {"loss", "accuracy", "val_loss", "val_accuracy"} <= metrics["series"].keys()


def test_the_statistics_are_of_both_splits(outputs: list[str]) -> None:
    assert answer(outputs, 2)["splits"].keys() == {"train", "validation"}


def test_the_predictions_come_with_their_count(outputs: list[str]) -> None:
    predicted = answer(outputs, 3)

    above = sum(row[0] > 0.5 for row in predicted["predictions"])
    assert len(predicted["predictions"]) == 2
    assert predicted["statistics"]["elements_above"][0]["total"] == above


def test_the_model_is_downloaded(outputs: list[str]) -> None:
    assert outputs[4] == ""
    assert int(outputs[-1]) > 10_000


def test_the_mistake_is_named_with_what_was_meant(outputs: list[str]) -> None:
    problem = answer(outputs, 5)

    assert problem["status"] == 422
    messages = {error["pointer"]: error["message"] for error in problem["errors"]}
    assert messages["/model/layers/0/unitz"].endswith('Did you mean "units"?')
