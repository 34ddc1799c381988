"""What the routes of one application share, and what a route must declare to have it."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Annotated, NamedTuple, cast

from fastapi import Depends, FastAPI, Request
from fastapi.routing import iter_route_contexts
from starlette.types import Scope as AsgiScope

from app.calls import WaitingLine
from app.database import Database
from app.errors import Forbidden
from app.keys.keyring import Keyring
from app.keys.service import Access, Scope
from app.models.names import ModelNames
from app.observation import Observation
from app.plots.renderer import Renderer
from app.predictions.service import Predictor
from app.runs.files import RunFiles
from app.runs.waiting import RunWatcher
from app.settings import Settings

ACCESS = "kerb.access"
"""Where `app.gate` leaves what a request may do."""


@dataclass(frozen=True)
class State:
    """The parts of the service that outlive a request, as one project sees them.

    Attributes:
        settings: as the service was started.
        keys: tells what a request may do.
        observation: counts requests, and tells figures of the whole service.
        database: the one database; a project's transactions see its own rows only.
        files: where artifacts lie. They are found by the ids of runs, which must come from the database.
        watcher: tells when a run ends.
        names: tells which runs a model's name stands for.
        predictor: scores with the models of finished runs.
        line: those who wait for a worker.
        renderer: draws plots.
    """

    settings: Settings
    keys: Keyring
    observation: Observation
    database: Database
    files: RunFiles
    watcher: RunWatcher
    names: ModelNames
    predictor: Predictor
    line: WaitingLine
    renderer: Renderer
    _of_projects: "dict[str, State]" = field(default_factory=dict)

    def of_project(self, project: str) -> "State":
        """The same for those who work in a project."""
        state = self._of_projects.get(project)
        if state is None:
            database = self.database.of_project(project)
            names = ModelNames(database)
            predictor = self.predictor.of_project(database, names)
            state = replace(self, database=database, names=names, predictor=predictor)
            self._of_projects[project] = state
        return state

    def seen_by(self, access: Access, needed: Scope) -> "State":
        """The same for a request that may do `access`.

        Raises:
            Forbidden: its key hasn't the scope that is needed.
        """
        if needed not in access.scopes:
            had = ", ".join(sorted(access.scopes)) or "none"
            raise Forbidden(f"Expected a key with the scope {needed}; received one with {had}.")
        return self.of_project(access.project)


class Needs:
    """A dependency: the state, for requests whose key has a scope.

    A route can have the state in no other way, so none sees or changes anything without saying what it needs,
    nor anything of another project.

    Args:
        scope: which; None for routes that anybody may ask, and that see no project's rows.
    """

    def __init__(self, scope: Scope | None) -> None:
        self.scope = scope

    async def __call__(self, request: Request) -> State:
        """The state as the project of the request's key sees it.

        Raises:
            Forbidden: the key hasn't the scope.
        """
        return find_state(request.scope, self.scope)


def find_state(request: AsgiScope, needed: Scope | None) -> State:
    """The state for a request that `app.gate` let in.

    Raises:
        Forbidden: its key hasn't the scope that is needed.
    """
    state = cast(State, request["app"].state.kerb)
    return state.of_project("") if needed is None else state.seen_by(request[ACCESS], needed)


class DeclaredRoute(NamedTuple):
    """A route, and the scopes that it says it needs."""

    path: str
    methods: frozenset[str]
    scopes: tuple[Scope, ...]


def declared_routes(app: FastAPI) -> Iterator[DeclaredRoute]:
    """The routes of an application; the OpenAPI document describes all but those that only refuse."""
    for route in iter_route_contexts(app.routes):
        if route.path is not None and route.methods is not None and hasattr(route, "dependant"):
            calls = [needed.call for needed in route.dependant.dependencies]
            scopes = tuple(call.scope for call in calls if isinstance(call, Needs) and call.scope is not None)
            yield DeclaredRoute(route.path, frozenset(route.methods), scopes)


ForAll = Annotated[State, Depends(Needs(None))]
MayRead = Annotated[State, Depends(Needs("read"))]
MayPredict = Annotated[State, Depends(Needs("predict"))]
MayTrain = Annotated[State, Depends(Needs("train"))]
MayAdminister = Annotated[State, Depends(Needs("admin"))]
