"""Where the arrays of a run lie: in memory, or, if they are large, in files that are memory-mapped.

The files have no names: they are gone with the arrays, or with the process, however it ends.
"""

import os
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

BLOCK_BYTES = 8 * 1024 * 1024
"""As much of an array is worked on at a time."""


@dataclass(frozen=True)
class Space:
    """Room for arrays.

    Attributes:
        folder: where files are made; None where everything stays in memory.
        most_bytes: the largest array that stays in memory.
    """

    folder: Path | None = None
    most_bytes: int = 0

    def empty(self, shape: Sequence[int], dtype: DTypeLike) -> NDArray[Any]:
        """An array to be filled.

        Raises:
            OSError: the disk has no room for it.
        """
        size = prod(shape) * np.dtype(dtype).itemsize
        if self.folder is None or size <= self.most_bytes:
            return np.empty(shape, dtype)
        with tempfile.TemporaryFile(dir=self.folder) as file:
            os.posix_fallocate(file.fileno(), 0, size)  # a full disk would otherwise end the process later
            return np.memmap(file, dtype, "r+", shape=tuple(shape))

    def take(self, array: NDArray[Any], rows: NDArray[np.int64]) -> NDArray[Any]:
        """Some rows of an array, as an array of their own."""
        if self.folder is None:
            return array[rows]
        taken = self.empty((len(rows), *array.shape[1:]), array.dtype)
        for block in blocks(len(rows), taken):
            taken[block] = array[rows[block]]
        return taken


IN_MEMORY = Space()
"""Where all arrays stay in memory."""


def blocks(rows: int, *arrays: NDArray[Any]) -> Iterator[slice]:
    """All rows in order, as many at a time as take about `BLOCK_BYTES` in these arrays."""
    width = sum(prod(array.shape[1:]) * array.itemsize for array in arrays)
    step = max(1, BLOCK_BYTES // max(1, width))
    return (slice(first, min(first + step, rows)) for first in range(0, rows, step))
