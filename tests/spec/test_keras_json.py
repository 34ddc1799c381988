"""What `model.to_json()` prints becomes the same model, or is refused with name and place."""

import json
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest

from app.errors import InvalidDocument
from app.spec.model import ModelSpec, resolve_graph
from app.training.build import build_model

layers = keras.layers


def two_by_two() -> keras.Model:
    image = keras.Input((8, 8, 1), name="image")
    words = keras.Input((6,), name="words", dtype="int32")
    seen = layers.Conv2D(4, 3, activation="relu", kernel_regularizer="l2")(image)
    seen = layers.BatchNormalization()(layers.MaxPooling2D()(seen))
    seen = layers.Dropout(0.2, seed=3)(layers.Flatten()(seen))
    read = layers.Embedding(20, 5, mask_zero=True)(words)
    read = layers.Bidirectional(layers.LSTM(4, return_sequences=True, kernel_initializer="he_normal"))(read)
    read = layers.MultiHeadAttention(2, 3)(read, read, use_causal_mask=True)
    read = layers.TimeDistributed(layers.Dense(3, kernel_constraint="max_norm"))(read)
    read = layers.GlobalAveragePooling1D()(read)
    both = layers.Concatenate()([seen, read])
    kind = layers.Dense(3, activation="softmax", activity_regularizer="l1", name="kind")(both)
    place = layers.Dense(4, bias_initializer=keras.initializers.Constant(0.5), name="place")(both)
    return keras.Model([image, words], [kind, place])


def with_named_outputs() -> keras.Model:
    first = keras.Input((3,), name="first")
    second = keras.Input((3,), name="second")
    added = layers.Add()([first, second])
    outputs = {"up": layers.Dense(2)(added), "down": layers.LeakyReLU()(added)}
    return keras.Model({"first": first, "second": second}, outputs)


def masked_sequences() -> keras.Model:
    words = keras.Input((6,))
    read = layers.Embedding(20, 5, mask_zero=True)(words)
    read = layers.Concatenate()([layers.GRU(4, return_sequences=True)(read), read])
    read = layers.Add()([layers.Dense(4)(read), layers.Dense(4)(read)])
    return keras.Model(words, layers.LSTM(3)(layers.LayerNormalization()(read)))


def chain() -> keras.Model:
    return keras.Sequential([keras.Input((3,)), layers.Dense(4, "relu"), layers.PReLU(), layers.Dense(1)])


def imported(model: keras.Model | dict[str, Any] | str) -> keras.Model:
    document = json.loads(model.to_json()) if isinstance(model, keras.Model) else model
    return build_model(resolve_graph(ModelSpec.model_validate({"keras": document}), {}), seed=0)


def inputs_of(model: keras.Model) -> Any:
    rng = np.random.default_rng(0)
    values = {tensor.name: rng.integers(0, 20, (4, *tensor.shape[1:])) for tensor in model.inputs}
    values = {name: value.astype("float32") for name, value in values.items()}
    return values if len(values) > 1 else next(iter(values.values()))


def outputs_of(model: keras.Model, values: Any) -> list[Any]:
    if isinstance(values, dict) and isinstance(model.input, list):
        values = [values[tensor.name] for tensor in model.inputs]
    outputs = model(values)
    if isinstance(outputs, dict):
        return [outputs[name] for name in sorted(outputs)]
    return list(outputs) if isinstance(outputs, list) else [outputs]


@pytest.mark.parametrize("make", [two_by_two, with_named_outputs, masked_sequences, chain])
def test_an_imported_model_is_the_one_that_was_printed(make: Callable[[], keras.Model]) -> None:
    original = make()
    copy = imported(original)

    copy.set_weights(original.get_weights())
    values = inputs_of(original)
    for ours, theirs in zip(outputs_of(copy, values), outputs_of(original, values), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-6)
    assert [weight.shape for weight in copy.weights] == [weight.shape for weight in original.weights]
    configs = {
        layer.name: layer.get_config() for layer in original.layers if not layer.name.startswith("input")
    }
    for name, config in configs.items():
        assert {**copy.get_layer(name).get_config(), "dtype": None} == {**config, "dtype": None}


