"""The API's process and the packages it is made of stay free of Keras and TensorFlow."""

import subprocess
import sys

import pytest

HEAVY = {"keras", "tensorflow", "tf2onnx", "onnx"}


def modules_after(statement: str) -> set[str]:
    """Top-level names in `sys.modules` of a fresh interpreter that ran the statement."""
    code = f"{statement}; import sys; print(*{{name.partition('.')[0] for name in sys.modules}})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


@pytest.mark.parametrize(
    "statement",
    [
        "import app.main",
        "from app.main import create_app; create_app()",
        "import app.cli",
        "import app.demo",
        "import app.spec.checks, app.spec.parsing",
        "import app.statistics",
    ],
)
def test_neither_keras_nor_tensorflow_is_imported(statement: str) -> None:
    assert modules_after(statement) & HEAVY == set()


def test_the_language_needs_no_database_and_no_web_framework() -> None:
    imported = modules_after("import app.spec.checks, app.spec.parsing")

    assert imported & {"sqlalchemy", "fastapi", "starlette", "onnxruntime"} == set()


def test_the_check_itself_sees_an_import() -> None:
    assert "onnx" in modules_after("import onnx")
