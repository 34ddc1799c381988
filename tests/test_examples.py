"""The documents in examples/ are what their scripts write, and are valid run documents."""

import json
import runpy
import shutil
import sys
from pathlib import Path

import pytest

from app.spec.checks import check_run
from app.spec.parsing import parse, parse_run
from app.sweeps.documents import SweepSpec
from app.sweeps.planning import checked_document
from app.sweeps.settings import planned_settings

EXAMPLES = Path(__file__).parents[1] / "examples"
DOCUMENTS = sorted(EXAMPLES.glob("*.json"))
SWEEPS = [path for path in DOCUMENTS if path.name.startswith("sweep_")]
RUNS = [path for path in DOCUMENTS if path not in SWEEPS]
SCRIPTS = sorted(EXAMPLES.glob("make_*.py"))


def test_there_are_examples() -> None:
    assert {path.name for path in DOCUMENTS} >= {
        "circles.json",
        "circles_l1_before.json",
        "circles_l1_after.json",
    }


def test_every_example_is_small() -> None:
    assert [path.name for path in DOCUMENTS if path.stat().st_size > 300_000] == []


@pytest.mark.parametrize("path", RUNS, ids=lambda path: path.stem)
def test_example_is_a_valid_run_document(path: Path) -> None:
    summary = check_run(parse_run(path.read_bytes()))

    assert summary.parameter_count > 0


@pytest.mark.parametrize("path", RUNS, ids=lambda path: path.stem)
def test_nothing_is_lost_in_parsing_and_writing(path: Path) -> None:
    run = parse_run(path.read_bytes())

    assert parse_run(json.dumps(run.document()).encode()).document() == run.document()


@pytest.mark.parametrize("path", SWEEPS, ids=lambda path: path.stem)
def test_example_is_a_valid_sweep(path: Path) -> None:
    sweep = parse(SweepSpec, path.read_bytes())

    for setting in planned_settings(sweep):
        checked_document(sweep, setting, None)


def test_scripts_write_the_documents_as_they_stand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for script in EXAMPLES.glob("*.py"):
        shutil.copy(script, tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "render", raising=False)  # the scripts' own, which writes beside itself

    for script in SCRIPTS:
        runpy.run_path(str(tmp_path / script.name), run_name="__main__")

    written = {path.name: path.read_text() for path in tmp_path.glob("*.json")}
    assert written == {path.name: path.read_text() for path in DOCUMENTS}


def test_the_circles_documents_differ_in_the_regularizer_alone() -> None:
    plain, before, after = (
        json.loads((EXAMPLES / f"{name}.json").read_text())
        for name in ("circles", "circles_l1_before", "circles_l1_after")
    )
    l1 = {"l1": 1e-4, "reduction": "sum"}
    assert before["model"]["layers"][0].pop("activity_regularizer") == l1
    assert after["model"]["layers"][1].pop("activity_regularizer") == l1

    for document in (plain, before, after):
        del document["name"]
    assert plain == before == after