def test_the_text_is_as_good_as_the_object() -> None:
    model = chain()
    assert imported(model.to_json()).to_json() == imported(model).to_json()


def test_a_chain_without_an_input_takes_the_datas_shape() -> None:
    document = json.loads(keras.Sequential([layers.Dense(4)]).to_json())
    graph = resolve_graph(ModelSpec.model_validate({"keras": document}), {"x": (3,)})
    assert [node.shape for node in graph.nodes] == [(3,), (4,)]


def test_an_imported_document_gives_itself_back() -> None:
    document = json.loads(chain().to_json())
    assert ModelSpec.model_validate({"keras": document}).document()["keras"] == document


def problem(document: Any, data_shapes: dict[str, tuple[int, ...]] | None = None) -> tuple[str, str]:
    with pytest.raises(InvalidDocument) as caught:
        resolve_graph(ModelSpec.model_validate({"keras": document}), data_shapes or {})
    return caught.value.problems[0]


class Custom(layers.Layer):
    def call(self, x: Any) -> Any:
        return x


@keras.saving.register_keras_serializable("mine")
class Dense(layers.Dense):
    pass


def lambda_layer() -> keras.Model:
    return keras.Sequential([keras.Input((3,)), layers.Lambda(lambda x: x * 2, name="twice")])


def custom_layer() -> keras.Model:
    return keras.Sequential([keras.Input((3,)), Custom(name="own")])


def disguised_layer() -> keras.Model:
    return keras.Sequential([keras.Input((3,)), Dense(2, name="disguised")])


def unlisted_layer() -> keras.Model:
    return keras.Sequential([keras.Input((3,)), layers.RandomRotation(0.1, name="turned")])


def operation() -> keras.Model:
    entry = keras.Input((3,), name="entry")
    return keras.Model(entry, keras.ops.sin(entry))


def inner_model() -> keras.Model:
    return keras.Sequential([keras.Input((3,)), keras.Sequential([layers.Dense(2)], name="inner")])


@pytest.mark.parametrize(
    ("make", "kind", "name"),
    [
        (lambda_layer, "Lambda", "twice"),
        (custom_layer, "Custom", "own"),
        (disguised_layer, "Dense", "disguised"),
        (unlisted_layer, "RandomRotation", "turned"),
        (operation, "Sin", "sin"),
        (inner_model, "Sequential", "inner"),
    ],
)
def test_what_is_not_in_the_language_is_refused_with_name_and_place(
    make: Callable[[], keras.Model], kind: str, name: str
) -> None:
    pointer, message = problem(json.loads(make().to_json()))
    assert pointer == "/model/keras/config/layers/1"
    assert f'"{kind}"' in message
    assert name in message


def changed(make: Callable[[], keras.Model], layer: int, **config: Any) -> dict[str, Any]:
    document = json.loads(make().to_json())
    document["config"]["layers"][layer]["config"].update(config)
    return document


def code(text: str) -> dict[str, Any]:
    """What Keras prints for a Python function: the way in for code of others."""
    return {"module": "builtins", "class_name": "function", "config": text, "registered_name": "function"}


LAMBDA = {"class_name": "__lambda__", "config": {"value": ["4wEAAAA=", None, None]}}
"""What Keras prints for a lambda: marshalled bytecode."""


