"""What a request may name to be scored: a run, a named model, or an ensemble of runs."""

import re
from typing import Literal, NamedTuple

from app.errors import NotFound

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


_RUN_ID = re.compile(r"run_[0-9a-f]{26}")
_VERSION = re.compile(r"[1-9]\d{0,9}", re.ASCII)

_MOST_VERSIONS = 2**31 - 1

RUN_VERSION = "1"
"""The version of a run, where a protocol wants one: a run never changes."""


def named_target(name: str, version: str | None = None) -> RunTarget | ModelTarget:
    """What a name in a path stands for: a run by its id, or a model.

    Args:
        name: as it came.
        version: likewise; None for the current one.

    Raises:
        NotFound: that can't be a version.
    """
    is_run = _RUN_ID.fullmatch(name) is not None
    if version is not None and not (version == RUN_VERSION if is_run else _is_version(version)):
        raise NotFound(f"There is no version {version!r} of {name!r}.")
    if is_run:
        return RunTarget(name)
    return ModelTarget(name, None if version is None else int(version))


def _is_version(text: str) -> bool:
    # Databases have no larger integers in such a column.
    return _VERSION.fullmatch(text) is not None and int(text) <= _MOST_VERSIONS
