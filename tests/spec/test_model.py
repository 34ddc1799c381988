"""Names, order, shapes and mistakes of models, as the document alone shows them."""

from typing import Any

import pytest

from app.errors import InvalidDocument
from app.spec.model import Graph, ModelSpec, resolve_graph
from app.spec.parsing import parse

Shapes = dict[str, tuple[int, ...]]


def resolved(layers: list[dict[str, Any]], shapes: Shapes | None = None, outputs: Any = None) -> Graph:
    document = {"layers": layers} | ({} if outputs is None else {"outputs": outputs})
    return resolve_graph(parse(ModelSpec, document, "/model"), {"x": (4,)} if shapes is None else shapes)


def dense(units: int = 2, **settings: Any) -> dict[str, Any]:
    return {"type": "Dense", "units": units, **settings}


def test_a_chain_takes_the_shape_of_the_data() -> None:
    graph = resolved([dense(500), {"type": "Activation", "activation": "relu"}, dense(1)])
    assert [(node.name, node.shape, node.parameter_count) for node in graph.nodes] == [
        ("input_layer", (4,), 0),
        ("dense", (500,), 2500),
        ("activation", (500,), 0),
        ("dense_1", (1,), 501),
    ]
    assert graph.inputs == {"input_layer": (4,)}
    assert graph.outputs == {"dense_1": "dense_1"}
    assert graph.output_shapes == {"dense_1": (1,)}
    assert graph.parameter_count == 3001


def test_the_only_input_is_called_as_in_the_data() -> None:
    assert resolved([dense()], {"image": (4,)}).inputs == {"image": (4,)}
    assert resolved([dense()], {"not a layer's name": (4,)}).inputs == {"input_layer": (4,)}


def test_layers_without_a_name_skip_the_names_of_others() -> None:
    graph = resolved([dense(name="dense_1"), dense(), dense(), dense()])
    assert [node.name for node in graph.nodes] == ["input_layer", "dense_1", "dense", "dense_2", "dense_3"]


def test_pointers_lead_to_the_layers_of_the_document() -> None:
    graph = resolved([dense(), dense(name="out")])
    assert [node.pointer for node in graph.nodes[1:]] == ["/model/layers/0", "/model/layers/1"]


def test_a_graph_may_name_layers_before_it_lists_them() -> None:
    graph = resolved(
        [
            {"type": "Input", "name": "a"},
            {"type": "Add", "name": "sum", "inputs": ["late", "a"]},
            dense(4, name="late", inputs="a"),
            dense(1, inputs="sum"),
        ],
    )
    assert [node.name for node in graph.nodes] == ["a", "late", "sum", "dense"]
    assert graph.nodes[2].inputs == ("late", "a")
    assert graph.nodes[2].input_shapes == ((4,), (4,))


def test_several_inputs_and_named_outputs() -> None:
    layers = [
        {"type": "Input", "name": "first"},
        {"type": "Input", "name": "second", "shape": [3]},
        {"type": "Concatenate", "inputs": ["first", "second"]},
        dense(2, name="class_layer"),
        dense(4, name="box", inputs="concatenate"),
    ]
    graph = resolved(layers, {"first": (4,), "second": (3,)}, {"class": "class_layer", "box": "box"})
    assert graph.inputs == {"first": (4,), "second": (3,)}
    assert graph.output_shapes == {"class": (2,), "box": (4,)}
    assert resolved(layers, {"first": (4,), "second": (3,)}, ["class_layer", "box"]).outputs == {
        "class_layer": "class_layer",
        "box": "box",
    }


def test_lengths_may_be_left_to_the_data() -> None:
    graph = resolved(
        [
            {"type": "Input", "shape": [None, 3]},
            {"type": "Conv1D", "filters": 5, "kernel_size": 3},
            {"type": "UpSampling1D"},
            {"type": "LSTM", "units": 2},
        ],
        {"x": (7, 3)},
    )
    assert [node.shape for node in graph.nodes] == [(None, 3), (None, 5), (None, 5), (2,)]


def test_shapes_are_enough_without_data() -> None:
    assert resolved([{"type": "Input", "shape": [3]}, dense()], {}).output_shapes == {"dense": (2,)}


