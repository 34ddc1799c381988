"""The figures of a trained model, from plain arrays: NumPy only, so that API and training share them.

Every function takes arrays and returns a dict of JSON values. A figure that is undefined (a precision
without a positive prediction) or not finite is `None`.
"""

from app.statistics.activation_sparsity import GatheredSparsity, activation_sparsity
from app.statistics.classification import classification
from app.statistics.elements_above import (
    counts_above,
    elements_above,
    figures_of_counts,
    samples_by_count,
)
from app.statistics.regression import regression
from app.statistics.weight_sparsity import weight_sparsity

__all__ = [
    "GatheredSparsity",
    "activation_sparsity",
    "classification",
    "counts_above",
    "elements_above",
    "figures_of_counts",
    "regression",
    "samples_by_count",
    "weight_sparsity",
]
