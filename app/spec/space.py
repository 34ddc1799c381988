"""Where the arrays of a run lie: in memory, or, if they are large, in files that are memory-mapped; or
nowhere, where their rows are read when they're asked for.

The files have no names: they are gone with the arrays, or with the process, however it ends.
"""

import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import DTypeLike, NDArray

BLOCK_BYTES = 8 * 1024 * 1024
"""As much of an array is worked on at a time."""


Read = Callable[[slice], NDArray[Any]]
"""Gives consecutive rows."""


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

    def filled(self, rows: int, dtype: DTypeLike, read: Read) -> NDArray[Any]:
        """An array of as many rows, read some at a time."""
        first = read(slice(0, 1))
        array = self.empty((rows, *first.shape[1:]), dtype)
        for part in blocks(rows, first):
            array[part] = read(part)
        return array

    def inputs(self, rows: int, dtype: DTypeLike, read: Read) -> NDArray[Any]:
        """Likewise, of what may be left where it is."""
        return self.filled(rows, dtype, read)

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


class RowsOnDemand:
    """Rows that are read when they're asked for: `len(rows)`, `rows[first:end]`.

    Args:
        read: gives consecutive rows.
        numbers: of the rows, ascending.
        most: consecutive rows that are read at once, of which some may not be wanted.
    """

    def __init__(self, read: Read, numbers: NDArray[np.int64], most: int) -> None:
        self._read = read
        self._numbers = numbers
        self._most = most

    def __len__(self) -> int:
        return len(self._numbers)

    def __getitem__(self, part: slice) -> NDArray[Any]:
        numbers = self._numbers[part]
        read = []
        while numbers.size:
            first = int(numbers[0])
            count = int(np.searchsorted(numbers, first + self._most))
            near, numbers = numbers[:count], numbers[count:]
            read.append(self._read(slice(first, int(near[-1]) + 1))[near - first])
        return np.concatenate(read) if read else self._read(slice(0, 0))

    def take(self, rows: NDArray[np.int64]) -> "RowsOnDemand":
        """Some of these rows, by their places, ascending."""
        return RowsOnDemand(self._read, self._numbers[rows], self._most)


class _OnDemand(Space):
    def inputs(self, rows: int, dtype: DTypeLike, read: Read) -> NDArray[Any]:
        most = next(blocks(rows, read(slice(0, 1)))).stop
        found = RowsOnDemand(lambda part: read(part).astype(dtype, copy=False), np.arange(rows), most)
        return cast(NDArray[Any], found)

    def take(self, array: NDArray[Any], rows: NDArray[np.int64]) -> NDArray[Any]:
        given: Any = array
        taken: Any = given.take(rows) if isinstance(given, RowsOnDemand) else super().take(array, rows)
        return cast(NDArray[Any], taken)


ON_DEMAND = _OnDemand()
"""Where inputs are no arrays but `RowsOnDemand`, for those who go through them some rows at a time."""


def blocks(rows: int, *arrays: NDArray[Any]) -> Iterator[slice]:
    """All rows in order, as many at a time as take about `BLOCK_BYTES` in these arrays."""
    width = sum(prod(array.shape[1:]) * array.itemsize for array in arrays)
    step = max(1, BLOCK_BYTES // max(1, width))
    return (slice(first, min(first + step, rows)) for first in range(0, rows, step))
