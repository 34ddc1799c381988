"""Documents of constrained runs whose best answer is known."""

from collections.abc import Sequence
from itertools import combinations
from typing import Any

import numpy as np

from tests.support.training import Document

TARGETS = (0.9, 0.8, 0.75, 0.6, 0.55, 0.2)
"""Of the free outputs whose elements above ½ are limited."""


def free_outputs(
    targets: Sequence[float], loss: str, constraints: Sequence[Any], seed: int = 0, **fields: Any
) -> Document:
    """Outputs that are weights themselves: one sample, its input always 1."""
    return {
        "seed": seed,
        "dataset": {"inline": {"x": [[1.0]], "y": [list(targets)]}},
        "model": {"layers": [{"type": "Dense", "units": len(targets), "use_bias": False}]},
        "loss": {"type": "expression", "expression": loss},
        "constraints": list(constraints),
        "optimizer": {"type": "Adam", "learning_rate": 0.01},
        "fit": {"epochs": 1000},
        **fields,
    }


def count_document(k: int, seed: int = 0, **limit: Any) -> Document:
    """At most `k` of six free outputs above ½."""
    constraint = {"quantity": {"type": "elements_above", "threshold": 0.5}, "at_most": k, **limit}
    return free_outputs(TARGETS, "sum(square(y_true - y_pred))", [constraint], seed)


def best_count_loss(k: int) -> float:
    """The least loss: the k largest stay, the others are clipped."""
    return sum(max(target - 0.5, 0) ** 2 for target in sorted(TARGETS, reverse=True)[k:])


def linear(coefficients: Sequence[float], **limit: float) -> dict[str, Any]:
    return {"quantity": {"type": "linear", "coefficients": [float(c) for c in coefficients]}, **limit}


def quadratic_program(seed: int, variables: int) -> tuple[np.ndarray, np.ndarray]:
    """A and b of five limits, singular values of A between 1.5 and 2.5, |b| = 1."""
    random = np.random.default_rng(seed)
    left, _ = np.linalg.qr(random.normal(size=(5, 5)))
    right, _ = np.linalg.qr(random.normal(size=(variables, 5)))
    b = random.normal(size=5)
    return left @ np.diag(random.uniform(1.5, 2.5, 5)) @ right.T, b / np.linalg.norm(b)


def solve(a: np.ndarray, b: np.ndarray, *, equality: bool) -> tuple[np.ndarray, np.ndarray]:
    """min |x|² with Ax ≤ b or Ax = b, and its multipliers, by trying every set of active limits."""
    everything = tuple(range(len(b)))
    sizes = [len(b)] if equality else range(len(b) + 1)
    for active in (list(s) for size in sizes for s in combinations(everything, size)):
        multipliers = np.zeros(len(b))
        multipliers[active] = np.linalg.solve(a[active] @ a[active].T, -2 * b[active])
        x = -a.T @ multipliers / 2
        if equality or ((multipliers >= -1e-9).all() and (a @ x <= b + 1e-9).all()):
            return x, multipliers
    raise AssertionError("No set of limits is the active one.")
