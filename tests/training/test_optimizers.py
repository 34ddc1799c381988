"""Steps without variables equal Keras's own steps on variables."""

import inspect
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from pydantic import BaseModel, TypeAdapter

from app.spec.fit import Fit
from app.spec.optimizers import OPTIMIZERS, SGD, Muon, Optimizer
from app.spec.schedules import SCHEDULES
from app.training.optimizers import averaged_weights, build_optimizer

SHAPES = {"kernel": (4, 3), "bias": (3,), "filters": (2, 2, 3)}
STEPS = 5

ALL_TOGETHER = {
    "weight_decay": 0.05,
    "global_clipnorm": 0.2,
    "use_ema": True,
    "ema_momentum": 0.5,
    "ema_overwrite_frequency": 2,
    "gradient_accumulation_steps": 2,
}
BASE_OPTIONS: list[dict[str, Any]] = [
    {},
    {"weight_decay": 0.05},
    {"clipnorm": 0.1},
    {"clipvalue": 0.05},
    {"global_clipnorm": 0.2},
    {"use_ema": True, "ema_momentum": 0.8},
    {"use_ema": True, "ema_momentum": 0.5, "ema_overwrite_frequency": 3},
    {"gradient_accumulation_steps": 2},
]
OWN_OPTIONS: dict[str, list[dict[str, Any]]] = {
    "SGD": [{"momentum": 0.9}, {"momentum": 0.9, "nesterov": True}],
    "RMSprop": [{"momentum": 0.5}, {"centered": True}, {"momentum": 0.5, "centered": True}],
    "Adam": [{"amsgrad": True}, {"epsilon": 0.1, "beta_1": 0.5}],
    "AdamW": [{"amsgrad": True}],
    "Adafactor": [{"relative_step": False}],
    "Ftrl": [{"l1_regularization_strength": 0.01, "l2_shrinkage_regularization_strength": 0.1, "beta": 0.1}],
    "Muon": [{"nesterov": False, "rms_rate": None}],
}
CASES = [
    (optimizer.__name__, options)
    for optimizer in OPTIMIZERS
    for options in [
        *(BASE_OPTIONS if optimizer in (SGD, Muon) else [{}]),
        *OWN_OPTIONS.get(optimizer.__name__, []),
    ]
]


def variables() -> list[keras.Variable]:
    random = np.random.default_rng(1)
    return [
        keras.Variable(random.normal(size=shape).astype("float32"), name=name)
        for name, shape in SHAPES.items()
    ]


def gradients() -> list[list[np.ndarray]]:
    random = np.random.default_rng(2)
    return [[random.normal(size=shape).astype("float32") for shape in SHAPES.values()] for _ in range(STEPS)]


def read(document: Any) -> Any:
    return TypeAdapter(Optimizer).validate_python(document)


def keras_steps(optimizer: Any) -> list[np.ndarray]:
    weights = variables()
    optimizer.build(weights)
    for step in gradients():
        optimizer.apply([tf.constant(g) for g in step], weights)
    return [w.numpy() for w in weights]


def stateless_steps(optimizer: Any, compiled: bool) -> list[np.ndarray]:
    weights = variables()
    optimizer.build(weights)
    steps = [tf.constant(np.stack(g)) for g in zip(*gradients(), strict=True)]

    def run(weights: Any, state: Any) -> Any:
        def step(i: Any, weights: Any, state: Any) -> Any:
            weights, state = optimizer.stateless_apply(state, [g[i] for g in steps], weights)
            return i + 1, list(weights), list(state)

        return tf.while_loop(lambda i, *_: i < STEPS, step, (tf.constant(0), weights, state))

    start = [tf.constant(w.numpy()) for w in weights]
    state = [tf.constant(v.numpy()) for v in optimizer.variables]
    loop = tf.function(run, jit_compile=True, autograph=False) if compiled else run
    _, after, _ = loop(start, state)
    for tensor, variable in zip(start, weights, strict=True):
        np.testing.assert_array_equal(tensor, variable.numpy())
    return [w.numpy() for w in after]


def assert_same_steps(name: str, options: dict[str, Any], *, compiled: bool) -> None:
    spec = read({"type": name, "learning_rate": 0.05, **options})
    expected = keras_steps(getattr(keras.optimizers, name)(learning_rate=0.05, **options))
    actual = stateless_steps(build_optimizer(spec), compiled)
    for a, e, start in zip(actual, expected, variables(), strict=True):
        np.testing.assert_allclose(a, e, rtol=2e-5, atol=2e-6)
        assert np.abs(a - start.numpy()).max() > 2e-5


@pytest.mark.parametrize(("name", "options"), CASES, ids=str)
def test_steps_without_variables_equal_keras_steps(name: str, options: dict[str, Any]) -> None:
    assert_same_steps(name, options, compiled=False)


@pytest.mark.parametrize("name", [optimizer.__name__ for optimizer in OPTIMIZERS])
def test_steps_in_a_loop_compiled_by_xla_equal_keras_steps(name: str) -> None:
    assert_same_steps(name, ALL_TOGETHER, compiled=True)


