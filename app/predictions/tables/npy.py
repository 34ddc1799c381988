"""Instances in an NPY file: one array for a model with one input."""

import math
from collections.abc import Iterator, Sequence
from tokenize import TokenError
from typing import IO, Any

import numpy as np

from app.errors import InvalidDocument
from app.predictions.features import has_categories
from app.predictions.numbers import fit_numbers
from app.predictions.sessions import ModelInput
from app.predictions.tables.rows import Batch, find_misfit, most_rows, refuse


def read_npy(file: IO[bytes], inputs: Sequence[ModelInput]) -> Iterator[Batch]:
    """The rows of an NPY file."""
    if len(inputs) > 1:
        names = ", ".join(f'"{model_input.name}"' for model_input in inputs)
        refuse("", f"a form with columns for the inputs {names}", "a single array")
    if has_categories(inputs):
        refuse("", "a form with columns, as some hold categories", "a single array")
    (model_input,) = inputs
    shape, dtype = _read_npy_header(file)
    fits = len(shape) == 1 + len(model_input.shape) and all(
        length in (None, given) for length, given in zip(model_input.shape, shape[1:], strict=True)
    )
    if not fits:
        wanted = ["n", *("any" if length is None else str(length) for length in model_input.shape)]
        refuse("", f"an array of shape [{', '.join(wanted)}]", f"{list(shape)}")
    size = math.prod(shape[1:])
    here = file.tell()
    if file.seek(0, 2) - here != shape[0] * size * dtype.itemsize:
        refuse("", f"{shape[0] * size * dtype.itemsize} bytes of numbers", f"{file.tell() - here}")
    file.seek(here)
    for start in range(0, shape[0], most_rows(inputs)):
        rows = min(most_rows(inputs), shape[0] - start)
        packed = np.frombuffer(file.read(rows * size * dtype.itemsize), dtype).reshape(rows, *shape[1:])
        fitted = fit_numbers(packed.astype(np.float64), inputs)
        if fitted is None:
            find_misfit({model_input.name: packed.astype(np.float64)}, inputs, start)
        yield fitted


def _read_npy_header(file: IO[bytes]) -> tuple[tuple[int, ...], np.dtype[Any]]:
    readers = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
    try:
        version = np.lib.format.read_magic(file)
        shape, by_column, dtype = readers[version](file)
    except (ValueError, KeyError, SyntaxError, TypeError, TokenError, RecursionError, MemoryError) as error:
        raise InvalidDocument.at(
            "", f"Expected an NPY file; received something else: {error}"[:300]
        ) from error
    if dtype.kind not in "fiu" or by_column:
        what = "numbers column by column" if by_column else f"{dtype}"
        refuse("", "an array of integers or floating-point numbers, row by row", what)
    return shape, dtype
