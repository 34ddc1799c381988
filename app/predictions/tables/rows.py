"""What the readers of all tabular forms share: how many rows at once, names of columns, what is refused."""

import math
from collections.abc import Iterator, Sequence
from typing import IO, NoReturn

import numpy as np

from app.errors import InvalidDocument
from app.predictions.columns import assign_columns
from app.predictions.numbers import fit_numbers
from app.predictions.sessions import Array, ModelInput
from app.spec.pointers import join, received

BLOCK_BYTES = 256 * 1024
"""About how much of a file of lines is parsed at once; Python runs nothing else meanwhile."""

LONGEST_LINE_BYTES = 16 * 1024 * 1024

Batch = dict[str, Array]
"""Arrays by input name, each (n, …) of its input's dtype, n ≥ 1."""


def most_rows(inputs: Sequence[ModelInput]) -> int:
    """How many rows are scored at once: as many as have about a quarter of a million numbers."""
    sample = sum(math.prod(length or 1 for length in model_input.shape) for model_input in inputs)
    return max(1, min(8192, 2**18 // max(1, sample)))


def blocks(file: IO[bytes]) -> Iterator[bytes]:
    """A file of lines, some whole lines at a time."""
    while block := file.read(BLOCK_BYTES):
        if not block.endswith(b"\n"):
            rest = file.readline(LONGEST_LINE_BYTES)
            if len(rest) == LONGEST_LINE_BYTES:
                refuse("", f"lines of at most {LONGEST_LINE_BYTES} bytes", "a longer one")
            block += rest
        yield block


def check_names(names: Sequence[str], inputs: Sequence[ModelInput]) -> None:
    """Raises unless each column has a name of its own, and the model takes just these columns."""
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        refuse("/columns", "columns of different names", f"{received(twice)} more than once")
    assign_columns(names, inputs, "/columns")


def find_misfit(columns: dict[str, Array], inputs: Sequence[ModelInput], first: int) -> NoReturn:
    """Raises at the first number that an input can't hold."""
    assigned = assign_columns(list(columns), inputs, "/columns")
    for model_input in inputs:
        for name in assigned[model_input.name]:
            scalar = [model_input._replace(name=name, shape=columns[name].shape[1:])]
            for row, value in enumerate(columns[name]):
                if fit_numbers(value[np.newaxis], scalar) is None:
                    number = value if value.ndim == 0 else value[~np.isfinite(value)][:1]
                    shown = f"{number}".strip("[]") or "others"
                    wanted = "finite numbers" if model_input.dtype.kind == "f" else "whole numbers"
                    refuse(
                        join("/columns", name, first + row), f"{wanted} that {model_input.dtype} holds", shown
                    )
    refuse("/columns", "columns of the shapes that the model takes", "others")


def refuse(pointer: str, expected: str, given: str) -> NoReturn:
    """Raises what an answer tells of a file."""
    raise InvalidDocument.at(pointer, f"Expected {expected}; received {given}.")
