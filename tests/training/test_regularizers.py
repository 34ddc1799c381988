"""Regularizers against Keras's own, and against NumPy where Keras has none."""

from dataclasses import replace

import keras
import numpy as np
import pytest
import tensorflow as tf

from app.spec.graph import Graph
from app.spec.model import ModelSpec, resolve_graph
from app.spec.parsing import parse
from app.training.build import build_model, tapped_model
from app.training.proximal import proximal_thresholds
from app.training.regularizers import build_regularizer_terms
from app.training.terms import Batch, Term

RNG = np.random.default_rng(4)


class Built:
    """A model of one layer, its regularizer terms, and a batch that went through it."""

    def __init__(self, layer: dict, shape: tuple[int, ...], *, integers: bool = False) -> None:
        document = {"layers": [layer]}
        self.graph: Graph = resolve_graph(parse(ModelSpec, document), {"x": shape})
        self.model: keras.Model = build_model(self.graph, seed=1)
        self.terms: list[Term] = build_regularizer_terms(self.graph, self.model)
        tapped = tapped_model(self.model, list(dict.fromkeys(name for t in self.terms for name in t.layers)))
        # Weights that start as all zeros or ones would hide a wrong formula.
        for variable in self.model.trainable_variables:
            variable.assign(RNG.normal(size=variable.shape))
        x = RNG.integers(0, 5, (7, *shape)) if integers else RNG.normal(size=(7, *shape))
        self.x = tf.constant(x, tf.float32)
        tapped_outputs = tapped(self.x)
        self.batch = Batch(
            y_true={},
            y_pred=tapped_outputs["outputs"],
            activations=tapped_outputs["activations"],
            weights={v.path: v.value for v in self.model.trainable_variables},
            sample_weight=None,
            columns={},
            seed=tf.constant([0, 0]),
        )

    @property
    def parts(self) -> dict[str, float]:
        """Strength · value by name."""
        return {term.name: term.strength * float(term.value(self.batch)) for term in self.terms}


L1 = {"l1": 0.03}
BOTH = {"l1": 0.02, "l2": 0.05}
ORTHOGONAL = {"type": "orthogonal", "factor": 0.4}
COLUMNS = {"type": "orthogonal", "factor": 0.4, "mode": "columns"}

LAYERS = {
    "Dense": ({"type": "Dense", "units": 3, "kernel_regularizer": BOTH, "bias_regularizer": "l2",
               "activity_regularizer": BOTH}, (4,)),
    "Dense, orthogonal": ({"type": "Dense", "units": 3, "kernel_regularizer": ORTHOGONAL,
                           "activity_regularizer": COLUMNS}, (4,)),
    "Dense, orthogonal columns": ({"type": "Dense", "units": 3, "kernel_regularizer": COLUMNS,
                                   "activity_regularizer": ORTHOGONAL}, (4,)),
    "Dense without bias": ({"type": "Dense", "units": 3, "use_bias": False, "bias_regularizer": BOTH,
                            "kernel_regularizer": "l1_l2"}, (4,)),
    "Conv2D": ({"type": "Conv2D", "filters": 3, "kernel_size": 2, "kernel_regularizer": BOTH,
                "bias_regularizer": L1, "activity_regularizer": BOTH}, (5, 4, 2)),
    "DepthwiseConv2D": ({"type": "DepthwiseConv2D", "kernel_size": 2, "depthwise_regularizer": BOTH,
                         "bias_regularizer": L1}, (5, 4, 2)),
    "SeparableConv2D": ({"type": "SeparableConv2D", "filters": 3, "kernel_size": 2,
                         "depthwise_regularizer": BOTH, "pointwise_regularizer": L1}, (5, 4, 2)),
    "LSTM": ({"type": "LSTM", "units": 3, "kernel_regularizer": BOTH, "recurrent_regularizer": L1,
              "bias_regularizer": BOTH, "activity_regularizer": L1}, (4, 2)),
    "GRU, orthogonal": ({"type": "GRU", "units": 3, "kernel_regularizer": ORTHOGONAL,
                         "recurrent_regularizer": COLUMNS, "return_sequences": True}, (4, 2)),
    "BatchNormalization": ({"type": "BatchNormalization", "beta_regularizer": BOTH,
                            "gamma_regularizer": L1}, (4,)),
    "PReLU": ({"type": "PReLU", "alpha_regularizer": BOTH}, (4,)),
    "ActivityRegularization": ({"type": "ActivityRegularization", **BOTH}, (4, 2)),
    "Bidirectional": ({"type": "Bidirectional", "layer": {"type": "LSTM", "units": 2,
                       "kernel_regularizer": BOTH, "recurrent_regularizer": L1}}, (4, 2)),
    "TimeDistributed": ({"type": "TimeDistributed", "layer": {"type": "Dense", "units": 2,
                         "kernel_regularizer": BOTH}}, (4, 2)),
}  # fmt: skip


@pytest.mark.parametrize("kind", LAYERS)
def test_the_terms_add_up_to_keras_losses(kind):
    built = Built(*LAYERS[kind])
    built.model(built.x)
    assert built.terms
    assert sum(built.parts.values()) == pytest.approx(float(sum(built.model.losses)), rel=1e-5)


def test_an_embedding_is_regularized():
    layer = {"type": "Embedding", "input_dim": 5, "output_dim": 3, "embeddings_regularizer": BOTH}
    built = Built(layer, (4,), integers=True)
    built.model(built.x)
    assert list(built.parts) == ["embedding_embeddings_l1", "embedding_embeddings_l2"]
    assert sum(built.parts.values()) == pytest.approx(float(sum(built.model.losses)), rel=1e-5)


