"""The `augmentation` field."""

import inspect
from typing import Any

import keras
import pytest
from pydantic import BaseModel

from app.errors import InvalidDocument
from app.spec.augmentation import AUGMENTATIONS, AnyAugmentation
from app.spec.base import SpecModel
from app.spec.parsing import parse


class Document(SpecModel):
    augmentation: AnyAugmentation


def read(augmentation: Any) -> Any:
    return parse(Document, {"augmentation": augmentation}).augmentation


@pytest.mark.parametrize("augmentation", AUGMENTATIONS)
def test_arguments_and_defaults_are_keras_own(augmentation: type[BaseModel]) -> None:
    parameters = inspect.signature(getattr(keras.layers, augmentation.__name__)).parameters
    left_out = {"seed", "data_format", "kwargs"}
    expected = {name: p.default for name, p in parameters.items() if name not in left_out}
    actual = {
        name: inspect.Parameter.empty if field.is_required() else field.default
        for name, field in augmentation.model_fields.items()
        if name not in ("type", "input")
    }
    assert actual == expected


def test_a_number_is_a_range_around_zero() -> None:
    assert read({"type": "RandomRotation", "factor": 0.1}).factor == (-0.1, 0.1)
    assert read({"type": "RandomRotation", "factor": [-0.1, 0.3]}).factor == (-0.1, 0.3)
    assert read({"type": "RandomContrast", "factor": 0.1}).factor == (0.1, 0.1)


@pytest.mark.parametrize("name", ["RandomFlip", "random_flip", "MixUp", "mix_up", "mixup"])
def test_names_alone_and_in_either_spelling(name: str) -> None:
    assert read(name) == read({"type": name})


@pytest.mark.parametrize(
    ("augmentation", "pointer", "message"),
    [
        (
            {"type": "RandomRotation"},
            "/factor",
            "Expected a value, as the field is required; received nothing.",
        ),
        ({"type": "RandomRotation", "factor": 2}, "/factor", "Expected a number from -1 to 1; received 2."),
        (
            {"type": "RandomRotation", "factor": [0.5, -0.5]},
            "/factor",
            "Expected [lower, upper], ascending; received [0.5, -0.5].",
        ),
        ({"type": "RandomRotation", "factor": [0, 2]}, "/factor/1", "Expected a number <= 1.0; received 2."),
        (
            {"type": "RandomRotation", "factor": "0.1"},
            "/factor",
            'Expected a number, or a list of two; received "0.1".',
        ),
        (
            {"type": "RandomRotation", "factor": [1]},
            "/factor",
            "Expected a number, or a list of two; received a list of 1.",
        ),
        (
            {"type": "RandomContrast", "factor": -0.5},
            "/factor",
            "Expected a number from 0 to 1; received -0.5.",
        ),
        (
            {"type": "RandomFlip", "mode": "both"},
            "/mode",
            'Expected one of the names "horizontal", "vertical", "horizontal_and_vertical"; received "both".',
        ),
        ({"type": "MixUp", "alpha": 0}, "/alpha", "Expected a number > 0.0; received 0."),
        (
            {"type": "CutMix"},
            "/type",
            'Expected one of the names "RandomFlip", "RandomRotation", "RandomTranslation", '
            '"RandomZoom", "RandomContrast", "GaussianNoise", "MixUp"; received "CutMix". Did you mean '
            '"MixUp"?',
        ),
    ],
)
def test_what_is_wrong_is_told(augmentation: Any, pointer: str, message: str) -> None:
    with pytest.raises(InvalidDocument) as caught:
        read(augmentation)
    assert tuple(caught.value.problems[0]) == (f"/augmentation{pointer}", message)
