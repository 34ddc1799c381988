"""`kerb demo` from its start to its end, as `make demo` runs it."""

import re
import subprocess
import sys

import pytest


@pytest.fixture(scope="module")
def demo() -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "app.cli", "demo"], capture_output=True, text=True, timeout=300, check=False
    )


def test_it_succeeds(demo: subprocess.CompletedProcess[str]) -> None:
    assert demo.returncode == 0, demo.stdout + demo.stderr
    assert "The service is stopped." in demo.stdout


def test_it_shows_the_end_of_every_run(demo: subprocess.CompletedProcess[str]) -> None:
    ended = re.findall(r"^  (\S.+?) +succeeded +4,000/4,000 epochs.*  loss \d", demo.stdout, re.MULTILINE)

    assert ended == [
        "no regularizer",
        "l1 before the activation",
        "l1 after the activation",
    ]


def test_it_prints_plain_lines_where_there_is_no_terminal(demo: subprocess.CompletedProcess[str]) -> None:
    assert "\r" not in demo.stdout
    assert "\x1b" not in demo.stdout


def test_its_table_has_the_figures_of_the_study(demo: subprocess.CompletedProcess[str]) -> None:
    rows = re.findall(
        r"^(\S[^\n]+?)  +(\d\.\d+) +(\d\.\d+) +(\d\.\d+) +(\d\.\d+) +\d+ \(\d+%\) +\d+ \(\d+%\)$",
        demo.stdout,
        re.MULTILINE,
    )
    figures = {name: [float(figure) for figure in row] for name, *row in rows}
    assert len(figures) == 3

    sparsity = {name: zero_share for name, (_, _, zero_share, _) in figures.items()}
    assert sparsity["l1 after the activation"] > 0.85 > sparsity["no regularizer"]
    for train, validation, _, _ in figures.values():
        assert train > validation > 0.65


def test_it_predicts_some_points(demo: subprocess.CompletedProcess[str]) -> None:
    predicted = re.findall(
        r"^\([+-]\d\.\d+, [+-]\d\.\d+\) +[01] +(0\.\d+|1\.0+) +(0\.\d+|1\.0+) +(0\.\d+|1\.0+)$",
        demo.stdout,
        re.MULTILINE,
    )
    assert len(predicted) == 6