def test_an_unset_field_has_its_default_in_the_document() -> None:
    model = ModelSpec.model_validate({"layers": [dense(inputs="a")]}).document()
    assert model["layers"][0]["kernel_initializer"] == "glorot_uniform"
    assert model["layers"][0]["inputs"] == ["a"]
    assert parse(ModelSpec, model).document() == model


def conv(**settings: Any) -> dict[str, Any]:
    return {"type": "Conv2D", "filters": 2, "kernel_size": 3, **settings}


def attention(**settings: Any) -> dict[str, Any]:
    return {"type": "MultiHeadAttention", "num_heads": 2, "key_dim": 2, **settings}


TWO_INPUTS = [{"type": "Input", "name": "a"}, {"type": "Input", "name": "b"}]
IMAGE = {"x": (8, 8, 3)}


# Layers with the data's shapes, the pointer below /model, and a part of the message.
MISTAKES: list[tuple[list[dict[str, Any]], Shapes, str, str]] = [
    ([dense(-1)], {"x": (4,)}, "/layers/0/units", "received -1"),
    ([dense(2.5)], {"x": (4,)}, "/layers/0/units", "received 2.5"),
    ([dense(True)], {"x": (4,)}, "/layers/0/units", "received true"),
    ([dense("2")], {"x": (4,)}, "/layers/0/units", 'received "2"'),
    ([{"type": "Dense"}], {"x": (4,)}, "/layers/0/units", "required"),
    ([dense(unit=3)], {"x": (4,)}, "/layers/0/unit", "units"),
    ([{"type": "Dens", "units": 2}], {"x": (4,)}, "/layers/0/type", 'Did you mean "Dense"?'),
    ([{"units": 2}], {"x": (4,)}, "/layers/0/type", "required"),
    ([], {"x": (4,)}, "/layers", "at least 1"),
    ([dense(activation="rellu")], {"x": (4,)}, "/layers/0/activation", 'Did you mean "relu"?'),
    ([dense(kernel_initializer="he")], {"x": (4,)}, "/layers/0/kernel_initializer", '"he_normal"'),
    (
        [dense(kernel_initializer={"type": "Zero"})],
        {"x": (4,)},
        "/layers/0/kernel_initializer/type",
        '"zero"',
    ),
    (
        [dense(kernel_initializer={"type": "RandomUniform", "minval": 1.0, "maxval": 0.0})],
        {"x": (4,)},
        "/layers/0/kernel_initializer/maxval",
        ">= minval, 1.0; received 0.0",
    ),
    ([dense(kernel_constraint="max")], {"x": (4,)}, "/layers/0/kernel_constraint", '"max_norm"'),
    (
        [dense(kernel_constraint={"type": "min_max_norm", "min_value": 2})],
        {"x": (4,)},
        "/layers/0/kernel_constraint/max_value",
        ">= min_value, 2.0; received 1.0",
    ),
    ([dense(name="a/b")], {"x": (4,)}, "/layers/0/name", 'received "a/b"'),
    ([dense(name="../x")], {"x": (4,)}, "/layers/0/name", 'received "../x"'),
    ([dense(name="a.b")], {"x": (4,)}, "/layers/0/name", 'received "a.b"'),
    ([dense(name="")], {"x": (4,)}, "/layers/0/name", 'received ""'),
    ([dense(name="d"), dense(name="d")], {"x": (4,)}, "/layers/1/name", "no other layer"),
    ([dense()], {"x": ()}, "/layers/0", "at least one axis"),
    ([{"type": "Dropout", "rate": 1.5}], {"x": (4,)}, "/layers/0/rate", "received 1.5"),
    (
        [{"type": "Dropout", "rate": 0.5, "noise_shape": [None, 3]}],
        {"x": (4,)},
        "/layers/0/noise_shape",
        "Expected [null, 4], with 1 or null in any place; received [null, 3]",
    ),
    ([dense(), conv()], {"x": (4,)}, "/layers/1", "3 axes besides the samples; received shape [2]"),
    ([conv(kernel_size=9)], IMAGE, "/layers/0/kernel_size", "at most 8"),
    ([conv(kernel_size=5, dilation_rate=2)], IMAGE, "/layers/0/kernel_size", "received one of 9"),
    ([conv(kernel_size=[3, 3, 3])], IMAGE, "/layers/0/kernel_size", "at most 2"),
    ([conv(kernel_size=0)], IMAGE, "/layers/0/kernel_size", "received 0"),
    ([conv(strides=2, dilation_rate=2)], IMAGE, "/layers/0/dilation_rate", "strides are greater than 1"),
    ([conv(strides=[1, 2], dilation_rate=[1, 2])], IMAGE, "/layers/0/dilation_rate", "strides"),
    ([conv(groups=2)], IMAGE, "/layers/0/groups", "divisor of both filters, 2, and the input's channels, 3"),
    ([conv(padding="causal")], IMAGE, "/layers/0/padding", '"valid", "same"'),
    ([conv(data_format="channels_first")], IMAGE, "/layers/0/data_format", '"channels_last"'),
    (
        [{"type": "DepthwiseConv2D", "kernel_size": 3, "strides": [1, 2]}],
        IMAGE,
        "/layers/0/strides",
        "same stride",
    ),
    (
        [{"type": "Conv2DTranspose", "filters": 2, "kernel_size": 3, "output_padding": 1}],
        IMAGE,
        "/layers/0/output_padding",
        "less than the strides, 1",
    ),
    ([{"type": "MaxPooling2D", "pool_size": 9}], IMAGE, "/layers/0/pool_size", "received one of 9"),
    ([{"type": "GlobalMaxPooling1D"}], IMAGE, "/layers/0", "2 axes"),
    (
        [{"type": "Reshape", "target_shape": [3, 2]}],
        {"x": (4,)},
        "/layers/0/target_shape",
        "4 elements, as the input's [4], with -1 at most once; received [3, 2]",
    ),
    ([{"type": "Reshape", "target_shape": [3, -1]}], {"x": (4,)}, "/layers/0/target_shape", "4 elements"),
    ([{"type": "Reshape", "target_shape": [-1, -1]}], {"x": (4,)}, "/layers/0/target_shape", "at most once"),
    ([{"type": "Reshape", "target_shape": [0]}], {"x": (4,)}, "/layers/0/target_shape/0", "received 0"),
    ([{"type": "Permute", "dims": [1, 3]}], {"x": (4, 2)}, "/layers/0/dims", "from 1 to 2"),
    ([{"type": "RepeatVector", "n": 2}], {"x": (4, 2)}, "/layers/0", "1 axis"),
    ([{"type": "Cropping1D", "cropping": [2, 3]}], {"x": (5, 2)}, "/layers/0/cropping", "received 5"),
    ([{"type": "ZeroPadding2D", "padding": [[1, 2, 3], 1]}], IMAGE, "/layers/0/padding/0", "at most 2"),
    ([{"type": "BatchNormalization", "axis": 2}], {"x": (4,)}, "/layers/0/axis", "from 1 to 1"),
    ([{"type": "LayerNormalization", "axis": [1, -1]}], {"x": (4,)}, "/layers/0/axis", "different axes"),
    ([{"type": "GroupNormalization", "groups": 3}], {"x": (4,)}, "/layers/0/groups", "divisor"),
    ([{"type": "Softmax", "axis": 0}], {"x": (4,)}, "/layers/0/axis", "besides the samples; received 0"),
    ([{"type": "PReLU", "shared_axes": [2]}], {"x": (4,)}, "/layers/0/shared_axes", "from 1 to 1"),
    ([{"type": "LeakyReLU", "negative_slope": -1}], {"x": (4,)}, "/layers/0/negative_slope", "received -1"),
    ([{"type": "LSTM", "units": 2}], {"x": (4,)}, "/layers/0", "2 axes"),
    (
        [{"type": "LSTM", "units": 2, "return_state": True}],
        {"x": (4, 3)},
        "/layers/0/return_state",
        "one output",
    ),
    ([{"type": "GRU", "units": 2, "unroll": True}], {"x": (5000, 3)}, "/layers/0/unroll", "at most 200"),
    (
        [{"type": "Bidirectional", "layer": dense()}],
        {"x": (4, 3)},
        "/layers/0/layer/type",
        '"LSTM"',
    ),
    (
        [{"type": "Bidirectional", "layer": {"type": "LSTM", "units": 0}}],
        {"x": (4, 3)},
        "/layers/0/layer/units",
        "received 0",
    ),
    (
        [{"type": "Bidirectional", "layer": {"type": "LSTM", "units": 2, "go_backwards": True}}],
        {"x": (4, 3)},
        "/layers/0/layer/go_backwards",
        "received true",
    ),
    (
        [{"type": "Bidirectional", "layer": {"type": "LSTM", "units": 2, "activity_regularizer": "l1"}}],
        {"x": (4, 3)},
        "/layers/0/layer/activity_regularizer",
        "on the layer that holds",
    ),
    ([{"type": "TimeDistributed", "layer": conv(inputs="a")}], IMAGE, "/layers/0/layer/inputs", "no inputs"),
    (
        [{"type": "TimeDistributed", "layer": conv(kernel_size=9)}],
        {"x": (2, 8, 8, 3)},
        "/layers/0/layer/kernel_size",
        "at most 8",
    ),
    ([{"type": "TimeDistributed", "layer": dense()}], {"x": (4,)}, "/layers/0", "at least 2 axes"),
    ([{"type": "TimeDistributed", "layer": dense()}], {"x": (5000, 4)}, "/layers/0", "at most 200 steps"),
    (
        [{"type": "TimeDistributed", "layer": {"type": "GRU", "units": 2, "unroll": True}}],
        {"x": (2, 3, 4)},
        "/layers/0/layer/unroll",
        "each step",
    ),
    (
        [{"type": "TimeDistributed", "layer": {"type": "TimeDistributed", "layer": dense()}}],
        {"x": (2, 2, 4)},
        "/layers/0/layer/type",
        "TimeDistributed",
    ),
    (
        [*TWO_INPUTS, {"type": "Add", "inputs": ["a", "b"]}],
        {"a": (3,), "b": (4,)},
        "/layers/2/inputs",
        "received [3] and [4]",
    ),
    ([{"type": "Add"}], {"x": (4,)}, "/layers/0/inputs", "at least 2 inputs of Add; received 1"),
    (
        [*TWO_INPUTS, {"type": "Subtract", "inputs": ["a", "b", "a"]}],
        {"a": (3,), "b": (3,)},
        "/layers/2/inputs",
        "2 inputs of Subtract; received 3",
    ),
    (
        [*TWO_INPUTS, {"type": "Concatenate", "axis": 1, "inputs": ["a", "b"]}],
        {"a": (3, 2), "b": (3, 4)},
        "/layers/2/inputs",
        "but for axis 1; received [3, 2], [3, 4]",
    ),
    (
        [*TWO_INPUTS, {"type": "Concatenate", "axis": 3, "inputs": ["a", "b"]}],
        {"a": (3, 2), "b": (3, 2)},
        "/layers/2/axis",
        "from 1 to 2",
    ),
    (
        [*TWO_INPUTS, {"type": "Dot", "axes": 1, "inputs": ["a", "b"]}],
        {"a": (3,), "b": (4,)},
        "/layers/2/axes",
        "received [3, 4]",
    ),
    (
        [*TWO_INPUTS, attention(inputs=["a", "b"])],
        {"a": (3, 2), "b": (4,)},
        "/layers/2/inputs",
        "same number of axes",
    ),
    (
        [*TWO_INPUTS, attention(inputs=["a", "b", "a"])],
        {"a": (3, 2), "b": (4, 2)},
        "/layers/2/inputs/2",
        "value's shape",
    ),
    (
        [*TWO_INPUTS, attention(inputs=["a", "b"], attention_axes=2)],
        {"a": (3, 5, 2), "b": (4, 5, 2)},
        "/layers/2/inputs",
        "equal lengths",
    ),
    (
        [*TWO_INPUTS, attention(inputs=["a", "b"])],
        {"a": (9000, 2), "b": (9000, 2)},
        "/layers/2",
        "attention scores",
    ),
    ([{"type": "Bounded", "lower": 1.0, "upper": 1.0}], {"x": (4,)}, "/layers/0/upper", "> lower, 1.0"),
    ([{"type": "Bounded", "lower": 1.0, "upper": 1.0000001}], {"x": (4,)}, "/layers/0/upper", "float32"),
    ([{"type": "TopK", "k": 5, "threshold": 0.5}], {"x": (4,)}, "/layers/0/k", "at most 4"),
    ([{"type": "TopK", "k": -1, "threshold": 0.5}], {"x": (4,)}, "/layers/0/k", "received -1"),
    ([{"type": "Simplex"}], {"x": ()}, "/layers/0", "at least one axis"),
    ([{"type": "Input"}, dense(inputs="denze")], {"x": (4,)}, "/layers/1/inputs/0", 'Did you mean "dense"?'),
    ([{"type": "Input", "inputs": "dense"}, dense()], {"x": (4,)}, "/layers/0/inputs", "0 inputs of Input"),
    (
        [{"type": "Input"}, dense(name="a", inputs="b"), dense(name="b", inputs="a")],
        {"x": (4,)},
        "/layers/1/inputs",
        "a cycle",
    ),
    ([{"type": "Input"}, dense(inputs="dense")], {"x": (4,)}, "/layers/1/inputs", "a cycle"),
    (
        [{"type": "Input", "name": "a"}, dense(name="unused"), dense(inputs="a")],
        {"x": (4,)},
        "/layers/1",
        "received unused, which is neither",
    ),
    ([{"type": "Input", "shape": [3]}, dense()], {"x": (4,)}, "/layers/0/shape", "Expected [4]"),
    ([{"type": "Input"}, dense()], {}, "/layers/0/shape", "no data"),
    ([dense()], {"a": (4,), "b": (4,)}, "/layers/0", "each input of the data (a, b)"),
    ([{"type": "Input", "name": "a"}, dense()], {"a": (4,), "b": (4,)}, "/layers/0", "received a"),
    (
        [*TWO_INPUTS, {"type": "Add", "inputs": ["a", "b"]}],
        {"a": (4,), "c": (4,)},
        "/layers/1/name",
        'received "b"',
    ),
    (
        [{"type": "Input", "shape": [None, 4]}, {"type": "Flatten"}, dense()],
        {"x": (3, 4)},
        "/layers/2",
        "null",
    ),
    ([dense(1_000_000), dense(1_000_000)], {"x": (4,)}, "/layers/1", "at most 100000000 weights"),
    ([dense(2_000_000)], {"x": (4,)}, "/layers/0/units", "<= 1000000"),
    ([{"type": "RepeatVector", "n": 1_000_000}], {"x": (100,)}, "/layers/0", "67108864 elements"),
    (
        [{"type": "Embedding", "input_dim": 1_000_000, "output_dim": 1_000_000}],
        {"x": (1,)},
        "/layers/0",
        "weights",
    ),
]


