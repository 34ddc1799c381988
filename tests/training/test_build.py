"""Keras models made from documents: weights from the seed, names, regularizers, saved files."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from app.errors import ModelRejected
from app.spec.model import ModelSpec, resolve_graph
from app.training.build import build_model, tapped_model


def built(
    layers: list[dict[str, Any]],
    shapes: dict[str, tuple[int, ...]] | None = None,
    seed: int = 0,
    **model: Any,
) -> keras.Model:
    spec = ModelSpec.model_validate({"layers": layers, **model})
    return build_model(resolve_graph(spec, shapes or {"x": (4,)}), seed)


def dense(units: int = 3, **settings: Any) -> dict[str, Any]:
    return {"type": "Dense", "units": units, **settings}


CHAIN = [dense(8, activation="relu"), {"type": "Dropout", "rate": 0.5}, dense(2)]


def test_the_same_seed_gives_the_same_weights_to_the_bit() -> None:
    first, again, other = built(CHAIN, seed=7), built(CHAIN, seed=7), built(CHAIN, seed=8)
    for one, same in zip(first.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_array_equal(one, same)
    assert not np.array_equal(first.get_weights()[0], other.get_weights()[0])


def test_an_initializers_own_seed_stays_when_the_runs_changes() -> None:
    layers = [dense(kernel_initializer={"type": "GlorotNormal", "seed": 3}), dense()]
    one, other = built(layers, seed=1).get_weights(), built(layers, seed=2).get_weights()
    np.testing.assert_array_equal(one[0], other[0])
    assert not np.array_equal(one[2], other[2])


def test_paths_of_weights_do_not_depend_on_models_built_before() -> None:
    layers = [
        {"type": "Bidirectional", "layer": {"type": "LSTM", "units": 2, "return_sequences": True}},
        {"type": "TimeDistributed", "layer": dense()},
        {"type": "LSTM", "units": 2},
    ]
    first, again = (built(layers, {"x": (4, 3)}) for _ in range(2))
    assert [weight.path for weight in first.weights] == [weight.path for weight in again.weights]
    assert first.weights[0].path == "bidirectional/forward_lstm/lstm_cell/kernel"
    assert first.layers[-1].name == "lstm_1"


def test_one_output_is_a_tensor_and_several_are_by_name() -> None:
    assert built(CHAIN)(np.ones((5, 4), "float32")).shape == (5, 2)
    named = built(CHAIN, outputs={"score": "dense_1"})(np.ones((5, 4), "float32"))
    assert {name: value.shape for name, value in named.items()} == {"score": (5, 2)}
    layers = [
        {"type": "Input", "name": "a"},
        {"type": "Input", "name": "b"},
        {"type": "Concatenate", "inputs": ["a", "b"]},
        dense(1, name="first"),
        dense(2, name="second", inputs="concatenate"),
    ]
    model = built(layers, {"a": (3,), "b": (4,)}, outputs=["second", "first"])
    outputs = model({"a": np.ones((5, 3), "float32"), "b": np.ones((5, 4), "float32")})
    assert {name: value.shape for name, value in outputs.items()} == {"second": (5, 2), "first": (5, 1)}


def test_a_tapped_model_gives_activations_of_the_same_weights() -> None:
    model = built(CHAIN)
    tapped = tapped_model(model, ["dense", "dropout"])
    x = np.random.default_rng(0).normal(size=(5, 4)).astype("float32")
    given = tapped(x)
    assert tapped.weights == model.weights
    np.testing.assert_array_equal(given["outputs"]["dense_1"], model(x))
    kernel, bias = model.get_layer("dense").get_weights()
    np.testing.assert_allclose(given["activations"]["dense"], np.maximum(x @ kernel + bias, 0), rtol=1e-5)
    np.testing.assert_array_equal(given["activations"]["dropout"], given["activations"]["dense"])


def test_a_tapped_model_keeps_the_names_of_outputs() -> None:
    tapped = tapped_model(built(CHAIN, outputs={"score": "dense_1"}), [])
    assert list(tapped(np.ones((1, 4), "float32"))["outputs"]) == ["score"]


def test_the_saved_model_carries_what_keras_can_do_itself() -> None:
    model = built(
        [
            dense(kernel_regularizer={"l1": 0.1, "l2": 0.2}, kernel_constraint="non_neg"),
            dense(kernel_regularizer="l2", bias_regularizer={"l1": 0.25}, trainable=False),
            dense(kernel_regularizer={"type": "orthogonal", "factor": 0.5}, activity_regularizer={"l1": 0.4}),
        ]
    )
    configs = [layer.get_config() for layer in model.layers[1:]]
    regularizers = [
        {key: value["config"] for key, value in config.items() if key.endswith("regularizer") and value}
        for config in configs
    ]
    assert regularizers[0] == {"kernel_regularizer": {"l1": 0.1, "l2": 0.2}}
    assert regularizers[1] == {
        "kernel_regularizer": {"l2": 0.01},
        "bias_regularizer": {"l1": 0.25},
    }
    assert regularizers[2]["kernel_regularizer"] == {"factor": 0.5, "mode": "rows"}
    assert regularizers[2]["activity_regularizer"] == {"l1": 0.4}
    assert configs[0]["kernel_constraint"]["class_name"] == "NonNeg"
    assert [weight.path for weight in model.non_trainable_weights] == ["dense_1/kernel", "dense_1/bias"]


def test_what_keras_would_do_otherwise_is_left_to_the_loop() -> None:
    proximal = {"l1": 0.1, "l2": 0.2, "proximal": True}
    summed = {"l1": 0.1, "reduction": "sum"}
    model = built(
        [
            dense(kernel_regularizer=proximal, activity_regularizer=summed),
            {"type": "ActivityRegularization", "l1": 0.1, "reduction": "sum"},
        ]
    )
    config = model.layers[1].get_config()
    assert config["kernel_regularizer"]["config"] == {"l2": 0.2}
    assert config.get("activity_regularizer") is None
    assert float(sum(model.losses)) == pytest.approx(0.2 * float(tf.reduce_sum(model.layers[1].kernel ** 2)))


@pytest.mark.parametrize(
    "layer",
    [
        dense(bias_initializer="orthogonal"),
        dense(kernel_constraint={"type": "unit_norm", "axis": 5}),
    ],
)
def test_what_only_keras_can_tell_names_the_layer(layer: dict[str, Any]) -> None:
    with pytest.raises(ModelRejected) as caught:
        built([dense(), layer])
    assert caught.value.pointer == "/model/layers/1"
    assert "dense_1 (Dense)" in caught.value.message


LIMITED = [
    dense(6, name="free"),
    {"type": "TopK", "k": 2, "threshold": 0.5},
    {"type": "Bounded", "lower": -1.0, "upper": 2.0},
    {"type": "Simplex"},
]

# What somebody without Kerb does with a model of Kerb's, and what Keras calls layers without a name there.
PLAIN_KERAS = """
import json, sys
sys.modules["app"] = None  # importing Kerb fails
import keras, numpy as np
model = keras.models.load_model(sys.argv[1])
predictions = np.asarray(model(np.load(sys.argv[2]))).tolist()
layers = keras.layers
x = keras.Input((4, 3))
made = []
def named(layer):
    made.append(layer.name)
    return layer
