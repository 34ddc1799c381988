"""Augmentation draws from the seed alone, and changes images as Keras's layers do for the same draw."""

from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from pydantic import TypeAdapter

from app.spec.augmentation import AUGMENTATIONS, AnyAugmentation
from app.training.augmentation import Augmentation, beta_draws, build_augmentation

BATCH = 64
random = np.random.default_rng(3)
IMAGES = random.uniform(size=(BATCH, 7, 6, 2)).astype("float32")
LABELS = np.eye(4, dtype="float32")[random.integers(0, 4, BATCH)]
SEED = tf.constant([3, 4])


def build(*documents: Any) -> Augmentation:
    return build_augmentation(TypeAdapter(tuple[AnyAugmentation, ...]).validate_python(documents))


def rows(images: np.ndarray = IMAGES) -> dict[str, Any]:
    return {
        "inputs": {"image": tf.constant(images)},
        "targets": {"label": tf.constant(LABELS)},
        "columns": {"limit": tf.range(BATCH, dtype=tf.float32)},
        "sample_weight": tf.ones(BATCH),
    }


def changed(*documents: Any, seed: tf.Tensor = SEED, images: np.ndarray = IMAGES) -> np.ndarray:
    after = build(*documents).apply(rows(images), seed)
    np.testing.assert_array_equal(after["targets"]["label"], LABELS)
    return np.asarray(after["inputs"]["image"])


FILLS = [
    {"fill_mode": "reflect"},
    {"fill_mode": "nearest"},
    {"fill_mode": "constant", "fill_value": 0.25},
    {"fill_mode": "constant", "interpolation": "nearest"},
]
MOVES = [
    {"type": "RandomRotation", "factor": [0.1, 0.1]},
    {"type": "RandomRotation", "factor": [-0.3, -0.3]},
    {"type": "RandomTranslation", "height_factor": [0.3, 0.3], "width_factor": [-0.2, -0.2]},
    {"type": "RandomTranslation", "height_factor": [-0.8, -0.8], "width_factor": [0.0, 0.0]},
    {"type": "RandomZoom", "height_factor": [0.4, 0.4]},
    {"type": "RandomZoom", "height_factor": [-0.3, -0.3], "width_factor": [0.6, 0.6]},
]


@pytest.mark.parametrize("fill", FILLS, ids=str)
@pytest.mark.parametrize("move", MOVES, ids=str)
def test_moves_images_as_keras_layers_do(move: dict[str, Any], fill: dict[str, Any]) -> None:
    arguments = {name: value for name, value in {**move, **fill}.items() if name != "type"}
    layer = getattr(keras.layers, move["type"])(**arguments)
    expected = np.asarray(layer(IMAGES, training=True))
    actual = changed({**move, **fill})
    if fill.get("interpolation") == "nearest":
        # A place just between two pixels may be rounded to either.
        assert np.isclose(actual, expected, atol=1e-5).mean() > 0.95
    else:
        np.testing.assert_allclose(actual, expected, atol=2e-5)
    assert np.abs(actual - IMAGES).max() > 0.1


def test_wrap_reads_from_the_other_side() -> None:
    move = {
        "type": "RandomTranslation",
        "height_factor": 0.0,
        "width_factor": [0.5, 0.5],
        "fill_mode": "wrap",
    }
    np.testing.assert_allclose(changed(move), np.roll(IMAGES, 3, axis=2), atol=1e-6)


@pytest.mark.parametrize(
    ("mode", "axes"), [("horizontal", 2), ("vertical", 1), ("horizontal_and_vertical", (1, 2))]
)
def test_flips_about_half_of_the_images(mode: str, axes: Any) -> None:
    after = changed({"type": "RandomFlip", "mode": mode})
    flipped = np.flip(IMAGES, axes)
    is_flipped = (after == flipped).all(axis=(1, 2, 3))
    assert 0.25 < is_flipped.mean() < 0.75
    np.testing.assert_array_equal(after, np.where(is_flipped[:, None, None, None], flipped, IMAGES))


def test_contrast_scales_distances_from_the_mean() -> None:
    after = changed({"type": "RandomContrast", "factor": [0.5, 0.2], "value_range": [-10, 10]})
    mean = IMAGES.mean(axis=(1, 2), keepdims=True)
    ratios = (after - mean) / (IMAGES - mean)
    factors = np.median(ratios, axis=(1, 2, 3))
    np.testing.assert_allclose(after, (IMAGES - mean) * factors[:, None, None, None] + mean, atol=1e-5)
    assert factors.min() >= 0.5 - 1e-3
    assert factors.max() <= 1.2 + 1e-3
    assert factors.std() > 0.1


def test_contrast_keeps_values_in_range() -> None:
    after = changed({"type": "RandomContrast", "factor": 1.0, "value_range": [0.2, 0.8]})
    assert after.min() == np.float32(0.2)
    assert after.max() == np.float32(0.8)


def test_noise_has_its_standard_deviation() -> None:
    noise = changed({"type": "GaussianNoise", "stddev": 0.5}) - IMAGES
    assert abs(noise.mean()) < 0.03
    assert abs(noise.std() - 0.5) < 0.03