@pytest.mark.parametrize(
    ("layers", "shapes", "pointer", "message"), MISTAKES, ids=[f"{m[2]}-{n}" for n, m in enumerate(MISTAKES)]
)
def test_a_mistake_has_its_place_and_a_sentence(
    layers: list[dict[str, Any]], shapes: Shapes, pointer: str, message: str
) -> None:
    with pytest.raises(InvalidDocument) as caught:
        resolved(layers, shapes)
    problem = caught.value.problems[0]
    assert problem.pointer == f"/model{pointer}"
    assert message in problem.message
    assert problem.message.startswith("Expected ")
    assert "; received " in problem.message


@pytest.mark.parametrize(
    ("outputs", "pointer"),
    [("denze", "/model/outputs/denze"), ({"class": "b"}, "/model/outputs/class"), ([], "/model/outputs")],
)
def test_outputs_are_layers(outputs: Any, pointer: str) -> None:
    with pytest.raises(InvalidDocument) as caught:
        resolved([dense()], outputs=outputs)
    assert caught.value.problems[0].pointer == pointer


@pytest.mark.parametrize("document", [{}, {"layers": [dense()], "keras": {}}, {"keras": {}, "outputs": "a"}])
def test_a_model_is_either_layers_or_keras(document: dict[str, Any]) -> None:
    with pytest.raises(InvalidDocument, match="Expected"):
        parse(ModelSpec, document)
