"""A training state as bytes: everything a resumed run needs to end as if it had never stopped."""

import io
import zipfile
from typing import Any

import numpy as np
import tensorflow as tf

from app.errors import CheckpointRefused


def to_bytes(state: dict[str, Any]) -> bytes:
    """The state's tensors in the order of `tf.nest.flatten`, as an uncompressed NPZ archive."""
    buffer = io.BytesIO()
    np.savez(buffer, *(tensor.numpy() for tensor in tf.nest.flatten(state)))
    return buffer.getvalue()


def from_bytes(payload: bytes, like: dict[str, Any]) -> dict[str, Any]:
    """The state that `to_bytes` wrote.

    Args:
        payload: the archive; pickled objects in it are refused.
        like: a state of the same program, which gives the nest, the shapes and the dtypes.

    Raises:
        CheckpointRefused: the archive doesn't hold a state of this program.
    """
    expected = tf.nest.flatten(like)
    try:
        with np.load(io.BytesIO(payload), allow_pickle=False) as archive:
            arrays = [archive[f"arr_{i}"] for i in range(len(archive.files))]
    except (ValueError, KeyError, OSError, zipfile.BadZipFile) as error:
        raise CheckpointRefused(
            "Expected a checkpoint; received bytes that no training state gives."
        ) from error
    if [(a.shape, a.dtype) for a in arrays] != [(tuple(t.shape), t.dtype.as_numpy_dtype) for t in expected]:
        raise CheckpointRefused("Expected a checkpoint of this run's structure; received one of another.")
    state: dict[str, Any] = tf.nest.pack_sequence_as(like, [tf.constant(array) for array in arrays])
    return state
