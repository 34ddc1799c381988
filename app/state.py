"""What the routes of one application share."""

from dataclasses import dataclass
from typing import Annotated, cast

from fastapi import Depends, Request

from app.database import Database
from app.models.names import ModelNames
from app.predictions.service import Predictor
from app.runs.files import RunFiles
from app.runs.waiting import RunWatcher
from app.settings import Settings


@dataclass(frozen=True)
class State:
    """The parts of the service that outlive a request.

    Attributes:
        settings: as the service was started.
        database: the one database.
        files: where artifacts lie.
        watcher: tells when a run ends.
        names: tells which runs a model's name stands for.
        predictor: scores with the models of finished runs.
    """

    settings: Settings
    database: Database
    files: RunFiles
    watcher: RunWatcher
    names: ModelNames
    predictor: Predictor


async def get_state(request: Request) -> State:
    """The state of the application that answers `request`."""
    return cast(State, request.app.state.kerb)


Shared = Annotated[State, Depends(get_state)]
