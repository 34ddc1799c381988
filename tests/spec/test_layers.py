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

CLASSES: list[type[Layer]] = sorted(get_args(get_args(AnyLayer)[0]), key=lambda layer: layer.__name__)
KERAS_CLASSES = [layer for layer in CLASSES if layer not in (Bounded, Simplex, TopK)]

# By type, settings with the shape of one sample of the input, or a list of shapes where there are several.
CASES: dict[str, list[tuple[dict[str, Any], Any]]] = {
    "Activation": [({"activation": "relu"}, (3,)), ({"activation": "softmax"}, (4, 3))],
    "ActivityRegularization": [({"l1": 0.1}, (3,)), ({"l2": 0.1, "reduction": "sum"}, (2, 3))],
    "Add": [({}, [(3,), (3,)]), ({}, [(4, 3), (4, 1), (3,)])],
    "Average": [({}, [(3,), (3,)])],
    "AveragePooling1D": [
        ({"pool_size": 2}, (7, 3)),
        ({"pool_size": 3, "strides": 1, "padding": "same"}, (7, 3)),
    ],
    "AveragePooling2D": [
        ({"pool_size": 2}, (7, 6, 3)),
        ({"pool_size": [2, 3], "strides": [1, 2]}, (7, 6, 3)),
    ],
    "AveragePooling3D": [({"pool_size": 2}, (5, 4, 6, 2))],
    "BatchNormalization": [
        ({}, (3,)),
        ({"axis": 1}, (4, 4, 3)),
        ({"center": False, "scale": False}, (4, 3)),
        ({"renorm": True, "renorm_clipping": {"rmax": 3.0}}, (3,)),
    ],
    "Bidirectional": [
        ({"layer": {"type": "LSTM", "units": 4}}, (5, 3)),
        ({"layer": {"type": "GRU", "units": 4, "return_sequences": True}, "merge_mode": "sum"}, (5, 3)),
        ({"layer": {"type": "SimpleRNN", "units": 4}, "merge_mode": "ave"}, (5, 3)),
        ({"layer": {"type": "SimpleRNN", "units": 4, "unroll": True}, "merge_mode": "mul"}, (5, 3)),
    ],
    "Bounded": [({"lower": -1.0, "upper": 2.5}, (3,))],
    "Concatenate": [
        ({}, [(3,), (4,)]),
        ({"axis": 1}, [(2, 3), (4, 3), (1, 3)]),
        ({"axis": -2}, [(2, 3), (4, 3)]),
    ],
    "Conv1D": [
        ({"filters": 4, "kernel_size": 3}, (9, 2)),
        ({"filters": 4, "kernel_size": [3], "padding": "causal", "dilation_rate": 2}, (9, 2)),
        ({"filters": 4, "kernel_size": 2, "strides": 2, "padding": "same", "use_bias": False}, (9, 2)),
    ],
    "Conv2D": [
        ({"filters": 4, "kernel_size": 3}, (8, 9, 2)),
        ({"filters": 4, "kernel_size": [3, 2], "strides": [2, 1], "activation": "relu"}, (8, 9, 2)),
        ({"filters": 4, "kernel_size": 3, "padding": "same", "strides": 2}, (8, 9, 2)),
        ({"filters": 4, "kernel_size": 3, "dilation_rate": 2}, (8, 9, 2)),
        ({"filters": 4, "kernel_size": 3, "groups": 2}, (8, 9, 2)),
    ],
    "Conv3D": [({"filters": 2, "kernel_size": [2, 3, 1], "strides": 2}, (5, 6, 4, 2))],
    "Conv1DTranspose": [
        ({"filters": 4, "kernel_size": 3}, (5, 2)),
        ({"filters": 4, "kernel_size": 2, "strides": 3}, (5, 2)),
        ({"filters": 4, "kernel_size": 3, "strides": 2, "padding": "same", "output_padding": 1}, (5, 2)),
    ],
    "Conv2DTranspose": [
        ({"filters": 4, "kernel_size": 3}, (5, 4, 2)),
        ({"filters": 4, "kernel_size": [2, 3], "strides": 2, "padding": "same"}, (5, 4, 2)),
        ({"filters": 4, "kernel_size": 4, "strides": 2, "output_padding": [1, 0]}, (5, 4, 2)),
        ({"filters": 4, "kernel_size": 3, "dilation_rate": 2}, (5, 4, 2)),
    ],
    "Cropping1D": [({}, (5, 2)), ({"cropping": 2}, (5, 2)), ({"cropping": [0, 3]}, (5, 2))],
    "Cropping2D": [({}, (5, 6, 2)), ({"cropping": 1}, (5, 6, 2)), ({"cropping": [1, [0, 2]]}, (5, 6, 2))],
    "Cropping3D": [({}, (5, 6, 4, 2)), ({"cropping": [[0, 1], 2, 1]}, (5, 6, 4, 2))],
    "Dense": [
        ({"units": 4}, (3,)),
        ({"units": 1, "use_bias": False, "kernel_constraint": "non_neg"}, (5, 3)),
        ({"units": 2, "kernel_initializer": {"type": "HeNormal", "seed": 1}, "bias_regularizer": "l2"}, (3,)),
        ({"units": 3, "kernel_constraint": {"type": "max_norm", "max_value": 1.5}, "trainable": False}, (3,)),
    ],
    "DepthwiseConv1D": [({"kernel_size": 3}, (8, 2)), ({"kernel_size": 3, "depth_multiplier": 3}, (8, 2))],
    "DepthwiseConv2D": [
        ({"kernel_size": 3}, (8, 7, 2)),
        ({"kernel_size": [2, 3], "depth_multiplier": 3, "strides": 2, "padding": "same"}, (8, 7, 2)),
        ({"kernel_size": 3, "dilation_rate": 2, "use_bias": False}, (8, 7, 2)),
    ],
    "Dot": [
        ({"axes": 1}, [(3,), (3,)]),
        ({"axes": -1, "normalize": True}, [(4, 3), (5, 3)]),
        ({"axes": [1, 2]}, [(4, 3), (5, 4)]),
        ({"axes": [2, 1]}, [(4, 3), (3,)]),
        ({"axes": [1, -1]}, [(3,), (4, 3)]),
    ],
    "Dropout": [({"rate": 0.5}, (3,)), ({"rate": 0.1, "noise_shape": [None, 1, 3], "seed": 2}, (4, 3))],
    "ELU": [({"alpha": 0.5}, (3,))],
    "Embedding": [({"input_dim": 10, "output_dim": 4}, (5,)), ({"input_dim": 7, "output_dim": 2}, ())],
    "Flatten": [({}, (2, 3, 4)), ({}, (3,)), ({}, ())],
    "GRU": [
        ({"units": 4}, (5, 3)),
        ({"units": 4, "reset_after": False, "return_sequences": True}, (5, 3)),
        ({"units": 4, "use_bias": False, "unroll": True}, (5, 3)),
    ],
    "GaussianDropout": [({"rate": 0.5}, (3,))],
    "GaussianNoise": [({"stddev": 0.5}, (3,))],
    "GlobalAveragePooling1D": [({}, (5, 3)), ({"keepdims": True}, (5, 3))],
    "GlobalAveragePooling2D": [({}, (5, 4, 3)), ({"keepdims": True}, (5, 4, 3))],
    "GlobalAveragePooling3D": [({}, (5, 4, 2, 3))],
    "GlobalMaxPooling1D": [({}, (5, 3)), ({"keepdims": True}, (5, 3))],
    "GlobalMaxPooling2D": [({}, (5, 4, 3)), ({"keepdims": True}, (5, 4, 3))],
    "GlobalMaxPooling3D": [({}, (5, 4, 2, 3))],
    "GroupNormalization": [
        ({"groups": 2}, (5, 4)),
        ({"groups": -1, "center": False}, (5, 5, 3)),
        ({"groups": 3, "axis": 1}, (6, 5)),
    ],
    "Input": [({}, (3,)), ({"shape": [4, None]}, (4, 2))],
    "LSTM": [
        ({"units": 4}, (5, 3)),
        ({"units": 4, "return_sequences": True, "go_backwards": True, "dropout": 0.2}, (5, 3)),
        ({"units": 4, "use_bias": False, "recurrent_dropout": 0.2, "kernel_constraint": "unit_norm"}, (5, 3)),
    ],
    "LayerNormalization": [({}, (3,)), ({"axis": [1, 2], "scale": False}, (4, 3)), ({"axis": 1}, (4, 3))],
    "LeakyReLU": [({}, (3,)), ({"negative_slope": 0.1}, (3,))],
    "MaxPooling1D": [({}, (7, 3)), ({"pool_size": 3, "strides": 2, "padding": "same"}, (7, 3))],
    "MaxPooling2D": [({}, (7, 6, 3)), ({"pool_size": 3, "strides": 1}, (7, 6, 3))],
    "MaxPooling3D": [({}, (5, 4, 6, 2))],
    "Maximum": [({}, [(3,), (3,), (3,)])],
    "Minimum": [({}, [(3,), (3,)])],
    "MultiHeadAttention": [
        ({"num_heads": 2, "key_dim": 3}, [(5, 4), (6, 7)]),
        ({"num_heads": 2, "key_dim": 3, "value_dim": 5, "use_bias": False}, [(5, 4), (6, 7), (6, 2)]),
        ({"num_heads": 2, "key_dim": 3, "use_causal_mask": True, "dropout": 0.1}, [(5, 4), (5, 4)]),
        ({"num_heads": 2, "key_dim": 3, "use_gate": True, "output_shape": 9}, [(5, 4), (6, 7)]),
        ({"num_heads": 2, "key_dim": 3, "output_shape": [2, 3]}, [(5, 4), (5, 4)]),
        ({"num_heads": 2, "key_dim": 3, "attention_axes": 2}, [(3, 5, 4), (3, 6, 4)]),
        ({"num_heads": 2, "key_dim": 3, "attention_axes": [1, 2]}, [(3, 5, 4), (2, 6, 4)]),
        ({"num_heads": 1, "key_dim": 3, "sliding_window": 2}, [(5, 4), (5, 4)]),
    ],
    "Multiply": [({}, [(3,), (3,)]), ({}, [(4, 4, 3), (1, 1, 3)])],
    "PReLU": [({}, (4, 3)), ({"shared_axes": 1}, (4, 3)), ({"shared_axes": [1, 2]}, (4, 4, 3))],
    "Permute": [({"dims": [2, 1]}, (4, 3)), ({"dims": [3, 1, 2]}, (4, 3, 2))],
    "ReLU": [({}, (3,)), ({"max_value": 6.0, "negative_slope": 0.1, "threshold": 0.5}, (3,))],
    "RepeatVector": [({"n": 4}, (3,))],
    "Reshape": [
        ({"target_shape": [3, 4]}, (12,)),
        ({"target_shape": [2, -1]}, (4, 3)),
        ({"target_shape": []}, (1,)),
    ],
    "SeparableConv1D": [({"filters": 4, "kernel_size": 3}, (8, 2))],
    "SeparableConv2D": [
        ({"filters": 4, "kernel_size": 3}, (8, 7, 2)),
        (
            {"filters": 4, "kernel_size": 3, "depth_multiplier": 2, "padding": "same", "use_bias": False},
            (8, 7, 2),
        ),
        ({"filters": 4, "kernel_size": 3, "strides": 2}, (8, 7, 2)),
    ],
    "SimpleRNN": [
        ({"units": 4}, (5, 3)),
        ({"units": 4, "return_sequences": True, "use_bias": False}, (5, 3)),
    ],
    "Simplex": [({}, (3,)), ({}, (2, 3))],
    "Softmax": [({}, (3,)), ({"axis": 1}, (4, 3)), ({"axis": [1, 2]}, (4, 3))],
    "SpatialDropout1D": [({"rate": 0.5}, (4, 3))],
    "SpatialDropout2D": [({"rate": 0.5}, (4, 4, 3))],
    "SpatialDropout3D": [({"rate": 0.5}, (4, 4, 4, 3))],
    "Subtract": [({}, [(3,), (3,)])],
    "TimeDistributed": [
        ({"layer": {"type": "Dense", "units": 4}}, (5, 3)),
        ({"layer": {"type": "Conv2D", "filters": 2, "kernel_size": 2}}, (3, 4, 4, 1)),
        ({"layer": {"type": "Bidirectional", "layer": {"type": "LSTM", "units": 2}}}, (3, 4, 2)),
        ({"layer": {"type": "BatchNormalization"}}, (3, 4)),
    ],
    "TopK": [({"k": 2, "threshold": 0.5}, (6,)), ({"k": 3, "threshold": 0.0}, (2, 3))],
    "UnitNormalization": [({}, (3,)), ({"axis": [1, 2]}, (4, 3))],
    "UpSampling1D": [({}, (4, 3)), ({"size": 3}, (4, 3))],
    "UpSampling2D": [({}, (4, 4, 3)), ({"size": [1, 3], "interpolation": "bilinear"}, (4, 4, 3))],
    "UpSampling3D": [({}, (2, 3, 2, 3)), ({"size": 3}, (2, 3, 2, 3))],
    "ZeroPadding1D": [({}, (4, 3)), ({"padding": [0, 2]}, (4, 3))],
    "ZeroPadding2D": [
        ({}, (4, 4, 3)),
        ({"padding": 2}, (4, 4, 3)),
        ({"padding": [[1, 0], [0, 2]]}, (4, 4, 3)),
    ],
    "ZeroPadding3D": [({}, (2, 3, 2, 3)), ({"padding": [1, 2, 0]}, (2, 3, 2, 3))],
}


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
