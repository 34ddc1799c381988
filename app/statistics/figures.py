"""Small arithmetic that all statistics share."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


def finite(value: float) -> float | None:
    """`value` as a Python float, or None where JSON has no word for it (NaN, infinity)."""
    number = float(value)
    return number if math.isfinite(number) else None


def ratio(numerator: float, denominator: float) -> float | None:
    """`numerator / denominator`; None where that isn't defined or isn't finite."""
    return finite(numerator / denominator) if denominator else None


def flat_samples(array: Array) -> Array:
    """The array with one row a sample: (n, …) → (n, elements of a sample)."""
    return array.reshape(len(array), math.prod(array.shape[1:]))


def mean_of_defined(values: list[float | None]) -> float | None:
    """The mean of those values that aren't None; None if there are none."""
    defined = [value for value in values if value is not None]
    return ratio(math.fsum(defined), len(defined))


def all_finite(array: Array) -> bool:
    """Whether no element is NaN or infinite."""
    return bool(np.isfinite(array).all())
