"""What a request may name to be scored: a run, a named model, or an ensemble of runs."""

from typing import Literal, NamedTuple

Combine = Literal["mean", "vote"]


class RunTarget(NamedTuple):
    """The model of a run that has succeeded."""

    run_id: str


class ModelTarget(NamedTuple):
    """A version of a named model; None is the current one."""

    name: str
    version: int | None = None


class EnsembleTarget(NamedTuple):
    """Several runs that score together.

    Attributes:
        run_ids: the runs, at least one; all of the same inputs and outputs.
        combine: how their predictions become one, as `Ensemble` has it.
    """

    run_ids: tuple[str, ...]
    combine: Combine


Target = RunTarget | ModelTarget | EnsembleTarget
