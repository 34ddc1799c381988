"""Keras's losses, with Keras's names, arguments and defaults."""

from typing import Annotated, Literal

from pydantic import Field

from app.spec.losses.base import Fraction, Loss, Weight

Axis = Annotated[int, Field(ge=-8, le=7)]
"""An axis of the predictions; 0 is the batch, -1 the last one."""

Axes = Axis | list[Axis] | None
"""Axes to sum over; none sums over the whole batch."""


class MeanSquaredError(Loss):
    """`mean((y − ŷ)²)`."""

    type: Literal["mean_squared_error"] = "mean_squared_error"


class MeanAbsoluteError(Loss):
    """`mean(|y − ŷ|)`."""

    type: Literal["mean_absolute_error"] = "mean_absolute_error"


class MeanAbsolutePercentageError(Loss):
    """`100 · mean(|y − ŷ| / max(|y|, 1e-7))`."""

    type: Literal["mean_absolute_percentage_error"] = "mean_absolute_percentage_error"


class MeanSquaredLogarithmicError(Loss):
    """`mean((log(y + 1) − log(ŷ + 1))²)`; what is below 1e-7 counts as 1e-7."""

    type: Literal["mean_squared_logarithmic_error"] = "mean_squared_logarithmic_error"


class Huber(Loss):
    """With d = y − ŷ, the mean of `½d²` where |d| ≤ delta, and of `delta·|d| − ½delta²` elsewhere."""

    type: Literal["huber"] = "huber"
    delta: Annotated[float, Field(gt=0)] = 1.0
    """Where the square goes over into a line."""


class LogCosh(Loss):
    """`mean(log(cosh(ŷ − y)))`."""

    type: Literal["log_cosh"] = "log_cosh"


class BinaryCrossentropy(Loss):
    """`−mean(y·log ŷ + (1 − y)·log(1 − ŷ))`."""

    type: Literal["binary_crossentropy"] = "binary_crossentropy"
    from_logits: bool = False
    """Whether predictions are logits rather than probabilities."""
    label_smoothing: Fraction = 0.0
    """The targets become `y·(1 − label_smoothing) + ½label_smoothing`."""
    axis: Axis = -1
    """The axis that the mean is taken over."""


class CategoricalCrossentropy(Loss):
    """`−Σ y·log ŷ` over the classes; targets are one-hot or probabilities."""

    type: Literal["categorical_crossentropy"] = "categorical_crossentropy"
    from_logits: bool = False
    """Whether predictions are logits rather than probabilities."""
    label_smoothing: Fraction = 0.0
    """The targets become `y·(1 − label_smoothing) + label_smoothing / classes`."""
    axis: Axis = -1
    """The axis of the classes."""


class SparseCategoricalCrossentropy(Loss):
    """`−log ŷ` of the true class; targets are integers, 0 the first class."""

    type: Literal["sparse_categorical_crossentropy"] = "sparse_categorical_crossentropy"
    from_logits: bool = False
    """Whether predictions are logits rather than probabilities."""
    ignore_class: int | None = None
    """A class whose elements don't count, such as 255 or -1 for "unknown"."""
    axis: Axis = -1
    """The axis of the classes."""


class BinaryFocalCrossentropy(Loss):
    """`mean((1 − p)^gamma · BCE)`, p the probability given to what is true (Lin et al., 2017)."""

    type: Literal["binary_focal_crossentropy"] = "binary_focal_crossentropy"
    apply_class_balancing: bool = False
    """Whether class 1 counts `alpha` and class 0 `1 − alpha`."""
    alpha: Fraction = 0.25
    """The weight of class 1."""
    gamma: Weight = 2.0
    """How much less the elements count that are already right."""
    from_logits: bool = False
    """Whether predictions are logits rather than probabilities."""
    label_smoothing: Fraction = 0.0
    """The targets become `y·(1 − label_smoothing) + ½label_smoothing`."""
    axis: Axis = -1
    """The axis that the mean is taken over."""


class CategoricalFocalCrossentropy(Loss):
    """`Σ alpha·(1 − ŷ)^gamma·(−y·log ŷ)` over the classes (Lin et al., 2017)."""

    type: Literal["categorical_focal_crossentropy"] = "categorical_focal_crossentropy"
    alpha: Weight | list[Weight] = 0.25
    """A factor, or a list of one for each class."""
    gamma: Weight = 2.0
    """How much less the classes count that are already right."""
    from_logits: bool = False
    """Whether predictions are logits rather than probabilities."""
    label_smoothing: Fraction = 0.0
    """The targets become `y·(1 − label_smoothing) + label_smoothing / classes`."""
    axis: Axis = -1
    """The axis of the classes."""


class KLDivergence(Loss):
    """`Σ y·log(y / ŷ)`, both clipped to [1e-7, 1]."""

    type: Literal["kl_divergence"] = "kl_divergence"


class Poisson(Loss):
    """`mean(ŷ − y·log ŷ)`."""

    type: Literal["poisson"] = "poisson"


class CosineSimilarity(Loss):
    """`−Σ y·ŷ / (‖y‖·‖ŷ‖)`, in [-1, 1]; -1 is the same direction."""

    type: Literal["cosine_similarity"] = "cosine_similarity"
    axis: Axis = -1
    """The axis of the vectors' components."""


class Hinge(Loss):
    """`mean(max(1 − y·ŷ, 0))`, y in {-1, 1}; targets in {0, 1} are taken for those."""

    type: Literal["hinge"] = "hinge"


class SquaredHinge(Loss):
    """`mean(max(1 − y·ŷ, 0)²)`, y in {-1, 1}; targets in {0, 1} are taken for those."""

    type: Literal["squared_hinge"] = "squared_hinge"


class CategoricalHinge(Loss):
    """`max(max((1 − y)·ŷ) − Σ y·ŷ + 1, 0)`; targets are one-hot."""

    type: Literal["categorical_hinge"] = "categorical_hinge"


class Dice(Loss):
    """`1 − 2·Σ y·ŷ / (Σy + Σŷ + 1e-7)`."""

    type: Literal["dice"] = "dice"
    axis: Axes = None
    """The axes to sum over; `null` sums over the whole batch."""


class Tversky(Loss):
    """`1 − Σ y·ŷ / (Σ y·ŷ + alpha·Σ (1 − ŷ)·y + beta·Σ ŷ·(1 − y) + 1e-7)` (Salehi et al., 2017)."""

    type: Literal["tversky"] = "tversky"
    alpha: Weight = 0.5
    """The weight of what is true and wasn't predicted."""
    beta: Weight = 0.5
    """The weight of what was predicted and isn't true."""
    axis: Axes = None
    """The axes to sum over; `null` sums over the whole batch."""