def test_terms_are_named_by_layer_part_and_norm():
    layer = {**LAYERS["Dense"][0], "name": "first"}
    built = Built(layer, (4,))
    assert list(built.parts) == [
        "first_activity_l1",
        "first_activity_l2",
        "first_kernel_l1",
        "first_kernel_l2",
        "first_bias_l2",
    ]
    assert {term.pointer for term in built.terms} == {
        "/model/layers/0/activity_regularizer",
        "/model/layers/0/kernel_regularizer",
        "/model/layers/0/bias_regularizer",
    }


def test_the_recurrent_kernel_is_not_the_kernel():
    layer = {"type": "LSTM", "units": 3, "recurrent_regularizer": {"l2": 1.0}}
    built = Built(layer, (4, 2))
    weights = built.batch.weights["lstm/lstm_cell/recurrent_kernel"]
    assert built.parts == {"lstm_recurrent_l2": pytest.approx(np.sum(np.square(weights)), rel=1e-5)}


def test_a_strength_of_zero_is_no_term():
    assert Built({"type": "Dense", "units": 2, "kernel_regularizer": {"l1": 0}}, (3,)).terms == []


@pytest.mark.parametrize(
    "layer",
    [
        {"type": "Dense", "units": 3, "activity_regularizer": {**BOTH, "reduction": "sum"}},
        {"type": "ActivityRegularization", **BOTH, "reduction": "sum"},
    ],
)
def test_sum_is_that_over_the_batch_and_grows_with_it(layer):
    built = Built(layer, (4,))
    (activity,) = built.batch.activations.values()
    expected = BOTH["l1"] * np.abs(activity).sum() + BOTH["l2"] * np.square(activity).sum()
    assert sum(built.parts.values()) == pytest.approx(expected, rel=1e-5)
    assert all(term.extensive for term in built.terms)


def test_per_sample_does_not_grow_with_the_batch():
    built = Built({"type": "Dense", "units": 3, "activity_regularizer": BOTH}, (4,))
    assert not any(term.extensive for term in built.terms)


def test_orthogonality_of_a_convolution_is_that_of_its_flattened_kernel():
    layer = {"type": "Conv2D", "filters": 3, "kernel_size": 2, "kernel_regularizer": COLUMNS}
    built = Built(layer, (5, 4, 2))
    kernel = np.reshape(built.batch.weights["conv2d/kernel"], (-1, 3))
    unit = kernel / np.linalg.norm(kernel, axis=0)
    cosines = np.abs(unit.T @ unit)[~np.eye(3, dtype=bool)]
    assert built.parts == {"conv2d_kernel_orthogonal": pytest.approx(0.4 * cosines.mean(), rel=1e-5)}


def test_a_single_vector_is_orthogonal():
    layer = {"type": "Dense", "units": 1, "kernel_regularizer": COLUMNS}
    assert Built(layer, (4,)).parts == {"dense_kernel_orthogonal": 0.0}


PROXIMAL = {"type": "Dense", "units": 3, "kernel_regularizer": {"l1": 0.3, "l2": 0.1, "proximal": True}}


class TestProximal:
    """A proximal l1 is recorded without gradient; the soft threshold stands for it."""

    def test_the_value_is_recorded(self):
        built = Built(PROXIMAL, (4,))
        kernel = built.batch.weights["dense/kernel"]
        assert built.parts["dense_kernel_l1"] == pytest.approx(0.3 * np.abs(kernel).sum(), rel=1e-5)

    def test_only_l2_has_a_gradient(self):
        built = Built(PROXIMAL, (4,))
        kernel = built.batch.weights["dense/kernel"]
        with tf.GradientTape() as tape:
            tape.watch(kernel)
            total = tf.add_n([term.strength * term.value(built.batch) for term in built.terms])
        np.testing.assert_allclose(tape.gradient(total, kernel), 0.2 * kernel, rtol=1e-5)

    def test_the_threshold_is_that_of_the_kernel(self):
        built = Built(PROXIMAL, (4,))
        assert proximal_thresholds(built.graph, built.model) == {"dense/kernel": 0.3}

    def test_other_regularizers_have_none(self):
        built = Built(LAYERS["Dense"][0], (4,))
        assert proximal_thresholds(built.graph, built.model) == {}


@pytest.mark.parametrize("kind", ["Dense", "Dense, orthogonal", "LSTM"])
def test_gradients_are_keras_and_the_same_with_xla(kind):
    built = Built(*LAYERS[kind])
    variables = built.model.trainable_variables
    with tf.GradientTape() as tape:
        built.model(built.x)
        losses = tf.add_n(built.model.losses)
    expected = tape.gradient(losses, [v.value for v in variables])
    tapped = tapped_model(built.model, list(dict.fromkeys(n for t in built.terms for n in t.layers)))

    def gradients(*weights: tf.Tensor) -> list[tf.Tensor]:
        with tf.GradientTape() as tape:
            tape.watch(weights)
            fixed = [v.value for v in tapped.non_trainable_variables]
            outputs, _ = tapped.stateless_call(list(weights), fixed, built.x)
            by_path = {v.path: w for v, w in zip(variables, weights, strict=True)}
            batch = replace(built.batch, activations=outputs["activations"], weights=by_path)
            total = tf.add_n([term.strength * term.value(batch) for term in built.terms])
        return tape.gradient(total, weights, unconnected_gradients=tf.UnconnectedGradients.ZERO)

    for jit in (False, True):
        compiled = tf.function(gradients, jit_compile=jit, autograph=False)
        for actual, keras_gradient in zip(compiled(*[v.value for v in variables]), expected, strict=True):
            np.testing.assert_allclose(actual, keras_gradient, rtol=1e-4, atol=1e-5)
