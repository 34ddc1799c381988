"""Hard layers: exact values, limits that hold in the last digit, gradients, with and without XLA."""

from collections.abc import Callable
from itertools import product
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from app.spec.model import ModelSpec, resolve_graph
from app.training.build import build_model


def hard(shape: tuple[int, ...], **layer: Any) -> keras.Model:
    spec = ModelSpec.model_validate({"layers": [layer]})
    return build_model(resolve_graph(spec, {"x": shape}), seed=0)


def output(model: keras.Model, x: Any) -> np.ndarray:
    return np.asarray(model(np.asarray(x, "float32")))


def nearest_on_simplex(point: np.ndarray) -> np.ndarray:
    """By trying which elements are positive: on them, the nearest point of the plane where the sum is one."""
    best, found = np.inf, point
    for positive in product([False, True], repeat=len(point)):
        chosen = np.array(positive)
        if chosen.any():
            candidate = np.where(chosen, point - (point[chosen].sum() - 1) / chosen.sum(), 0)
            distance = np.sum((candidate - point) ** 2)
            if (candidate >= 0).all() and distance < best:
                best, found = distance, candidate
    return found


def test_simplex_is_the_exact_projection() -> None:
    model = hard((3,), type="Simplex")
    np.testing.assert_allclose(output(model, [[-2, 0, 0.5]]), [[0, 0.25, 0.75]], atol=1e-7)
    points = np.random.default_rng(0).normal(size=(50, 6)) * 2
    projected = output(hard((6,), type="Simplex"), points)
    np.testing.assert_allclose(projected, [nearest_on_simplex(point) for point in points], atol=1e-5)


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e3, 1e8])
def test_simplex_adds_up_to_one_at_any_scale(scale: float) -> None:
    points = np.random.default_rng(1).normal(size=(20, 3, 7)) * scale
    projected = output(hard((3, 7), type="Simplex"), points)
    assert (projected >= 0).all()
    np.testing.assert_allclose(projected.sum(axis=-1), 1, atol=1e-5)


def test_simplex_leaves_a_point_on_it() -> None:
    point = np.random.default_rng(2).dirichlet(np.ones(5), size=10)
    np.testing.assert_allclose(output(hard((5,), type="Simplex"), point), point, atol=1e-6)


@pytest.mark.parametrize(
    ("lower", "upper"), [(0.1, 0.7), (-0.3, 0.1), (-1e-3, 1e6), (16777200.5, 16777299.5), (-1e-30, 0.0)]
)
def test_bounded_never_breaks_its_limits_in_the_last_digit(lower: float, upper: float) -> None:
    x = np.concatenate([np.linspace(-200, 200, 1001), [-np.finfo("f4").max, np.finfo("f4").max]])
    bounded = output(hard((1,), type="Bounded", lower=lower, upper=upper), x[:, None]).astype("float64")
    assert bounded.min() >= lower
    assert bounded.max() <= upper
    assert bounded[-2] - lower <= 1e-6 * abs(lower) + 1e-12
    assert upper - bounded[-1] <= 1e-6 * abs(upper)


def test_bounded_follows_the_sigmoid() -> None:
    x = np.linspace(-4, 4, 9)
    expected = -1 + 3 / (1 + np.exp(-x))
    np.testing.assert_allclose(
        output(hard((9,), type="Bounded", lower=-1.0, upper=2.0), [x])[0], expected, rtol=1e-5
    )


def test_top_k_keeps_the_largest_and_clips_the_others() -> None:
    model = hard((6,), type="TopK", k=2, threshold=0.5)
    np.testing.assert_allclose(
        output(model, [[0.9, 0.8, 0.75, 0.6, 0.55, 0.2], [-1, 0.1, 0.2, 0.3, 0.4, 0.45]]),
        [[0.9, 0.8, 0.5, 0.5, 0.5, 0.2], [-1, 0.1, 0.2, 0.3, 0.4, 0.45]],
    )


def test_top_k_keeps_no_more_of_equal_elements() -> None:
    model = hard((5,), type="TopK", k=2, threshold=0.1)
    np.testing.assert_allclose(
        output(model, [[0.7] * 5, [0.3, 0.9, 0.3, 0.3, 0.3]]),
        [[0.7, 0.7, 0.1, 0.1, 0.1], [0.3, 0.9, 0.1, 0.1, 0.1]],
    )


def test_top_k_counts_all_elements_of_a_sample() -> None:
    x = np.random.default_rng(0).normal(size=(50, 4, 3))
    limited = output(hard((4, 3), type="TopK", k=3, threshold=0.1), x).astype("float64")
    assert ((limited > 0.1).sum(axis=(1, 2)) <= 3).all()
    ordered = np.sort(x.reshape(50, -1), axis=1)[:, ::-1]
    expected = np.concatenate([ordered[:, :3], np.minimum(ordered[:, 3:], 0.1)], axis=1)
    np.testing.assert_allclose(
        np.sort(limited.reshape(50, -1), axis=1)[:, ::-1], np.sort(expected)[:, ::-1], atol=1e-6
    )


LAYERS: list[dict[str, Any]] = [
    {"type": "Simplex"},
    {"type": "Bounded", "lower": -1.0, "upper": 2.0},
    {"type": "TopK", "k": 2, "threshold": 0.3},
]


@pytest.mark.parametrize("layer", LAYERS, ids=lambda layer: layer["type"])
def test_gradients_are_those_of_finite_differences_with_and_without_xla(layer: dict[str, Any]) -> None:
    model = hard((5,), **layer)
    x = np.random.default_rng(3).normal(size=(4, 5)).astype("float32")
    weights = np.random.default_rng(4).normal(size=(4, 5)).astype("float32")

    def gradient(x: tf.Tensor) -> tf.Tensor:
        with tf.GradientTape() as tape:
            tape.watch(x)
            value = tf.reduce_sum(model(x) * weights)
        return tape.gradient(value, x)

    compiled: list[Callable[[tf.Tensor], tf.Tensor]] = [
        tf.function(gradient, jit_compile=jit, autograph=False) for jit in (False, True)
    ]
    step = 1e-2
    differences = np.zeros_like(x)
    for index in np.ndindex(*x.shape):
        moved = np.zeros_like(x)
        moved[index] = step
        change = output(model, x + moved) - output(model, x - moved)
        differences[index] = np.sum(change * weights) / (2 * step)
    for function in compiled:
        np.testing.assert_allclose(function(tf.constant(x)), differences, atol=5e-3)