named(layers.Bidirectional(layers.LSTM(2)))
x = named(layers.LSTM(2, return_sequences=True))(x)
x = named(layers.Conv1D(2, 1))(x)
x = named(layers.MaxPooling1D())(x)
x = named(layers.PReLU())(x)
x = named(layers.MultiHeadAttention(1, 2))(x, x)
x = named(layers.Softmax())(x)
x = named(layers.TimeDistributed(layers.Dense(3)))(x)
x = named(layers.Dense(3))(x)
named(layers.InputLayer((3,)))
print(json.dumps({"predictions": predictions, "names": made}))
"""


@pytest.fixture(scope="module")
def limited() -> keras.Model:
    return built(LIMITED)


@pytest.fixture(scope="module")
def in_plain_keras(limited: keras.Model, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("plain")
    limited.save(folder / "model.keras")
    np.save(folder / "x.npy", np.random.default_rng(0).normal(size=(5, 4)).astype("float32"))
    (folder / "plain.py").write_text(PLAIN_KERAS)
    arguments = ["plain.py", "model.keras", "x.npy"]
    done = subprocess.run(
        [sys.executable, "-P", *arguments], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer


def test_a_saved_model_with_hard_layers_opens_in_plain_keras(
    limited: keras.Model, in_plain_keras: dict[str, Any]
) -> None:
    x = np.random.default_rng(0).normal(size=(5, 4)).astype("float32")
    np.testing.assert_allclose(in_plain_keras["predictions"], limited(x), rtol=1e-6, atol=1e-7)


def test_layers_are_named_as_in_a_fresh_process(in_plain_keras: dict[str, Any]) -> None:
    layers = [
        {"type": "Input"},
        {"type": "Bidirectional", "layer": {"type": "LSTM", "units": 2}},
        {"type": "LSTM", "units": 2, "return_sequences": True, "inputs": "input_layer"},
        {"type": "Conv1D", "filters": 2, "kernel_size": 1},
        {"type": "MaxPooling1D"},
        {"type": "PReLU"},
        {"type": "MultiHeadAttention", "num_heads": 1, "key_dim": 2, "inputs": ["p_re_lu", "p_re_lu"]},
        {"type": "Softmax"},
        {"type": "TimeDistributed", "layer": {"type": "Dense", "units": 3}},
        {"type": "Dense", "units": 3},
        {"type": "Input"},
    ]
    outputs = ["bidirectional", "dense_1", "input_layer_1"]
    spec = ModelSpec.model_validate({"layers": layers, "outputs": outputs})
    graph = resolve_graph(spec, {"input_layer": (4, 3), "input_layer_1": (3,)})
    names = {node.pointer: node.name for node in graph.nodes}
    assert [names[f"/model/layers/{index}"] for index in range(1, 11)] == in_plain_keras["names"]


def test_the_file_of_a_model_holds_no_module_of_kerb(limited: keras.Model, tmp_path: Path) -> None:
    limited.save(tmp_path / "model.keras")
    assert '"app' not in limited.to_json()
