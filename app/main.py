"""The API process: `create_app()` puts its parts together."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

from fastapi import FastAPI
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from app import __version__, openapi
from app.bodies import problems
from app.calls import WaitingLine
from app.database import Database
from app.datasets.endpoints import router as datasets_router
from app.docs import add_docs
from app.envelope import Envelope
from app.evaluations.endpoints import router as evaluations_router
from app.gate import Gate, check_routes
from app.keys.keyring import Keyring
from app.losses.endpoints import router as losses_router
from app.models.endpoints import router as models_router
from app.models.names import ModelNames
from app.observation import MEDIA_TYPE, Observation
from app.open_inference.endpoints import router as open_inference_router
from app.plots.endpoints import router as plots_router
from app.plots.renderer import Renderer
from app.predictions.endpoints import router as predictions_router
from app.predictions.service import Predictor
from app.problems import add_problem_handlers
from app.rates import Rates
from app.readiness import get_readiness
from app.runs.endpoints import router as runs_router
from app.runs.files import RunFiles
from app.runs.waiting import RunWatcher
from app.settings import Settings, listed
from app.shortcut import PredictionShortcut
from app.starting import ALIVE
from app.state import MayAdminister, State
from app.sweeps.endpoints import router as sweeps_router
from app.tensorflow_serving.endpoints import router as tensorflow_serving_router


class Application(FastAPI):
    """FastAPI, with layers around its own, which take as long as a prediction."""

    def __init__(self, **arguments: Any) -> None:
        super().__init__(**arguments)
        self._outermost: ASGIApp = super().__call__

    def surround(self, layer: Callable[[ASGIApp], ASGIApp]) -> None:
        """Puts a layer around all that is there; the last one put is the first to see a request."""
        self._outermost = layer(self._outermost)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers a request."""
        scope["app"] = self
        await self._outermost(scope, receive, send)


def create_app(settings: Settings | None = None) -> Application:
    """The application.

    Args:
        settings: by default those of the environment. The database must have been migrated.
    """
    settings = settings or Settings()
    database = Database(settings.url_of_database())
    files = RunFiles(settings.data_dir)
    names = ModelNames(database)
    line = WaitingLine(settings.max_waiting_calls)
    predictor = Predictor(files, database, names, settings.open_models, settings.call_seconds, line)
    keys = Keyring(database, is_private=settings.is_private())
    observation = Observation(database)
    watcher, renderer = RunWatcher(database), Renderer()
    state = State(settings, keys, observation, database, files, watcher, names, predictor, line, renderer)
    app = Application(
        title="Kerb",
        version=__version__,
        summary="Trains and scores Keras models whose outputs must stay within declared limits.",
        lifespan=_lifespan(state),
        openapi_url=None,  # it's added below, with the page that shows it
        # Only to look whether somebody set it up takes time in each request.
        telemetry={"tracing": False, "metrics": False, "logs": False},
        generate_unique_id_function=lambda route: route.name,
    )
    app.state.kerb = state
    add_problem_handlers(app)
    app.surround(lambda inner: PredictionShortcut(inner, state))
    app.surround(lambda inner: Gate(inner, keys, Rates(settings.max_requests_per_second)))
    if settings.cors_origins:
        app.surround(lambda inner: CORSMiddleware(inner, listed(settings.cors_origins), **CORS))
    app.surround(lambda inner: Envelope(inner, settings, observation))
    app.include_router(runs_router)
    app.include_router(evaluations_router)
    app.include_router(plots_router)
    app.include_router(models_router)
    app.include_router(datasets_router)
    app.include_router(sweeps_router)
    app.include_router(losses_router)
    app.include_router(predictions_router)
    app.include_router(open_inference_router)
    app.include_router(tensorflow_serving_router)
    app.add_api_route("/healthz", get_health, tags=["service"], response_class=Response)
    app.add_api_route(
        "/readyz", get_readiness, tags=["service"], response_class=Response, responses=problems()
    )
    app.add_api_route(
        "/metrics", get_service_metrics, tags=["service"], response_class=Response, responses=METRICS
    )
    add_docs(app)
    check_routes(app)
    app.openapi = lambda: openapi.build(app)  # type: ignore[method-assign]
    return app


def _lifespan(state: State) -> Callable[[FastAPI], AbstractAsyncContextManager[None]]:
    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        yield
        state.watcher.close()
        state.predictor.close()
        await state.renderer.close()
        state.database.close()

    return lifespan


async def get_health() -> Response:
    """Whether the API process answers."""
    return Response(ALIVE, media_type="application/json")


CORS: dict[str, Any] = {
    "allow_methods": ("DELETE", "GET", "POST", "PUT"),
    "allow_headers": (
        "Authorization",
        "Content-Type",
        "Idempotency-Key",
        "Prefer",
        "X-API-Key",
        "X-Request-ID",
    ),
    "expose_headers": ("ETag", "Location", "Preference-Applied", "Retry-After", "X-Request-ID"),
}

METRICS = problems() | {200: {"content": {"text/plain": {"schema": {"type": "string"}}}}}


def get_service_metrics(state: MayAdminister) -> Response:
    """Figures of the service for Prometheus: requests, runs, queue, workers, memory."""
    return Response(state.observation.text(), media_type=MEDIA_TYPE)
