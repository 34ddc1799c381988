from pathlib import Path

import pytest
from pydantic import ValidationError

from app.artifacts import Signature, TensorSignature, read_signature, write_signature


def test_a_signature_is_read_as_it_was_written(tmp_path: Path) -> None:
    signature = Signature(
        inputs=(TensorSignature(name="x", shape=(None, 2), dtype="float32"),),
        outputs=(TensorSignature(name="dense", shape=(None, 1), dtype="float32"),),
        parameters=3,
        thresholds=(0.5, 0.25),
        near_zero=0.01,
    )
    write_signature(signature, tmp_path)
    assert read_signature(tmp_path) == signature


def test_fields_of_a_later_version_are_passed_over(tmp_path: Path) -> None:
    (tmp_path / "signature.json").write_text(
        '{"inputs": [{"name": "x", "shape": [null, 2], "dtype": "float32", "unit": "m"}], "later": 1,'
        ' "outputs": [{"name": "dense", "shape": [null, 1], "dtype": "float32"}], "parameters": 3}'
    )
    signature = read_signature(tmp_path)
    assert signature.inputs[0].shape == (None, 2)
    assert (signature.thresholds, signature.near_zero) == ((0.5,), 0.001)


def test_a_model_takes_and_gives_something() -> None:
    with pytest.raises(ValidationError):
        Signature(inputs=(), outputs=(), parameters=0)
