"""What Kerb is measured against: other servers with the same model, and a JAX program.

`make bench-peers` installs each into an environment of its own below `.bench/`, from the pinned list in
`requirements/`. Nothing of it is among Kerb's dependencies.
"""

from pathlib import Path

HERE = Path(__file__).parent
ENVIRONMENTS = HERE.parent.parent / ".bench"


def python_of(peer: str) -> Path | None:
    """The interpreter of a peer's environment; None if it isn't installed."""
    python = ENVIRONMENTS / peer / "bin/python"
    return python if python.exists() and (python.parent.parent / ".installed").exists() else None
