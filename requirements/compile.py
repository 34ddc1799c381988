"""Writes the pinned lists beside this file from what is installed in the running environment.

    .venv/bin/python requirements/compile.py

`pyproject.toml` says what Kerb needs; the lists say which versions it is tested with, all the way down.
Change a version by installing it (`pip install --upgrade name`), running the tests, then this.
"""

import sys
import tomllib
from importlib.metadata import distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

HERE = Path(__file__).resolve().parent

# Where there are wheels. Without uvloop the API runs on asyncio's own loop.
MARKERS = {
    "uvloop": "sys_platform != 'win32'",
    "tensorflow-cpu": "platform_machine == 'x86_64'",
    "tensorflow": "platform_machine != 'x86_64'",
}
# TensorFlow is the same release under another name where the processor isn't an x86.
TWINS = {"tensorflow-cpu": "tensorflow", "tensorflow": "tensorflow-cpu"}


def installed_closure(requirements: list[str]) -> dict[str, str]:
    """Versions of the named distributions and of everything that they require here.

    Args:
        requirements: as in `pyproject.toml`, extras included; `kerb[…]` itself is skipped.

    Returns:
        canonical name → version.
    """
    versions: dict[str, str] = {}
    seen: set[tuple[str, str]] = set()
    waiting = [Requirement(text) for text in requirements]
    waiting = [requirement for requirement in waiting if applies(requirement)]
    while waiting:
        requirement = waiting.pop()
        name = canonicalize_name(requirement.name)
        if name == "kerb":
            continue
        for extra in ("", *requirement.extras):
            if (name, extra) in seen:
                continue
            seen.add((name, extra))
            found = distribution(name)
            versions[name] = found.version
            for text in found.requires or []:
                needed = Requirement(text)
                if applies(needed, extra):
                    waiting.append(needed)
    return versions | {TWINS[name]: versions[name] for name in TWINS.keys() & versions.keys()}


def applies(requirement: Requirement, extra: str = "") -> bool:
    """Whether the requirement holds on this machine."""
    return requirement.marker is None or requirement.marker.evaluate({"extra": extra})


def compile_lists() -> dict[str, str]:
    """The text of each list, by file name; each holds only what the one before it doesn't."""
    project = tomllib.loads((HERE.parent / "pyproject.toml").read_text())
    extras = project["project"]["optional-dependencies"]
    parts = {
        "api.txt": project["project"]["dependencies"] + project["build-system"]["requires"],
        "worker.txt": extras["worker"],
        "dev.txt": extras["dev"],
    }
    texts: dict[str, str] = {}
    known: dict[str, str] = {}
    previous: str | None = None
    for file_name, requirements in parts.items():
        versions = installed_closure(requirements)
        lines = [f"-r {previous}"] if previous else []
        for name in sorted(versions.keys() - known.keys()):
            marker = f"; {MARKERS[name]}" if name in MARKERS else ""
            lines.append(f"{name}=={versions[name]}{marker}")
        texts[file_name] = "\n".join(lines) + "\n"
        known |= versions
        previous = file_name
    return texts


def main() -> int:
    """Writes the lists."""
    for file_name, text in compile_lists().items():
        (HERE / file_name).write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