def test_factors_are_drawn_evenly_from_their_range() -> None:
    ramp = np.broadcast_to(np.arange(40, dtype="float32")[None, None, :, None], (BATCH, 1, 40, 1))
    move = {
        "type": "RandomTranslation",
        "height_factor": 0,
        "width_factor": [-0.1, 0.3],
        "fill_mode": "nearest",
    }
    shifts = (ramp - changed(move, images=ramp))[:, 0, 20, 0] / 40
    assert -0.1 <= shifts.min() < -0.05
    assert 0.25 < shifts.max() <= 0.3
    assert abs(shifts.mean() - 0.1) < 0.05


def test_mixup_blends_everything_of_two_rows_alike() -> None:
    marks = np.zeros((BATCH, 1), "float32")
    marks[:] = np.arange(BATCH)[:, None]
    before = {
        "inputs": {
            "a": tf.constant(np.eye(BATCH, dtype="float32")),
            "b": tf.constant(np.eye(BATCH)[:, :, None]),
        },
        "targets": {"y": tf.constant(marks)},
        "columns": {"limit": tf.constant(marks[:, 0] * 2)},
        "sample_weight": tf.constant(marks[:, 0] + 1),
    }
    before["inputs"]["b"] = tf.cast(before["inputs"]["b"], tf.float32)
    after = build({"type": "MixUp", "alpha": 1.0}).apply(before, SEED)
    shares = np.asarray(after["inputs"]["a"])  # (rows, share of each row in it)
    np.testing.assert_allclose(shares.sum(axis=1), 1, rtol=1e-5)
    assert ((shares > 0).sum(axis=1) <= 2).all()
    assert ((shares > 0).sum(axis=1) == 2).mean() > 0.8
    np.testing.assert_allclose(after["inputs"]["b"][:, :, 0], shares, rtol=1e-6)
    np.testing.assert_allclose(after["targets"]["y"], shares @ marks, rtol=1e-4)
    np.testing.assert_allclose(after["columns"]["limit"], shares @ (marks[:, 0] * 2), rtol=1e-4)
    np.testing.assert_allclose(after["sample_weight"], shares @ (marks[:, 0] + 1), rtol=1e-4)


@pytest.mark.parametrize("alpha", [0.05, 0.2, 1.0, 4.0])
def test_mixup_shares_are_beta_distributed(alpha: float) -> None:
    draws = np.asarray(beta_draws(alpha, 20_000, SEED), dtype=float)
    variance = 1 / (4 * (2 * alpha + 1))
    fourth = 3 * variance**2 * (2 * alpha + 1) / (2 * alpha + 3)
    assert abs(draws.mean() - 0.5) < 0.012
    assert abs(draws.var() / variance - 1) < 0.03
    assert abs(((draws - 0.5) ** 4).mean() / fourth - 1) < 0.06
    assert ((draws >= 0) & (draws <= 1)).all()


EVERY: list[dict[str, Any]] = [
    {"type": "RandomFlip"},
    {"type": "RandomRotation", "factor": 0.2},
    {"type": "RandomTranslation", "height_factor": 0.1, "width_factor": 0.1, "fill_mode": "wrap"},
    {"type": "RandomZoom", "height_factor": 0.1, "fill_mode": "constant"},
    {"type": "RandomContrast", "factor": 0.3},
    {"type": "GaussianNoise", "stddev": 0.1},
    {"type": "MixUp"},
]


def test_every_augmentation_is_among_those_compiled_here() -> None:
    assert [document["type"] for document in EVERY] == [a.__name__ for a in AUGMENTATIONS]


# Translation and zoom read images as rotation does; XLA takes seconds for each.
@pytest.mark.parametrize(
    ("jit_compile", "documents"), [(False, EVERY), (True, EVERY[:2] + EVERY[4:])], ids=["plain", "xla"]
)
def test_same_seed_same_changes_inside_a_compiled_loop(
    jit_compile: bool, documents: list[dict[str, Any]]
) -> None:
    augmentation = build(*documents)

    @tf.function(jit_compile=jit_compile, autograph=False)
    def run(first: tf.Tensor) -> Any:
        def step(i: Any, batch: Any, last: Any) -> Any:
            return i + 1, batch, augmentation.apply(rows(), tf.stack([first, i]))

        return tf.while_loop(lambda i, *_: i < 3, step, (tf.constant(0), rows(), rows()))[2]

    one, same, other = run(tf.constant(5)), run(tf.constant(5)), run(tf.constant(6))
    for a, b in zip(*map(tf.nest.flatten, (one, same)), strict=True):
        np.testing.assert_array_equal(a, b)
        assert np.isfinite(a).all()
    assert np.abs(one["inputs"]["image"] - other["inputs"]["image"]).max() > 0.05


def test_only_the_named_input_changes() -> None:
    before = rows()
    before["inputs"]["other"] = before["inputs"]["image"]
    after = build({"type": "GaussianNoise", "stddev": 1, "input": "other"}).apply(before, SEED)
    np.testing.assert_array_equal(after["inputs"]["image"], IMAGES)
    assert np.abs(after["inputs"]["other"] - IMAGES).max() > 0.5


def test_two_of_a_kind_draw_their_own_numbers() -> None:
    noise = {"type": "GaussianNoise", "stddev": 1}
    once, twice = changed(noise) - IMAGES, changed(noise, noise) - IMAGES
    assert abs(np.corrcoef(once.ravel(), (twice - once).ravel())[0, 1]) < 0.05
