"""Weights that are exactly zero: the smallest of a layer's kernels, as many as a limit asks for.

That is the Euclidean projection onto the weights of which so many are zero.
"""

from collections.abc import Mapping, Sequence

import tensorflow as tf

from app.spec.quantities import WeightSparsity
from app.training.constraints.exemptions import threshold_with_at_most
from app.training.constraints.limit import Limit


def kernel_paths(layer: str, weights: Mapping[str, tf.Tensor]) -> list[str]:
    """The variables of a layer that its sparsity is of: its kernels, or all if it has none."""
    own = [path for path in weights if path.startswith(f"{layer}/")]
    return [path for path in own if weights[path].shape.rank >= 2] or own


def chosen(
    limits: Sequence[Limit],
    weights: Mapping[str, tf.Tensor],
    before: Mapping[str, tf.Tensor],
    epoch: tf.Tensor,
    epochs: tf.Tensor,
) -> dict[str, tf.Tensor]:
    """1 for the weights that stay after an epoch, 0 for those that become zero, by path.

    The share of zeros rises to the limit's in the first half of the epochs, fast at first (Zhu, Gupta 2017),
    so that those that remain can take over.

    Args:
        limits: of the run.
        weights: by path.
        before: the same before the epoch.
        epoch: its number, from 1.
        epochs: of the run.
    """
    progress = tf.cast(epoch, tf.float64) / tf.cast(tf.maximum(1, epochs // 2), tf.float64)
    ramp = 1 - tf.pow(1 - tf.minimum(progress, 1.0), 3)
    found = dict(before)
    for limit in limits:
        if isinstance(limit.constraint.quantity, WeightSparsity):
            share = max(limit.constraint.allowed.low, 0.0)
            paths = kernel_paths(limit.constraint.quantity.of, weights)
            found |= kept({path: weights[path] for path in paths}, share, ramp)
    return found


def kept(weights: Mapping[str, tf.Tensor], share: float, ramp: tf.Tensor) -> dict[str, tf.Tensor]:
    """1 for the weights that stay, 0 for those that become zero, by path.

    Args:
        weights: of a layer, by path; smallest over all of them together.
        share: of zeros in the end.
        ramp: how much of it is asked for now, float64 `()` in [0, 1].
    """
    sizes = tf.concat([tf.reshape(tf.abs(weight), (-1,)) for weight in weights.values()], axis=0)
    total = sizes.shape[0]
    zeros = tf.math.ceil(share * ramp * total - 1e-6)
    threshold = threshold_with_at_most(sizes, total - zeros)
    return {path: tf.cast(tf.abs(weight) > threshold, weight.dtype) for path, weight in weights.items()}
