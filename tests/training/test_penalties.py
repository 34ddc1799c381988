"""Each penalty against an independent NumPy formula, its gradient against finite differences."""

import numpy as np
import pytest
import tensorflow as tf

from app.spec.base import SpecModel
from app.spec.graph import Graph
from app.spec.model import ModelSpec, resolve_graph
from app.spec.parsing import parse
from app.spec.penalties import Penalty
from app.training.penalties import build_penalty_terms
from app.training.terms import Batch, Term


class Penalties(SpecModel):
    penalties: list[Penalty]


BATCH, ELEMENTS = 5, 6
RNG = np.random.default_rng(3)
Y = RNG.uniform(0.05, 0.95, (BATCH, ELEMENTS))
COLUMN = RNG.uniform(0.2, 0.8, BATCH)
COLUMN_OF_ELEMENTS = RNG.uniform(0.2, 0.8, (BATCH, ELEMENTS))
LIST = [0.2, 0.3, 0.4, 0.5, 0.6, 0.7]

THRESHOLDS = {
    "number": (0.45, 0.45),
    "list": (LIST, np.array(LIST)),
    "column": ({"column": "limit"}, COLUMN[:, None]),
    "column of elements": ({"column": "limits"}, COLUMN_OF_ELEMENTS),
    "quantile": ({"quantile": 0.7}, np.quantile(Y, 0.7, axis=1)[:, None]),
    "mean plus std": ({"mean_plus_std": 0.5}, (Y.mean(axis=1) + 0.5 * Y.std(axis=1))[:, None]),
}
REDUCTIONS = {
    "sum": lambda values: values.sum(),
    "mean": lambda values: values.mean(),
    "per_sample": lambda values: values.sum(axis=1).mean(),
}


@pytest.fixture(scope="module")
def graph() -> Graph:
    layers = [{"type": "Dense", "units": 4}, {"type": "Dense", "units": ELEMENTS}]
    return resolve_graph(parse(ModelSpec, {"layers": layers}), {"x": (3,)})


def term_of(penalty: dict, graph: Graph) -> Term:
    (term,) = build_penalty_terms(parse(Penalties, {"penalties": [penalty]}).penalties, graph)
    return term


def batch_of(y_pred, *, y_true=None, activations=None, weights=None, seed=(1, 2)) -> Batch:
    def tensors(arrays):
        return {name: tf.constant(array, tf.float32) for name, array in (arrays or {}).items()}

    return Batch(
        y_true=tensors({} if y_true is None else {"dense_1": y_true}),
        y_pred={"dense_1": tf.convert_to_tensor(y_pred, tf.float32)},
        activations=tensors(activations),
        weights=tensors(weights),
        sample_weight=None,
        columns=tensors({"limit": COLUMN, "limits": COLUMN_OF_ELEMENTS}),
        seed=tf.constant(seed),
    )


def value_of(penalty: dict, graph: Graph, batch: Batch) -> float:
    value = term_of(penalty, graph).value(batch)
    assert value.dtype == tf.float32
    assert value.shape == ()
    return float(value)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def excess_but_k_largest(distance, k):
    """By sorting, one row after another."""
    values = np.zeros_like(distance)
    for row, d in enumerate(distance):
        for place in np.argsort(-d, kind="stable")[k:]:
            values[row, place] = max(d[place], 0)
    return values


ABOVE_THRESHOLD = {
    "sigmoid": ({"type": "elements_above"}, lambda y, t: sigmoid(10 * (y - t))),
    "steeper sigmoid": ({"type": "elements_above", "slope": 25}, lambda y, t: sigmoid(25 * (y - t))),
    "hinge": (
        {"type": "elements_above", "surrogate": "hinge", "slope": 4},
        lambda y, t: np.maximum(0, 1 + 4 * (y - t)),
    ),
    "top_k_excess": (
        {"type": "elements_above", "surrogate": "top_k_excess", "k": 2},
        lambda y, t: excess_but_k_largest(y - t, 2),
    ),
    "excess l1": ({"type": "excess_above"}, lambda y, t: np.maximum(y - t, 0)),
    "excess l2": ({"type": "excess_above", "norm": "l2"}, lambda y, t: np.maximum(y - t, 0) ** 2),
    "shortfall l1": ({"type": "shortfall_below"}, lambda y, t: np.maximum(t - y, 0)),
    "shortfall l2": ({"type": "shortfall_below", "norm": "l2"}, lambda y, t: np.maximum(t - y, 0) ** 2),
}


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("threshold", THRESHOLDS)
@pytest.mark.parametrize("kind", ABOVE_THRESHOLD)
def test_a_penalty_with_a_threshold_is_its_formula(kind, threshold, reduction, graph):
    fields, formula = ABOVE_THRESHOLD[kind]
    document, tau = THRESHOLDS[threshold]
    penalty = {**fields, "threshold": document, "reduction": reduction}
    expected = REDUCTIONS[reduction](formula(Y, tau))
    assert value_of(penalty, graph, batch_of(Y)) == pytest.approx(expected, rel=1e-5)


