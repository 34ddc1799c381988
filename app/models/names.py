"""Which runs a model's name stands for, remembered for the moment, as each prediction by name asks."""

import time
from collections import OrderedDict
from typing import NamedTuple

from app.database import Database
from app.models.service import Members, get_version, members_in
from app.predictions.targets import ModelTarget

FRESH_SECONDS = 1.0
"""How long a name counts as unchanged; what this process changes itself it forgets at once."""

MOST_NAMES = 1024


class ModelVersion(NamedTuple):
    """A version that a name was found to stand for."""

    target: ModelTarget
    members: Members
    read_at: float


class ModelNames:
    """Finds the version that a name stands for.

    `get`, `keep` and `forget` are for the event loop's thread alone; `read` is for any thread.

    Args:
        database: where models are stored.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._known: OrderedDict[ModelTarget, ModelVersion] = OrderedDict()
        self.changes = 0
        """How often something was forgotten; what was read before that must not be kept after."""

    def get(self, target: ModelTarget) -> ModelVersion | None:
        """What is known, unless it's too long ago."""
        known = self._known.get(target)
        return known if known is not None and time.monotonic() - known.read_at < FRESH_SECONDS else None

    def read(self, target: ModelTarget) -> ModelVersion:
        """What the database says.

        Raises:
            NotFound: there is no such model, or no such version of it.
        """
        read_at = time.monotonic()
        with self._database.reading() as session:
            version = get_version(session, *target)
            return ModelVersion(ModelTarget(version.name, version.version), members_in(version), read_at)

    def keep(self, target: ModelTarget, found: ModelVersion, changes: int) -> None:
        """Remembers what was read, if nothing was forgotten since `changes` was looked at."""
        if changes == self.changes:
            self._known[target] = found
            self._known.move_to_end(target)
            if len(self._known) > MOST_NAMES:
                self._known.popitem(last=False)

    def forget(self) -> None:
        """Forgets all, as a model has been changed."""
        self.changes += 1
        self._known.clear()
