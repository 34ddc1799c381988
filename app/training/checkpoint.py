"""A training state as bytes: everything a resumed run needs to end as if it had never stopped."""

import io
import zipfile
from typing import Any

import numpy as np
import tensorflow as tf

from app.errors import CheckpointRefused


def to_bytes(state: dict[str, Any], seconds: float) -> bytes:
    """The state's tensors in the order of `tf.nest.flatten`, as an uncompressed NPZ archive.

    Args:
        state: of the training.
        seconds: how long the training took to get there.
    """
    buffer = io.BytesIO()
    np.savez(buffer, *(tensor.numpy() for tensor in tf.nest.flatten(state)), seconds=np.float64(seconds))
    return buffer.getvalue()


def from_bytes(payload: bytes, like: dict[str, Any]) -> tuple[dict[str, Any], float]:
    """The state that `to_bytes` wrote, and the seconds.

    Args:
        payload: the archive; pickled objects in it are refused.
        like: a state of the same program, which gives the nest, the shapes and the dtypes.

    Raises:
        CheckpointRefused: the archive doesn't hold a state of this program.
    """
    expected = tf.nest.flatten(like)
    try:
        with np.load(io.BytesIO(payload), allow_pickle=False) as archive:
            arrays = [archive[f"arr_{i}"] for i in range(len(archive.files) - 1)]
            seconds = float(archive["seconds"])
    except (ValueError, KeyError, TypeError, OSError, zipfile.BadZipFile) as error:
        raise CheckpointRefused(
            "Expected a checkpoint; received bytes that no training state gives."
        ) from error
    if [(a.shape, a.dtype) for a in arrays] != [(tuple(t.shape), t.dtype.as_numpy_dtype) for t in expected]:
        raise CheckpointRefused("Expected a checkpoint of this run's structure; received one of another.")
    state: dict[str, Any] = tf.nest.pack_sequence_as(like, [tf.constant(array) for array in arrays])
    return state, seconds