def test_a_threshold_is_half_unless_the_document_says_otherwise(graph):
    assert value_of({"type": "excess_above"}, graph, batch_of(Y)) == pytest.approx(
        np.maximum(Y - 0.5, 0).sum(axis=1).mean(), rel=1e-5
    )


OTHERS = {
    "bounds": (
        {"type": "bounds", "lower": 0.2, "upper": LIST[::-1], "norm": "l2"},
        lambda y: np.maximum(0.2 - y, 0) ** 2 + np.maximum(y - np.array(LIST[::-1]), 0) ** 2,
    ),
    "lower bound": ({"type": "bounds", "lower": 0.3}, lambda y: np.maximum(0.3 - y, 0)),
    "upper bound": ({"type": "bounds", "upper": 0.6}, lambda y: np.maximum(y - 0.6, 0)),
    "linear": (
        {"type": "linear", "coefficients": [3, -1, 0, 2.5, 1, 1]},
        lambda y: (y @ np.array([3, -1, 0, 2.5, 1, 1]))[:, None],
    ),
    "sum to one": ({"type": "sum_to"}, lambda y: np.abs(y.sum(axis=1, keepdims=True) - 1)),
    "sum to 3, squared": (
        {"type": "sum_to", "value": 3, "norm": "l2"},
        lambda y: (y.sum(axis=1, keepdims=True) - 3) ** 2,
    ),
    "l1 norm": ({"type": "norm"}, np.abs),
    "l2 norm": ({"type": "norm", "norm": "l2"}, np.square),
    "total variation": ({"type": "total_variation"}, lambda y: np.abs(np.diff(y, axis=1))),
    "entropy": ({"type": "entropy"}, lambda y: -y * np.log(y)),
    "expression": ({"type": "expression", "expression": "square(y_pred - 0.3)"}, lambda y: (y - 0.3) ** 2),
    "expression of samples": (
        {"type": "expression", "expression": "max(y_pred, axis=-1) ** 2"},
        lambda y: y.max(axis=1, keepdims=True) ** 2,
    ),
    "expression of the batch": (
        {"type": "expression", "expression": "mean(y_pred, axis=0)"},
        lambda y: y.mean(axis=0, keepdims=True),
    ),
    "expression of one number": (
        {"type": "expression", "expression": "mean(y_pred)"},
        lambda y: y.mean(keepdims=True),
    ),
}


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("kind", OTHERS)
def test_a_penalty_is_its_formula(kind, reduction, graph):
    fields, formula = OTHERS[kind]
    shifted = Y - (0.5 if "norm" in kind else 0)  # norms of negative numbers too
    expected = REDUCTIONS[reduction](formula(shifted))
    value = value_of({**fields, "reduction": reduction}, graph, batch_of(shifted))
    assert value == pytest.approx(expected, rel=1e-5)


def test_an_expression_may_use_the_targets(graph):
    y_true = RNG.uniform(size=Y.shape)
    penalty = {"type": "expression", "expression": "relu(y_true - y_pred) * 2"}
    value = value_of(penalty, graph, batch_of(Y, y_true=y_true))
    assert value == pytest.approx((np.maximum(y_true - Y, 0) * 2).sum(axis=1).mean(), rel=1e-5)


GRADIENTS = {
    **{f"{kind} / {t}": {**ABOVE_THRESHOLD[kind][0], "threshold": THRESHOLDS[t][0]}
       for kind in ABOVE_THRESHOLD for t in ("number", "list", "column of elements")},
    **{kind: fields for kind, (fields, _) in OTHERS.items()},
}  # fmt: skip


@pytest.mark.parametrize("kind", GRADIENTS)
def test_the_gradient_is_that_of_finite_differences(kind, graph):
    # The random elements lie further than the step from every kink.
    term = term_of({**GRADIENTS[kind], "reduction": "sum"}, graph)
    step = 2e-3
    directions = np.random.default_rng(8).choice([-1.0, 1.0], (3, *Y.shape))
    numeric = [
        (float(term.value(batch_of(Y + step * d))) - float(term.value(batch_of(Y - step * d)))) / (2 * step)
        for d in directions
    ]
    for jit in (False, True):
        compiled = tf.function(lambda y: gradient_of(term, y), jit_compile=jit, autograph=False)
        gradient = compiled(tf.constant(Y, tf.float32)).numpy()
        analytic = [(gradient * d).sum() for d in directions]
        np.testing.assert_allclose(analytic, numeric, rtol=0.01, atol=5e-3)


