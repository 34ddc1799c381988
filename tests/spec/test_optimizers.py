"""The `optimizer` field; its arguments and defaults are compared with Keras in tests/training."""

from typing import Any

import pytest

from app.errors import InvalidDocument
from app.spec.base import SpecModel
from app.spec.optimizers import OPTIMIZERS, Adam, Optimizer
from app.spec.parsing import parse


class Document(SpecModel):
    optimizer: Optimizer = Adam()


def read(optimizer: Any) -> Any:
    return parse(Document, {"optimizer": optimizer}).optimizer


def problem(optimizer: Any) -> tuple[str, str]:
    with pytest.raises(InvalidDocument) as caught:
        read(optimizer)
    return tuple(caught.value.problems[0])


@pytest.mark.parametrize("name", ["Adam", "adam", "ADAM"])
def test_a_name_alone_is_the_optimizer_with_its_defaults(name: str) -> None:
    assert read(name) == read({"type": name}) == Adam()


def test_every_optimizer_is_known_by_its_name_in_small_letters() -> None:
    for optimizer in OPTIMIZERS:
        assert read(optimizer.__name__.lower()) == optimizer()


def test_integers_are_numbers() -> None:
    assert read({"type": "SGD", "learning_rate": 1}).learning_rate == 1.0


def test_every_default_is_in_the_document() -> None:
    document = Document().document()["optimizer"]
    assert document["type"] == "Adam"
    assert document["beta_2"] == 0.999
    assert document["clipnorm"] is None


@pytest.mark.parametrize(
    ("optimizer", "pointer", "message"),
    [
        (
            "adan",
            "",
            'Expected one of the names "SGD", "RMSprop", "Adam", "AdamW", "Adadelta", "Adagrad", '
            '"Adamax", "Adafactor", "Nadam", "Ftrl", "Lion", "Lamb", "Muon"; received "adan". Did you '
            'mean "Adam"?',
        ),
        ({"learning_rate": 0.1}, "/type", "Expected a name, as the field is required; received nothing."),
        (0.1, "", "Expected a name, or an object with a type; received 0.1."),
        (
            {"type": "Adam", "learning_rate": -0.1},
            "/learning_rate",
            "Expected a number >= 0.0; received -0.1.",
        ),
        ({"type": "Adam", "learning_rate": "0.1"}, "/learning_rate", 'Expected a number; received "0.1".'),
        ({"type": "Adam", "beta_1": 1}, "/beta_1", "Expected a number < 1.0; received 1."),
        (
            {"type": "SGD", "clipnorm": 1, "clipvalue": 1},
            "/clipvalue",
            "Expected one of clipnorm, clipvalue, global_clipnorm; received clipnorm and clipvalue.",
        ),
        (
            {"type": "SGD", "gradient_accumulation_steps": 1},
            "/gradient_accumulation_steps",
            "Expected a number >= 2; received 1.",
        ),
    ],
)
def test_what_is_wrong_is_told(optimizer: Any, pointer: str, message: str) -> None:
    assert problem(optimizer) == (f"/optimizer{pointer}", message)


def test_an_unknown_argument_names_the_nearest() -> None:
    pointer, message = problem({"type": "Adam", "learningrate": 0.1})
    assert pointer == "/optimizer/learningrate"
    assert message.endswith('received "learningrate". Did you mean "learning_rate"?')
    assert "amsgrad" in message
    assert "nesterov" not in message
