"""A constraint of the document, ready to be held."""

from dataclasses import dataclass

from app.spec.constraints import Constraint
from app.spec.quantities import WeightsOf, WeightSparsity
from app.training.constraints.residuals import Residuals

LEARNING = ("lagrangian", "augmented_lagrangian", "exact_penalty")
"""Methods that find by themselves how hard to push."""

PENALTIES = ("penalty", "exact_penalty")
"""Methods that push all residuals that break a limit alike."""


@dataclass(frozen=True)
class Limit:
    """A constraint of the document, ready to be held.

    Attributes:
        constraint: as the document has it.
        name: its columns in the history begin with it.
        of: what its quantity is measured on.
        method: how it's held, never `auto`.
        residuals: what gradients flow through.
        layers: whose activations it needs.
    """

    constraint: Constraint
    name: str
    of: str | WeightsOf
    method: str
    residuals: tuple[Residuals, ...]
    layers: tuple[str, ...]

    @property
    def trains_projected(self) -> bool:
        """Whether the model that is trained projects its predictions onto the limit."""
        return self.method == "projection" and not isinstance(self.constraint.quantity, WeightSparsity)

    @property
    def projects(self) -> bool:
        """Whether the served model projects its predictions onto the limit."""
        return self.constraint.guarantee or self.trains_projected

    @property
    def gradual(self) -> bool:
        """Whether it sets in at once, but exempts more residuals at first than it may in the end."""
        return self.method == "exact_penalty" and any(residuals.gradual for residuals in self.residuals)