def gradient_of(term: Term, y: tf.Tensor) -> tf.Tensor:
    with tf.GradientTape() as tape:
        tape.watch(y)
        value = term.value(batch_of(y))
    return tape.gradient(value, y)


@pytest.mark.parametrize("threshold", [{"quantile": 0.7}, {"mean_plus_std": 0.5}])
def test_no_gradient_flows_through_a_threshold_that_changes_with_the_prediction(threshold, graph):
    penalty = {"type": "excess_above", "reduction": "sum", "threshold": threshold}
    tau = THRESHOLDS["quantile" if "quantile" in threshold else "mean plus std"][1]
    gradient = gradient_of(term_of(penalty, graph), tf.constant(Y, tf.float32))
    np.testing.assert_array_equal(gradient, np.greater(Y, tau).astype(np.float32))


def test_a_hinge_is_never_less_than_the_count(graph):
    hinge = value_of({"type": "elements_above", "surrogate": "hinge", "reduction": "sum"}, graph, batch_of(Y))
    assert hinge >= (Y > 0.5).sum()


TOP_K_EXCESS = {"type": "elements_above", "surrogate": "top_k_excess", "threshold": 0.5, "reduction": "sum"}


class TestTopKExcess:
    """`top_k_excess` is zero just when a sample has at most k elements above."""

    @pytest.mark.parametrize(("k", "expected"), [(0, 0.8), (1, 0.4), (2, 0.1), (3, 0.0), (4, 0.0), (9, 0.0)])
    def test_counts_all_but_the_k_largest(self, k, expected, graph):
        y = np.array([[0.9, 0.2, 0.6, 0.8, 0.5, 0.1]])
        assert value_of({**TOP_K_EXCESS, "k": k}, graph, batch_of(y)) == pytest.approx(expected, abs=1e-6)

    def test_is_exactly_zero_where_the_limit_holds(self, graph):
        y = RNG.uniform(size=(200, ELEMENTS))
        y[:, 3:] *= 0.5
        assert value_of({**TOP_K_EXCESS, "k": 3}, graph, batch_of(y)) == 0

    def test_shares_the_last_places_among_ties(self, graph):
        y = tf.constant([[1.0, 1.0, 1.0, 1.0, 0.2, 0.3]])
        term = term_of({**TOP_K_EXCESS, "k": 1}, graph)
        assert float(term.value(batch_of(y))) == pytest.approx(3 * 0.5)
        np.testing.assert_allclose(gradient_of(term, y), [[0.75, 0.75, 0.75, 0.75, 0, 0]])

    def test_moves_only_the_elements_that_must_come_down(self, graph):
        y = tf.constant([[0.9, 0.2, 0.6, 0.8, 0.7, 0.1]])
        gradient = gradient_of(term_of({**TOP_K_EXCESS, "k": 2}, graph), y)
        np.testing.assert_array_equal(gradient, [[0, 0, 1, 0, 1, 0]])


class TestKnownNumbers:
    """y_true (1, 2, .5, 1.5, 3), y_pred (.8, 2.5, .2, 1.2, 3.5), τ = 1."""

    y_true = np.array([[1, 2, 0.5, 1.5, 3]])
    y_pred = np.array([[0.8, 2.5, 0.2, 1.2, 3.5]])

    @pytest.mark.parametrize(("norm", "expected"), [("l2", 8.54), ("l1", 4.2)])
    def test_excess(self, norm, expected, graph):
        penalty = {"type": "excess_above", "threshold": 1, "norm": norm, "reduction": "sum"}
        assert value_of(penalty, graph, batch_of(self.y_pred)) == pytest.approx(expected, rel=1e-6)

    def test_with_the_mean_squared_error(self, graph):
        term = term_of({"type": "excess_above", "threshold": 1, "weight": 0.5, "reduction": "sum"}, graph)
        total = np.mean((self.y_true - self.y_pred) ** 2) + term.strength * float(
            term.value(batch_of(self.y_pred))
        )
        assert total == pytest.approx(2.244, rel=1e-6)