@pytest.mark.parametrize(
    ("document", "pointer"),
    [
        ({}, "/class_name"),
        ({"class_name": "Functional", "config": {}}, "/config/layers"),
        ({"class_name": "Sequential", "config": {"layers": []}}, "/config/layers"),
        ({"class_name": "Sequential", "config": {"layers": [3]}}, "/config/layers/0"),
        (
            {"class_name": "Sequential", "config": {"layers": [{"class_name": 3}]}},
            "/config/layers/0/class_name",
        ),
        ({"class_name": "MyModel", "module": "os", "config": {}}, "/class_name"),
        ("[]", ""),
        ("{", ""),
        (changed(chain, 1, units=-1), "/config/layers/1/config/units"),
        (changed(chain, 1, units="many"), "/config/layers/1/config/units"),
        (changed(chain, 1, unit=3), "/config/layers/1/config/unit"),
        (changed(chain, 1, dtype="float16"), "/config/layers/1/config/dtype"),
        (changed(chain, 1, lora_rank=4), "/config/layers/1/config/lora_rank"),
        (changed(chain, 1, name="a/b"), "/config/layers/1/config/name"),
        (changed(chain, 1, activation="exec"), "/config/layers/1/config/activation"),
        (changed(chain, 1, activation=code("print")), "/config/layers/1/config/activation"),
        (changed(chain, 1, kernel_initializer=code("print")), "/config/layers/1/config/kernel_initializer"),
        (
            changed(
                chain,
                1,
                kernel_initializer={"module": "keras.initializers", "class_name": "Own", "config": {}},
            ),
            "/config/layers/1/config/kernel_initializer",
        ),
        (changed(chain, 1, activation=LAMBDA), "/config/layers/1/config/activation"),
        (changed(chain, 1, kernel_initializer=LAMBDA), "/config/layers/1/config/kernel_initializer"),
        (changed(chain, 1, kernel_regularizer=LAMBDA), "/config/layers/1/config/kernel_regularizer"),
        (changed(chain, 1, units=LAMBDA), "/config/layers/1/config/units"),
        (changed(chain, 0, batch_shape=[5, 3]), "/config/layers/0/config/batch_shape"),
        (changed(chain, 0, dtype="string"), "/config/layers/0/config/dtype"),
        (changed(masked_sequences, 3, return_state=True), "/config/layers/3/config/return_state"),
    ],
)
def test_mistakes_have_their_place(document: Any, pointer: str) -> None:
    place, message = problem(document)
    assert place == f"/model/keras{pointer}"
    assert message.startswith("Expected ")
    assert "; received " in message


def test_a_layer_that_is_used_twice_is_refused() -> None:
    entry, dense = keras.Input((3,)), layers.Dense(3)
    document = json.loads(keras.Model(entry, dense(dense(entry))).to_json())
    assert problem(document) == (
        "/model/keras/config/layers/1/inbound_nodes",
        "Expected a layer that is used once, as weights aren't shared; received 2 uses.",
    )


def test_a_mask_that_no_embedding_makes_is_refused() -> None:
    entry = keras.Input((4, 3))
    mask = keras.ops.not_equal(entry[:, :, 0], 0)
    document = json.loads(keras.Model(entry, layers.LSTM(2)(entry, mask=mask)).to_json())
    assert problem(document)[0].startswith("/model/keras/config/layers/1")


def test_a_backward_layer_of_its_own_is_refused() -> None:
    both = layers.Bidirectional(layers.LSTM(3), backward_layer=layers.GRU(3, go_backwards=True))
    document = json.loads(keras.Sequential([keras.Input((4, 3)), both]).to_json())
    assert problem(document)[0] == "/model/keras/config/layers/1/config/backward_layer"


def test_nesting_has_an_end() -> None:
    deep: Any = {}
    for _ in range(500):
        deep = {"layer": deep}
    with pytest.raises(ValueError, match="levels of nesting"):
        ModelSpec.model_validate({"keras": {"class_name": "Sequential", "config": deep}})
    text = '{"class_name": "Sequential", "config": ' + '{"layer": ' * 500 + "{}" + "}" * 501
    assert problem(text) == ("/model/keras", "Expected at most 64 levels of nesting; received more.")


def test_data_of_another_shape_is_refused() -> None:
    pointer, message = problem(json.loads(chain().to_json()), {"x": (4,)})
    assert pointer == "/model/keras/config/layers/0/config/batch_shape"
    assert message == "Expected [4], the shape of the data; received [3]."