def signature(keras_class: type) -> dict[str, Any]:
    parameters = inspect.signature(keras_class.__init__).parameters  # type: ignore[misc]
    return {name: p.default for name, p in parameters.items() if name not in ("self", "kwargs", "name")}


def fields(spec: type[BaseModel]) -> dict[str, Any]:
    return {
        name: inspect.Parameter.empty if field.is_required() else field.default
        for name, field in spec.model_fields.items()
        if name != "type"
    }


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_arguments_and_defaults_are_keras_own(optimizer: type[BaseModel]) -> None:
    left_out = {"loss_scale_factor", "exclude_layers", "exclude_embeddings"}
    expected = signature(getattr(keras.optimizers, optimizer.__name__))
    assert fields(optimizer) == {name: value for name, value in expected.items() if name not in left_out}


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_schedules_have_keras_arguments_and_defaults(schedule: type[BaseModel]) -> None:
    assert fields(schedule) == signature(getattr(keras.optimizers.schedules, schedule.__name__))


SCHEDULE_DOCUMENTS: list[dict[str, Any]] = [
    {"type": "ExponentialDecay", "initial_learning_rate": 0.1, "decay_steps": 3, "decay_rate": 0.5},
    {"type": "InverseTimeDecay", "initial_learning_rate": 0.1, "decay_steps": 3, "decay_rate": 2},
    {"type": "PolynomialDecay", "initial_learning_rate": 0.1, "decay_steps": 5, "cycle": True},
    {"type": "PiecewiseConstantDecay", "boundaries": [2, 4], "values": [0.1, 0.01, 0.001]},
    {
        "type": "CosineDecay",
        "initial_learning_rate": 0.0,
        "decay_steps": 4,
        "warmup_target": 0.1,
        "warmup_steps": 2,
    },
    {"type": "CosineDecayRestarts", "initial_learning_rate": 0.1, "first_decay_steps": 2},
]


@pytest.mark.parametrize("document", SCHEDULE_DOCUMENTS, ids=lambda document: document["type"])
def test_steps_follow_the_learning_rate_schedule(document: dict[str, Any]) -> None:
    fit = Fit.model_validate({"learning_rate_schedule": document})
    arguments = {name: value for name, value in document.items() if name != "type"}
    schedule = getattr(keras.optimizers.schedules, document["type"])(**arguments)
    expected = keras_steps(keras.optimizers.SGD(learning_rate=schedule))
    actual = stateless_steps(build_optimizer(read("sgd"), fit), compiled=True)
    for a, e in zip(actual, expected, strict=True):
        np.testing.assert_allclose(a, e, rtol=1e-5, atol=1e-6)


def test_every_schedule_has_a_case() -> None:
    assert {document["type"] for document in SCHEDULE_DOCUMENTS} == {s.__name__ for s in SCHEDULES}


def test_gradient_clip_of_fit_is_the_optimizers() -> None:
    fit = Fit.model_validate({"gradient_clip": {"clipvalue": 0.05}})
    expected = keras_steps(keras.optimizers.SGD(clipvalue=0.05))
    actual = stateless_steps(build_optimizer(read("sgd"), fit), compiled=False)
    for a, e in zip(actual, expected, strict=True):
        np.testing.assert_allclose(a, e, rtol=1e-6)


def test_weight_constraints_hold_after_each_step() -> None:
    weight = keras.Variable(np.ones((2, 2), "float32"), name="kernel")
    weight.constraint = keras.constraints.NonNeg()
    optimizer = build_optimizer(read({"type": "SGD", "learning_rate": 1.0}))
    optimizer.build([weight])
    state = [tf.constant(v.numpy()) for v in optimizer.variables]
    (after,), _ = optimizer.stateless_apply(state, [tf.constant([[2.0, 0.5], [0.0, 3.0]])], [tf.ones((2, 2))])
    np.testing.assert_array_equal(after, [[0, 0.5], [1, 0]])


def test_averaged_weights_are_what_keras_ends_with() -> None:
    weights = variables()
    plain = keras.optimizers.SGD(use_ema=True, ema_momentum=0.5)
    plain.build(weights)
    for step in gradients():
        plain.apply([tf.constant(g) for g in step], weights)
    plain.finalize_variable_values(weights)

    optimizer = build_optimizer(read({"type": "SGD", "use_ema": True, "ema_momentum": 0.5}))
    optimizer.build(variables())
    tensors = [tf.constant(w.numpy()) for w in variables()]
    state = [tf.constant(v.numpy()) for v in optimizer.variables]
    for step in gradients():
        tensors, state = optimizer.stateless_apply(state, [tf.constant(g) for g in step], tensors)
    averages = averaged_weights(optimizer, state)
    assert averages is not None
    for average, weight in zip(averages, weights, strict=True):
        np.testing.assert_allclose(average, weight.numpy(), rtol=1e-5)


def test_without_ema_there_are_no_averaged_weights() -> None:
    assert averaged_weights(build_optimizer(read("adam")), []) is None