class TestOnImages:
    """Samples of more than one axis."""

    images = RNG.uniform(size=(3, 4, 5, 2))

    def test_total_variation_goes_along_rows_and_columns(self, graph):
        y = self.images
        expected = np.abs(np.diff(y, axis=1)).sum() + np.abs(np.diff(y, axis=2)).sum()
        value = value_of({"type": "total_variation", "reduction": "sum"}, graph, batch_of(y))
        assert value == pytest.approx(expected, rel=1e-5)

    def test_total_variation_of_a_sequence_goes_along_its_steps(self, graph):
        y = self.images[:, :, :, 0]
        value = value_of({"type": "total_variation", "reduction": "mean"}, graph, batch_of(y))
        assert value == pytest.approx(np.abs(np.diff(y, axis=1)).mean(), rel=1e-5)

    def test_elements_are_those_of_all_axes(self, graph):
        value = value_of({"type": "norm", "norm": "l2"}, graph, batch_of(self.images))
        assert value == pytest.approx((self.images**2).sum() / 3, rel=1e-5)

    def test_orthogonality_is_that_of_each_samples_rows(self, graph):
        y = self.images[:, :, :, 0]
        deviations = [((a @ a.T - np.eye(4)) ** 2).sum() for a in y]
        assert value_of({"type": "orthogonality"}, graph, batch_of(y)) == pytest.approx(
            np.mean(deviations), rel=1e-5
        )
        orthonormal = np.linalg.qr(RNG.normal(size=(5, 4)))[0].T[None]
        assert value_of({"type": "orthogonality"}, graph, batch_of(orthonormal)) == pytest.approx(
            0, abs=1e-10
        )


ACTIVATIONS = RNG.normal(size=(BATCH, 4))
WEIGHTS = {
    "dense/kernel": RNG.normal(size=(3, 4)),
    "dense/bias": RNG.normal(size=4),
    "dense_1/kernel": RNG.normal(size=(4, ELEMENTS)),
}


class TestOnActivationsAndWeights:
    """What `of` names."""

    def batch(self) -> Batch:
        return batch_of(Y, activations={"dense": ACTIVATIONS}, weights=WEIGHTS)

    def test_a_layers_activations_are_asked_for_and_measured(self, graph):
        penalty = {"type": "norm", "of": "dense"}
        assert term_of(penalty, graph).layers == ("dense",)
        assert value_of(penalty, graph, self.batch()) == pytest.approx(
            np.abs(ACTIVATIONS).sum(axis=1).mean(), rel=1e-5
        )

    def test_the_output_needs_no_activations(self, graph):
        penalty = {"type": "norm", "of": "dense_1"}
        assert term_of(penalty, graph).layers == ()
        assert value_of(penalty, graph, self.batch()) == pytest.approx(Y.sum(axis=1).mean(), rel=1e-5)

    @pytest.mark.parametrize(
        ("reduction", "of_all"), [("sum", np.sum), ("per_sample", np.sum), ("mean", np.mean)]
    )
    def test_weights_are_a_layers_kernel_without_its_bias(self, reduction, of_all, graph):
        penalty = {"type": "norm", "norm": "l2", "of": {"weights": "dense"}, "reduction": reduction}
        expected = of_all(WEIGHTS["dense/kernel"] ** 2)
        assert value_of(penalty, graph, self.batch()) == pytest.approx(expected, rel=1e-5)

    def test_weights_are_orthogonal_by_units(self, graph):
        kernel = WEIGHTS["dense/kernel"]
        expected = ((kernel.T @ kernel - np.eye(4)) ** 2).sum()
        value = value_of({"type": "orthogonality", "of": {"weights": "dense"}}, graph, self.batch())
        assert value == pytest.approx(expected, rel=1e-5)

    @pytest.mark.parametrize(
        ("of", "reduction", "extensive"),
        [(None, "sum", True), ("dense", "sum", True), (None, "per_sample", False), (None, "mean", False),
         ({"weights": "dense"}, "sum", False)],
    )  # fmt: skip
    def test_only_sums_over_samples_grow_with_the_batch(self, of, reduction, extensive, graph):
        assert term_of({"type": "norm", "of": of, "reduction": reduction}, graph).extensive == extensive


def test_terms_have_the_names_weights_and_places_of_their_penalties(graph):
    documents = [{"type": "entropy", "weight": -0.01}, {"type": "sum_to", "weight": 2}]
    terms = build_penalty_terms(parse(Penalties, {"penalties": documents}).penalties, graph)
    assert [(t.name, t.strength, t.pointer) for t in terms] == [
        ("entropy", -0.01, "/penalties/0"),
        ("sum_to", 2.0, "/penalties/1"),
    ]
