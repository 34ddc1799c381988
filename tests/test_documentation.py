"""What README.md and docs/ say is there is there, and what they show works."""

import json
import re
import runpy
import tomllib
from itertools import chain
from pathlib import Path
from typing import Any

import pytest

from app.errors import RunError
from app.main import create_app
from app.settings import Settings
from app.spec.checks import check_run
from app.spec.described_dataset import ColumnDescription, DatasetDescription
from app.spec.loss_evaluation import LossEvaluation
from app.spec.parsing import parse, parse_run
from app.sweeps.documents import SweepSpec

PEOPLE = DatasetDescription(
    100,
    {
        "age": ColumnDescription("age", "int64", (), 1, 7, 18, 90, None),
        "city": ColumnDescription("city", "string", (), 0, None, None, None, ("Oslo", "Rome")),
        "bought": ColumnDescription("bought", "int64", (), 0, None, 0, 1, (0, 1)),
    },
)
"""The dataset of the samples."""

ROOT = Path(__file__).parents[1]
PAGES = [
    ROOT / "README.md",
    ROOT / "CHANGELOG.md",
    ROOT / "examples" / "README.md",
    *sorted((ROOT / "docs").rglob("*.md")),
]
NAMES = [str(path.relative_to(ROOT)) for path in PAGES]

pages = pytest.mark.parametrize("path", PAGES, ids=NAMES)


def blocks(path: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", path.read_text(), re.MULTILINE | re.DOTALL)


def prose(path: Path) -> str:
    return re.sub(r"^```.*?^```", "", path.read_text(), flags=re.MULTILINE | re.DOTALL)


def anchors(path: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", prose(path), re.MULTILINE)
    named = re.findall(r'<a id="([^"]+)">', path.read_text())
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings} | set(named)


@pages
def test_links_lead_somewhere(path: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", prose(path)):
        if target.startswith("https://"):
            continue
        file_name, _, anchor = target.partition("#")
        linked = path.parent / file_name if file_name else path
        assert linked.exists(), target
        if anchor:
            assert anchor in anchors(linked), target


@pages
def test_paths_in_the_text_exist(path: Path) -> None:
    top = "app|docs|examples|tests|benchmarks|migrations|openapi|requirements"
    for name in re.findall(rf"`((?:{top})/[\w./*]*)`", prose(path)):
        assert list(ROOT.glob(name)), name


@pages
def test_make_targets_exist(path: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    spans = re.findall(r"`([^`\n]+)`", prose(path))
    named = re.findall(r"^make ([a-z-]+)", "\n".join(chain(spans, blocks(path, "sh"))), re.MULTILINE)
    assert set(named) <= targets


@pages
def test_settings_that_are_named_exist(path: Path) -> None:
    named = re.findall(r"\bKERB_(?!TEST_|FAULT_)(\w+)\b", path.read_text())  # those are of tests
    assert {name.lower() for name in named} <= Settings.model_fields.keys()


@pages
def test_json_samples_are_strict_json(path: Path) -> None:
    for sample in blocks(path, "json"):
        document = json.loads(sample)
        if {"dataset", "model"} <= document.keys():
            check_run(parse_run(sample.encode()), PEOPLE if "id" in document["dataset"] else None)
        elif "base" in document:
            parse(SweepSpec, sample.encode())
        elif {"loss", "y_true"} <= document.keys():
            parse(LossEvaluation, sample.encode())


def test_every_setting_is_documented_as_it_is() -> None:
    written = runpy.run_path(str(ROOT / "docs" / "make_settings.py"))["render"]()
    assert (ROOT / "docs" / "settings.md").read_text() == written


def test_every_route_is_documented_and_no_other(tmp_path: Path) -> None:
    app = create_app(Settings(data_dir=tmp_path))
    existing = {
        f"{method.upper()} {route}"
        for route, operations in app.openapi()["paths"].items()
        for method in operations
    }
    documented = re.findall(
        r"^\| `((?:GET|POST|PUT|DELETE) [^`]+)` \|", (ROOT / "docs" / "api.md").read_text(), re.M
    )
    assert set(documented) == existing
    assert len(documented) == len(existing)


def test_every_reason_for_a_failed_run_is_documented() -> None:
    table = re.findall(r"^\| `(\w+)` \| [^|]+ \|$", (ROOT / "docs" / "api.md").read_text(), re.MULTILINE)
    assert {error.code for error in RunError.__subclasses__()} <= set(table)


def test_the_tree_of_the_architecture_is_the_one_that_is_there() -> None:
    tree = next(b for b in blocks(ROOT / "docs" / "architecture.md", "") if b.startswith("app/\n"))
    shown = set(re.findall(r"^  (\S+)", tree, re.MULTILINE))
    there = {
        f"{path.name}/" if path.is_dir() else path.name
        for path in (ROOT / "app").iterdir()
        if path.name not in {"__init__.py", "__pycache__", "py.typed"}
    }
    assert shown == there
    for name in re.findall(r"^(\w+/)", tree, re.MULTILINE):
        assert (ROOT / name).is_dir(), name


def test_every_example_is_listed() -> None:
    folder = ROOT / "examples"
    listed = re.findall(r"\]\((\w+\.json)\)", (folder / "README.md").read_text())
    assert sorted(listed) == sorted(path.name for path in folder.glob("*.json"))


def test_every_decision_is_listed() -> None:
    folder = ROOT / "docs" / "decisions"
    listed = re.findall(r"\]\(([^)]+\.md)\)", (folder / "README.md").read_text())
    assert sorted(listed) == sorted(path.name for path in folder.glob("*.md") if path.name != "README.md")


def test_every_dependency_has_its_reason() -> None:
    project: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    needed = {
        re.split(r"[\s><=;\[]", text)[0]
        for text in [*project["dependencies"], *extras["worker"], *extras["dev"]]
    }
    explained = (ROOT / "docs" / "decisions" / "dependencies.md").read_text()
    for name in needed - {"kerb"}:
        assert re.search(rf"\b{re.escape(name)}\b", explained), name
