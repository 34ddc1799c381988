"""Random changes to the samples of a training batch, inside the compiled loop.

The formulas are those of Keras's preprocessing layers of the same names. Those layers draw from a generator
with a state and use an operation that XLA doesn't take; here all draws come from a seed, and moved images are
read by plain gathers.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from app.spec import augmentation as spec
from app.spec.augmentation import AnyAugmentation
from app.training.shuffle import shuffled_rows

Rows = dict[str, Any]
Change = Callable[[tf.Tensor, tf.Tensor], tf.Tensor]
"""From samples `(batch_size, …)` and a seed to changed samples."""

GAMMA_TRIES = 8
"""Candidates for each draw of a gamma distribution. More than 19 in 20 are accepted (Marsaglia and Tsang)."""

TINY = float(np.finfo(np.float32).tiny)
"""The smallest number that has a logarithm in float32."""


class Augmentation:
    """The augmentations of a run, one after the other.

    Args:
        augmentations: as the document has them.
    """

    def __init__(self, augmentations: Sequence[AnyAugmentation]) -> None:
        self.augmentations = tuple(augmentations)

    def apply(self, rows: Rows, seed: tf.Tensor) -> Rows:
        """The batch, changed.

        Args:
            rows: `inputs`, `targets` and `columns` by name, and perhaps `sample_weight`; each
                `(batch_size, …)` with a fixed shape.
            seed: int32 `(2,)`; the same seed gives the same changes.
        """
        for position, augmentation in enumerate(self.augmentations):
            own_seed = tf.random.experimental.stateless_fold_in(seed, position)
            if isinstance(augmentation, spec.MixUp):
                rows = mix_up(rows, augmentation.alpha, own_seed)
            else:
                inputs = dict(rows["inputs"])
                name = augmentation.input or next(iter(inputs))
                inputs[name] = change_of(augmentation)(inputs[name], own_seed)
                rows = {**rows, "inputs": inputs}
        return rows


def build_augmentation(augmentations: Sequence[AnyAugmentation]) -> Augmentation:
    """The augmentations of a document, ready for the loop."""
    return Augmentation(augmentations)


def change_of(augmentation: AnyAugmentation) -> Change:
    """What an augmentation does to one input."""
    match augmentation:
        case spec.RandomFlip():
            return lambda images, seed: flip(images, augmentation.mode, seed)
        case spec.RandomRotation():
            return lambda images, seed: rotate(images, augmentation, seed)
        case spec.RandomTranslation():
            return lambda images, seed: translate(images, augmentation, seed)
        case spec.RandomZoom():
            return lambda images, seed: zoom(images, augmentation, seed)
        case spec.RandomContrast():
            return lambda images, seed: change_contrast(images, augmentation, seed)
        case spec.GaussianNoise():
            return lambda x, seed: x + tf.random.stateless_normal(x.shape, seed, stddev=augmentation.stddev)
        case _:
            raise TypeError(f"{augmentation.type} isn't a change of one input")


def flip(images: tf.Tensor, mode: str, seed: tf.Tensor) -> tf.Tensor:
    """Mirrors each image with probability ½, `(batch_size, height, width, channels)`."""
    flips = tf.random.stateless_uniform((images.shape[0], 1, 1, 1), seed) <= 0.5
    axes = {"horizontal": [2], "vertical": [1], "horizontal_and_vertical": [1, 2]}[mode]
    return tf.where(flips, tf.reverse(images, axes), images)


def rotate(images: tf.Tensor, rotation: spec.RandomRotation, seed: tf.Tensor) -> tf.Tensor:
    """Turns each image about its middle, `(batch_size, height, width, channels)`."""
    angle = 2 * math.pi * _uniform(images, rotation.factor, seed)
    sine, cosine = tf.sin(angle), tf.cos(angle)
    y, x = _centered_grid(images)
    return _read(images, sine * x + cosine * y, cosine * x - sine * y, rotation)


def translate(images: tf.Tensor, translation: spec.RandomTranslation, seed: tf.Tensor) -> tf.Tensor:
    """Shifts each image, `(batch_size, height, width, channels)`."""
    _, height, width, _ = images.shape
    down = _uniform(images, translation.height_factor, tf.random.experimental.stateless_fold_in(seed, 0))
    right = _uniform(images, translation.width_factor, tf.random.experimental.stateless_fold_in(seed, 1))
    y, x = _centered_grid(images)
    return _read(images, y - down * height, x - right * width, translation)


def zoom(images: tf.Tensor, zooming: spec.RandomZoom, seed: tf.Tensor) -> tf.Tensor:
    """Zooms each image about its middle, `(batch_size, height, width, channels)`."""
    vertical = 1 + _uniform(images, zooming.height_factor, tf.random.experimental.stateless_fold_in(seed, 0))
    horizontal = vertical
    if zooming.width_factor is not None:
        own_seed = tf.random.experimental.stateless_fold_in(seed, 1)
        horizontal = 1 + _uniform(images, zooming.width_factor, own_seed)
    y, x = _centered_grid(images)
    return _read(images, y * vertical, x * horizontal, zooming)


def change_contrast(images: tf.Tensor, contrast: spec.RandomContrast, seed: tf.Tensor) -> tf.Tensor:
    """Multiplies each image's distances from its channels' means, `(batch_size, height, width, channels)`."""
    lower, upper = contrast.factor
    shape = (images.shape[0], 1, 1, 1)
    factor = tf.random.stateless_uniform(shape, seed, minval=1 - lower, maxval=1 + upper)
    mean = tf.reduce_mean(images, axis=(1, 2), keepdims=True)
    return tf.clip_by_value((images - mean) * factor + mean, *contrast.value_range)


def mix_up(rows: Rows, alpha: float, seed: tf.Tensor) -> Rows:
    """Blends each row with another one: `λ·a + (1 − λ)·b`, everything in the row alike.

    Source: Zhang et al., "mixup: Beyond Empirical Risk Minimization", 2018.
    """
    count = tf.nest.flatten(rows)[0].shape[0]
    partners = shuffled_rows(count, tf.random.experimental.stateless_fold_in(seed, 0))
    share = beta_draws(alpha, count, tf.random.experimental.stateless_fold_in(seed, 1))

    def blend(values: tf.Tensor) -> tf.Tensor:
        own = tf.reshape(share, (count, *[1] * (values.shape.rank - 1)))
        return own * values + (1 - own) * tf.gather(values, partners)

    blended: Rows = tf.nest.map_structure(blend, rows)
    return blended


def beta_draws(alpha: float, count: int, seed: tf.Tensor) -> tf.Tensor:
    """Draws from Beta(alpha, alpha), float32 `(count,)`.

    The share of one of two gamma draws in their sum; by their logarithms, because for a small `alpha` the
    draws themselves are too small for float32.
    """
    logs = _log_gamma_draws(alpha, 2 * count, seed)
    return tf.sigmoid(logs[:count] - logs[count:])


def _log_gamma_draws(alpha: float, count: int, seed: tf.Tensor) -> tf.Tensor:
    """Logarithms of draws from Gamma(alpha), float32 `(count,)`.

    Source: Marsaglia and Tsang, "A Simple Method for Generating Gamma Variables", 2000; their rejection is
    done here by drawing several candidates at once and taking the first accepted. Gamma(alpha) is
    Gamma(alpha + 1)·U^(1/alpha).
    """
    seeds = [tf.random.experimental.stateless_fold_in(seed, stream) for stream in range(3)]
    d = alpha + 1 - 1 / 3
    x = tf.random.stateless_normal((count, GAMMA_TRIES), seeds[0])
    v = tf.pow(1 + x / math.sqrt(9 * d), 3)
    log_v = tf.math.log(tf.maximum(v, TINY))
    u = tf.random.stateless_uniform((count, GAMMA_TRIES), seeds[1], minval=TINY)
    accepted = (v > 0) & (tf.math.log(u) < x * x / 2 + d - d * v + d * log_v)
    first = tf.one_hot(tf.argmax(tf.cast(accepted, tf.int32), axis=1), GAMMA_TRIES)
    boost = tf.random.stateless_uniform((count,), seeds[2], minval=TINY)
    return math.log(d) + tf.reduce_sum(first * log_v, axis=1) + tf.math.log(boost) / alpha


def _uniform(images: tf.Tensor, bounds: tuple[float, float], seed: tf.Tensor) -> tf.Tensor:
    """A draw for each image, `(batch_size, 1, 1)`."""
    lower, upper = bounds
    return lower + (upper - lower) * tf.random.stateless_uniform((images.shape[0], 1, 1), seed)


def _centered_grid(images: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Each pixel's place from the middle: `(1, height, 1)` and `(1, 1, width)`."""
    _, height, width, _ = images.shape
    y = tf.range(height, dtype=tf.float32) - (height - 1) / 2
    x = tf.range(width, dtype=tf.float32) - (width - 1) / 2
    return y[None, :, None], x[None, None, :]


