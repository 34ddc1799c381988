"""The `fit` field: Keras's words and defaults, and what contradicts itself."""

import inspect
from typing import Any

import keras
import pytest
from pydantic import BaseModel

from app.errors import InvalidDocument
from app.spec.fit import EarlyStopping, Fit, ReduceLROnPlateau
from app.spec.parsing import parse


def problem(**fit: Any) -> tuple[str, str]:
    with pytest.raises(InvalidDocument) as caught:
        parse(Fit, fit)
    return tuple(caught.value.problems[0])


@pytest.mark.parametrize(
    ("spec", "callback"),
    [
        (EarlyStopping, keras.callbacks.EarlyStopping),
        (ReduceLROnPlateau, keras.callbacks.ReduceLROnPlateau),
    ],
)
def test_callbacks_have_keras_arguments_and_defaults(spec: type[BaseModel], callback: type) -> None:
    parameters = inspect.signature(callback).parameters
    expected = {name: p.default for name, p in parameters.items() if name not in ("verbose", "kwargs")}
    assert {name: field.default for name, field in spec.model_fields.items()} == expected


def test_defaults_are_those_of_keras_fit() -> None:
    parameters = inspect.signature(keras.Model.fit).parameters
    fit = Fit()
    assert fit.epochs == parameters["epochs"].default
    assert fit.shuffle == parameters["shuffle"].default
    assert fit.class_weight is parameters["class_weight"].default
    assert fit.batch_size == 32  # what Keras takes for its default of None


def test_classes_are_numbers_though_keys_are_text() -> None:
    fit = parse(Fit, {"class_weight": {"0": 1, "12": 2.5}})
    assert fit.class_weight == {0: 1.0, 12: 2.5}
    assert fit.document()["class_weight"] == {"0": 1.0, "12": 2.5}


@pytest.mark.parametrize("name", ["CosineDecay", "cosine_decay"])
def test_schedules_are_named_as_in_keras(name: str) -> None:
    schedule = {"type": name, "initial_learning_rate": 0.1, "decay_steps": 10}
    fit = parse(Fit, {"learning_rate_schedule": schedule})
    assert fit.document()["learning_rate_schedule"]["type"] == "CosineDecay"


COSINE = {"type": "CosineDecay", "initial_learning_rate": 0.1, "decay_steps": 10}


@pytest.mark.parametrize(
    ("fit", "pointer", "message"),
    [
        ({"epochs": 0}, "/epochs", "Expected a number >= 1; received 0."),
        ({"epochs": 10.5}, "/epochs", "Expected an integer; received 10.5."),
        ({"batch_size": "32"}, "/batch_size", 'Expected an integer; received "32".'),
        ({"shuffle": "batch"}, "/shuffle", 'Expected true or false; received "batch".'),
        (
            {"early_stopping": {"patience": -1}},
            "/early_stopping/patience",
            "Expected a number >= 0; received -1.",
        ),
        (
            {"early_stopping": {"mode": "minimum"}},
            "/early_stopping/mode",
            'Expected one of the names "auto", "min", "max"; received "minimum". Did you mean "min"?',
        ),
        ({"early_stopping": True}, "/early_stopping", "Expected an object; received true."),
        (
            {"reduce_lr_on_plateau": {"factor": 1}},
            "/reduce_lr_on_plateau/factor",
            "Expected a number < 1.0; received 1.",
        ),
        (
            {"gradient_clip": {}},
            "/gradient_clip",
            "Expected exactly one of clipnorm, clipvalue, global_clipnorm; received none of them.",
        ),
        (
            {"gradient_clip": {"clipnorm": 1, "clipvalue": 1}},
            "/gradient_clip",
            "Expected exactly one of clipnorm, clipvalue, global_clipnorm; received clipnorm and clipvalue.",
        ),
        (
            {"class_weight": {"a": 1}},
            "/class_weight/a",
            'Expected a class\'s number, such as "0"; received "a".',
        ),
        ({"class_weight": {"0": -1}}, "/class_weight/0", "Expected a number >= 0.0; received -1."),
        ({"class_weight": {}}, "/class_weight", "Expected at least 1 of them; received an empty object."),
        (
            {"class_weight": {"0": 1, "00": 2}},
            "/class_weight/00",
            'Expected a class\'s number, such as "0"; received "00".',
        ),
        ({"time_limit_seconds": 0}, "/time_limit_seconds", "Expected a number > 0.0; received 0."),
        ({"record_every": 0}, "/record_every", "Expected a number >= 1; received 0."),
        (
            {"learning_rate_schedule": COSINE, "reduce_lr_on_plateau": {}},
            "/reduce_lr_on_plateau",
            "Expected either learning_rate_schedule or reduce_lr_on_plateau; received both.",
        ),
        (
            {"learning_rate_schedule": {**COSINE, "decay_steps": 0}},
            "/learning_rate_schedule/decay_steps",
            "Expected a number >= 1; received 0.",
        ),
        (
            {
                "learning_rate_schedule": {
                    "type": "PiecewiseConstantDecay",
                    "boundaries": [1, 2],
                    "values": [1, 2],
                }
            },
            "/learning_rate_schedule/values",
            "Expected 3 values, one more than boundaries; received 2.",
        ),
        (
            {
                "learning_rate_schedule": {
                    "type": "PiecewiseConstantDecay",
                    "boundaries": [2, 2],
                    "values": [1, 2, 3],
                }
            },
            "/learning_rate_schedule/boundaries",
            "Expected ascending steps; received [2, 2].",
        ),
        (
            {"learning_rate_schedule": 0.1},
            "/learning_rate_schedule",
            "Expected a name, or an object with a type; received 0.1.",
        ),
        (
            {"epoch": 3},
            "/epoch",
            'Expected one of the fields "epochs", "batch_size", "shuffle", "early_stopping", '
            '"learning_rate_schedule", "reduce_lr_on_plateau", "gradient_clip", "class_weight", '
            '"time_limit_seconds", "record_every"; received "epoch". Did you mean "epochs"?',
        ),
    ],
)
def test_what_contradicts_itself_is_refused(fit: Any, pointer: str, message: str) -> None:
    assert problem(**fit) == (pointer, message)
