"""Each layer's fields, defaults, shapes and numbers of weights against the installed Keras."""

import inspect
from typing import Any, get_args

import keras
import numpy as np
import pytest

from app.spec.layers import AnyLayer
from app.spec.layers.base import Layer
from app.spec.layers.hard import Bounded, Simplex, TopK
from app.spec.layers.left_out import LEFT_OUT
from app.spec.model import ModelSpec, resolve_graph
from app.training.build import build_model
from tests.support.layers import CASES

CLASSES: list[type[Layer]] = sorted(get_args(get_args(AnyLayer)[0]), key=lambda layer: layer.__name__)
KERAS_CLASSES = [layer for layer in CLASSES if layer not in (Bounded, Simplex, TopK)]


def keras_class(layer: type[Layer]) -> type:
    name = layer.__name__
    return keras.layers.InputLayer if name == "Input" else getattr(keras.layers, name)


def keras_arguments(layer: type[Layer]) -> dict[str, inspect.Parameter]:
    parameters = inspect.signature(keras_class(layer).__init__).parameters
    return {
        name: parameter for name, parameter in parameters.items() if name not in ("self", "kwargs", "name")
    }


def is_left_out(layer: type[Layer], argument: str) -> bool:
    return argument in LEFT_OUT or f"{layer.__name__}.{argument}" in LEFT_OUT


@pytest.mark.parametrize("layer", KERAS_CLASSES)
def test_every_argument_of_keras_is_a_field_or_left_out_with_a_reason(layer: type[Layer]) -> None:
    missing = keras_arguments(layer).keys() - layer.model_fields.keys()
    assert {argument for argument in missing if not is_left_out(layer, argument)} == set()


@pytest.mark.parametrize("layer", KERAS_CLASSES)
def test_every_field_is_an_argument_of_keras(layer: type[Layer]) -> None:
    own = {"type", "name", "inputs", "trainable", "activity_regularizer", *layer.kerbs_own}
    assert layer.model_fields.keys() - own <= keras_arguments(layer).keys()


@pytest.mark.parametrize("layer", KERAS_CLASSES)
def test_defaults_are_those_of_keras(layer: type[Layer]) -> None:
    for name, parameter in keras_arguments(layer).items():
        if name not in layer.model_fields:
            continue
        field = layer.model_fields[name]
        if parameter.default is inspect.Parameter.empty:
            assert field.is_required(), name
        else:
            assert not field.is_required(), name
            assert field.default == parameter.default, name


def test_what_is_left_out_is_still_an_argument_of_keras() -> None:
    arguments = {"autocast", "dtype"}
    for layer in KERAS_CLASSES:
        arguments |= {argument for argument in keras_arguments(layer) if argument not in layer.model_fields}
        arguments |= {f"{layer.__name__}.{argument}" for argument in keras_arguments(layer)}
    assert LEFT_OUT.keys() - arguments == set()


def test_every_layer_has_cases() -> None:
    assert CASES.keys() == {layer.__name__ for layer in CLASSES}


@pytest.mark.parametrize(
    ("kind", "settings", "shapes"),
    [
        pytest.param(kind, settings, shapes if isinstance(shapes, list) else [shapes], id=f"{kind}-{number}")
        for kind, cases in CASES.items()
        for number, (settings, shapes) in enumerate(cases)
    ],
)
def test_shape_and_weights_are_those_of_keras(
    kind: str, settings: dict[str, Any], shapes: list[tuple[int, ...]]
) -> None:
    names = [f"input{number}" for number in range(len(shapes))]
    layer = {"type": kind, "name": "layer", **settings}
    layers = [layer]
    if kind == "Input":
        names = ["layer"]
    else:
        layers = [{"type": "Input", "name": name} for name in names] + [{**layer, "inputs": names}]
    data_shapes = dict(zip(names, shapes, strict=True))

    graph = resolve_graph(ModelSpec.model_validate({"layers": layers}), data_shapes)
    model = build_model(graph, seed=1)

    node = graph.nodes[-1]
    assert model.output.shape == (None, *node.shape)
    assert model.count_params() == node.parameter_count == graph.parameter_count
    values = {
        name: np.random.default_rng(0).random((2, *shape), np.float32) for name, shape in data_shapes.items()
    }
    output = model(values if len(values) > 1 else values[names[0]], training=True)
    assert output.shape == (2, *(data_shapes["layer"] if kind == "Input" else node.shape))
    assert np.isfinite(output).all()