def _read(
    images: tf.Tensor,
    y: tf.Tensor,
    x: tf.Tensor,
    moved: spec.RandomRotation | spec.RandomTranslation | spec.RandomZoom,
) -> tf.Tensor:
    """The images read at other places.

    Args:
        images: `(batch_size, height, width, channels)`.
        y: rows from the middle, to be broadcast to `(batch_size, height, width)`.
        x: columns from the middle, likewise.
        moved: says what stands outside, and how pixels between pixels are read.
    """
    count, height, width, _ = images.shape
    places = (count, height, width)
    y = _within(tf.broadcast_to(y + (height - 1) / 2, places), height, moved.fill_mode)
    x = _within(tf.broadcast_to(x + (width - 1) / 2, places), width, moved.fill_mode)

    def pixels(rows: tf.Tensor, columns: tf.Tensor) -> tf.Tensor:
        inside = (rows >= 0) & (rows < height) & (columns >= 0) & (columns < width)
        nearest = tf.clip_by_value(rows, 0, height - 1) * width + tf.clip_by_value(columns, 0, width - 1)
        flat = tf.reshape(images, (count, height * width, -1))
        read = tf.gather(flat, tf.reshape(nearest, (count, -1)), batch_dims=1)
        return tf.where(inside[..., None], tf.reshape(read, images.shape), moved.fill_value)

    if moved.interpolation == "nearest":
        return pixels(_whole(tf.round(y)), _whole(tf.round(x)))
    top, left = tf.floor(y), tf.floor(x)
    down, right = (y - top)[..., None], (x - left)[..., None]
    top, left = _whole(top), _whole(left)
    upper = (1 - right) * pixels(top, left) + right * pixels(top, left + 1)
    lower = (1 - right) * pixels(top + 1, left) + right * pixels(top + 1, left + 1)
    return (1 - down) * upper + down * lower


def _whole(places: tf.Tensor) -> tf.Tensor:
    return tf.cast(places, tf.int32)


def _within(places: tf.Tensor, length: int, fill_mode: str) -> tf.Tensor:
    """Places outside `[0, length − 1]` led back into it, unless a constant stands there."""
    if fill_mode == "reflect":
        places = tf.math.floormod(places + 0.5, 2.0 * length)
        places = tf.where(places < length, places, 2.0 * length - places) - 0.5
    elif fill_mode == "wrap":
        places = tf.math.floormod(places, float(length))
    if fill_mode == "constant":
        # Far away is as good as farther away, and fits an integer.
        return tf.clip_by_value(places, -2.0, length + 1.0)
    return tf.clip_by_value(places, 0.0, length - 1.0)
