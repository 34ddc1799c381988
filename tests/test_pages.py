"""Pages in a real browser, where the machine has one: that they draw themselves, under their own policies."""

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support.documents import tiny_document
from tests.support.service import Service

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)

pytestmark = pytest.mark.skipif(BROWSER is None, reason="needs Chromium or Chrome")


def shown(url: str, profile: Path) -> tuple[str, str]:
    """The page as it stands once its scripts have run, and what the browser's console said."""
    assert BROWSER is not None
    done = subprocess.run(
        [
            *(BROWSER, "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={profile}"),
            *("--enable-logging=stderr", "--virtual-time-budget=10000", "--dump-dom", url),
        ],
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    console = "\n".join(line for line in done.stderr.splitlines() if "CONSOLE" in line)
    return done.stdout, console


def test_a_plot_draws_itself(service: Service, tmp_path: Path) -> None:
    run = service.run(tiny_document(name="Oslo & Bern"))
    page, console = shown(f"{service.url}/runs/{run['id']}/plots/loss.html", tmp_path)
    assert console == ""
    drawing = page[page.index('<svg xmlns="') :]
    assert ">epoch</text>" in drawing
    assert ">loss</text>" in drawing
    assert 'role="graphics-symbol"' in drawing
    assert "Save as SVG" in page


def test_the_documentation_lists_the_operations(service: Service, tmp_path: Path) -> None:
    page, console = shown(f"{service.url}/docs", tmp_path)
    assert console == ""
    for path in ("/runs", "/predict", "/datasets", "/sweeps"):
        assert f'data-path="{path}"' in page
