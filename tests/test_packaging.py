"""What is installed, and what the image is built from."""

import re
import shlex
import tomllib
from importlib.metadata import version
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
LISTS = ["api.txt", "worker.txt", "dev.txt"]


def pins(file_name: str) -> dict[str, Requirement]:
    """The pinned requirements of a list, without those of the list that it begins with."""
    lines = (ROOT / "requirements" / file_name).read_text().splitlines()
    found = [Requirement(line) for line in lines if not line.startswith("-r ")]
    return {canonicalize_name(requirement.name): requirement for requirement in found}


def declared() -> dict[str, list[str]]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    return {"api.txt": project["dependencies"], "worker.txt": extras["worker"], "dev.txt": extras["dev"]}


@pytest.mark.parametrize("file_name", LISTS)
def test_list_has_one_exact_version_of_each(file_name: str) -> None:
    for requirement in pins(file_name).values():
        assert re.fullmatch(r"==[\w.]+", str(requirement.specifier)), requirement
        assert requirement.url is None


@pytest.mark.parametrize(("file_name", "base"), [("worker.txt", "api.txt"), ("dev.txt", "worker.txt")])
def test_list_stands_on_the_one_before(file_name: str, base: str) -> None:
    assert (ROOT / "requirements" / file_name).read_text().startswith(f"-r {base}\n")
    assert not pins(file_name).keys() & pins(base).keys()


@pytest.mark.parametrize("file_name", LISTS)
def test_what_the_project_declares_is_pinned_within_its_range(file_name: str) -> None:
    pinned = pins(file_name)
    for text in declared()[file_name]:
        requirement = Requirement(text)
        name = canonicalize_name(requirement.name)
        if name == "kerb":
            continue
        (pin,) = pinned[name].specifier
        assert requirement.specifier.contains(pin.version), text


@pytest.mark.parametrize("file_name", LISTS)
def test_pinned_versions_are_the_installed_ones(file_name: str) -> None:
    for name, requirement in pins(file_name).items():
        if requirement.marker is None or requirement.marker.evaluate():
            assert requirement.specifier.contains(version(name)), requirement


def test_the_api_is_installed_without_tensorflow() -> None:
    assert not pins("api.txt").keys() & {"keras", "tensorflow", "tensorflow-cpu", "onnx", "tf2onnx"}


def test_the_image_copies_what_exists_and_is_not_ignored() -> None:
    allowed = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    instructions = (ROOT / "Dockerfile").read_text().replace("\\\n", " ").splitlines()
    copied = [shlex.split(line)[1:-1] for line in instructions if line.startswith("COPY ")]

    assert copied
    for source in (source for sources in copied for source in sources):
        assert (ROOT / source).exists(), source
        assert Path(source).parts[0] in allowed, source


def test_every_stage_of_the_image_builds_on_one_above_it_and_ends_unprivileged() -> None:
    text = (ROOT / "Dockerfile").read_text().replace("\\\n", " ")
    stages = re.findall(r"^FROM (\S+) AS (\S+)$", text, re.MULTILINE)
    names = [name for _, name in stages]
    for position, (base, name) in enumerate(stages):
        assert base in names[:position] or position == 0, name

    by_name = dict(zip(names, re.split(r"^FROM .*$", text, flags=re.MULTILINE)[1:], strict=True))
    assert "USER kerb" in by_name["api"]
    assert "USER kerb" in by_name["worker"]
    assert ("worker", "both") in stages
    assert "worker.txt" not in by_name["api"] + by_name["api-requirements"]
    assert names[-1] == "both"
