"""A constraint of the document, ready to be held."""

from dataclasses import dataclass

from app.spec.constraints import Constraint
from app.spec.quantities import WeightsOf
from app.training.constraints.residuals import Residuals


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
        return self.method == "projection" and self.constraint.projects
