"""Installs the peers: `python -m benchmarks.peers [name …]`."""

import subprocess
import sys
import venv

from benchmarks.peers import ENVIRONMENTS, HERE


def install(peer: str) -> None:
    """Makes a fresh environment with what the peer's pinned list names."""
    environment = ENVIRONMENTS / peer
    marker = environment / ".installed"
    requirements = HERE / "requirements" / f"{peer}.txt"
    if marker.exists() and marker.read_text() == requirements.read_text():
        print(f"{peer} is installed")
        return
    print(f"installing {peer} into {environment}", flush=True)
    venv.create(environment, clear=True, with_pip=True)
    pip = [str(environment / "bin/python"), "-m", "pip", "--disable-pip-version-check"]
    subprocess.run([*pip, "install", "--quiet", "--requirement", str(requirements)], check=True)
    marker.write_text(requirements.read_text())


def main(asked: list[str]) -> int:
    """Installs the peers asked for, or all."""
    known = sorted(path.stem for path in (HERE / "requirements").glob("*.txt"))
    for peer in asked or known:
        if peer not in known:
            print(f"Expected one of {', '.join(known)}; received {peer}.", file=sys.stderr)
            return 2
        install(peer)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
