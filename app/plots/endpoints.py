"""The routes of plots: HTTP in, HTTP out."""

from collections.abc import Callable
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Header, Query
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from app.bodies import json_answer, problems
from app.evaluations.own_data import own_data
from app.plots import schemas, service, sweeps
from app.plots.media import MEDIA_TYPES, Form, form_of
from app.plots.service import Wanted
from app.predictions.targets import RunTarget
from app.runs.history import read_history
from app.runs.service import get_run, load_spec
from app.state import MayRead, State
from app.sweeps.documents import Goal, Metric
from app.sweeps.results import table
from app.sweeps.service import get_sweep, outcomes_of, settings_of, spec_of

router = APIRouter(tags=["plots"])

MOST_POINTS = 2000

_PAGE_HEADERS = {
    # The page draws itself from what is in it; it mustn't load anything, nor run in another's frame.
    "Content-Security-Policy": "default-src 'none'; script-src 'unsafe-inline' 'unsafe-eval'; "
    "style-src 'unsafe-inline'; img-src data: blob:; frame-ancestors 'self'",
}


def _repeatable(most: int, description: str) -> Any:
    return Query(max_length=most, default_factory=list, description=f"{description}; repeatable.")


_FORM = Query(alias="format", description="`json`, `png`, `svg` or `html`, in place of `Accept`.")


@router.get("/runs/{run_id}/plots", response_model=schemas.PlotList, responses=problems(404))
def list_plots(run_id: str, state: MayRead) -> Response:
    """The plots that a run has by now."""
    with state.database.reading() as session:
        names = service.names_of_plots(get_run(session, run_id))
    items = [
        {"name": name, "title": service.TITLES[name], "href": f"/runs/{run_id}/plots/{name}"}
        for name in names
    ]
    return json_answer({"items": items})


_CONTENT: dict[str, Any] = {
    MEDIA_TYPES["json"]: {"schema": {"type": "object", "description": "A Vega-Lite document."}},
    MEDIA_TYPES["png"]: {"schema": {"type": "string", "format": "binary"}},
    MEDIA_TYPES["svg"]: {"schema": {"type": "string"}},
    MEDIA_TYPES["html"]: {"schema": {"type": "string"}},
}


@router.get(
    "/runs/{run_id}/plots/{name}",
    response_class=Response,
    responses=problems(404, 409, 422, 503) | {200: {"content": _CONTENT}},
)
async def get_plot(
    run_id: str,
    name: str,
    state: MayRead,
    series: Annotated[list[str], _repeatable(service.MOST_SERIES, "Of `loss`: columns of the history")],
    layer: Annotated[list[str], _repeatable(service.MOST_LAYERS, "Of `activations`: which layers")],
    asked_form: Annotated[str | None, _FORM] = None,
    max_points: Annotated[
        int, Query(ge=1, le=MOST_POINTS, description="At most so many epochs, evenly spread.")
    ] = 500,
    split: Annotated[str | None, Query(description="Which part of the data.")] = None,
    output: Annotated[str | None, Query(description="Of a model of several outputs: which.")] = None,
    accept: Annotated[str, Header()] = "application/json",
) -> Response:
    """A plot of a run: a Vega-Lite document, or drawn as PNG, as SVG, or as a page that needs no network.

    The form is told by the end of the name (`loss.png`), by `format`, or by `Accept`.
    """
    name, _, suffix = name.partition(".")
    form = form_of(suffix, asked_form, accept)
    wanted = Wanted(name, max_points, series, split, output, layer)
    document = await _document(state, run_id, wanted)
    return await _answer(state, document, form)


@router.get("/sweeps/{sweep_id}/plots", response_model=schemas.PlotList, responses=problems(404))
def list_sweep_plots(sweep_id: str, state: MayRead) -> Response:
    """The plots of a sweep, which grow with it."""
    with state.database.reading() as session:
        get_sweep(session, sweep_id)
    items = [
        {"name": name, "title": title, "href": f"/sweeps/{sweep_id}/plots/{name}"}
        for name, title in sweeps.TITLES.items()
    ]
    return json_answer({"items": items})


@router.get(
    "/sweeps/{sweep_id}/plots/{name}",
    response_class=Response,
    responses=problems(404, 409, 422, 503) | {200: {"content": _CONTENT}},
)
async def get_sweep_plot(
    sweep_id: str,
    name: str,
    state: MayRead,
    asked_form: Annotated[str | None, _FORM] = None,
    metric: Annotated[
        Metric | None,
        Query(description="Of `settings`: a figure of the table; by default the first objective's."),
    ] = None,
    x: Annotated[Metric | None, Query(description="Of `tradeoff`: a figure of the table.")] = None,
    y: Annotated[Metric | None, Query(description="Of `tradeoff`: another.")] = None,
    x_goal: Annotated[Goal | None, Query(description="Which of its values are better.")] = None,
    y_goal: Annotated[Goal | None, Query(description="Likewise of the other.")] = None,
    accept: Annotated[str, Header()] = "application/json",
) -> Response:
    """A plot of a sweep, in the same forms as those of runs.

    Without `x` and `y` the trade-off is that of the sweep's first two objectives, or of its objective and its
    first limit.
    """
    name, _, suffix = name.partition(".")
    form = form_of(suffix, asked_form, accept)
    wanted = sweeps.Wanted(name, metric, x, y, x_goal, y_goal)
    document = await run_in_threadpool(_written, lambda: _sweep_plot(state, sweep_id, wanted))
    return await _answer(state, document, form)


def _sweep_plot(state: State, sweep_id: str, wanted: sweeps.Wanted) -> dict[str, Any]:
    with state.database.reading() as session:
        row = get_sweep(session, sweep_id)
        rows = table(settings_of(session, sweep_id), outcomes_of(session, sweep_id))
        return sweeps.sweep_plot(row, spec_of(row), rows, wanted)


async def _document(state: State, run_id: str, wanted: Wanted) -> bytes:
    if wanted.name not in service.OF_MODEL:
        return await run_in_threadpool(_written, lambda: _stored_plot(state, run_id, wanted))
    await run_in_threadpool(_check, state, run_id, wanted)
    served = await state.predictor.resolve(RunTarget(run_id))

    def scored() -> dict[str, Any]:
        with state.database.reading() as session:
            run = get_run(session, run_id)
            spec = load_spec(session, run)
        data = own_data(spec, state.database, state.settings.data_dir)
        return service.model_plot(run, spec, served.scorer, data, wanted)

    return await run_in_threadpool(_written, scored)


def _check(state: State, run_id: str, wanted: Wanted) -> None:
    with state.database.reading() as session:
        service.check_plot(get_run(session, run_id), wanted.name)


def _stored_plot(state: State, run_id: str, wanted: Wanted) -> dict[str, Any]:
    with state.database.reading() as session:
        run = get_run(session, run_id)
        service.check_plot(run, wanted.name)
        if wanted.name in ("confusion_matrix", "calibration"):
            return service.statistics_plot(run, wanted)
        return service.history_plot(run, load_spec(session, run), read_history(session, run), wanted)


def _written(build: Callable[[], dict[str, Any]]) -> bytes:
    return orjson.dumps(build(), option=orjson.OPT_SERIALIZE_NUMPY)


async def _answer(state: State, document: bytes, form: Form) -> Response:
    headers = {"Vary": "Accept"}
    if form == "json":
        return Response(document, media_type=MEDIA_TYPES[form], headers=headers)
    content = await state.renderer.render(document, form)
    more = _PAGE_HEADERS if form == "html" else {}
    return Response(content, media_type=MEDIA_TYPES[form], headers=headers | more)
