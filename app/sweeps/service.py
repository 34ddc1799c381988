"""What can be done with sweeps: make, look at, carry on, cancel. Knows no HTTP."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session, undefer

from app.database import Database, utc_now
from app.datasets.service import describe_dataset
from app.errors import Conflict, InvalidDocument, NotFound
from app.ids import new_id
from app.runs.figures import figures_of
from app.runs.service import NewRun, check_queue, check_start
from app.runs.tables import ENDED, RunRow
from app.settings import Settings
from app.spec.described_dataset import DatasetDescription
from app.spec.parsing import parse, parse_run
from app.spec.run import RunSpec
from app.sweeps.documents import GuidedSearch, SweepSpec
from app.sweeps.planning import build_runs, checked_document, total_runs
from app.sweeps.results import Outcome
from app.sweeps.settings import Setting, corners, document_of, planned_settings
from app.sweeps.tables import SweepRow, SweepRunRow, SweepSettingRow

Built = list[tuple[NewRun, SweepRunRow]]


def create_sweep(database: Database, sweep: SweepSpec, limits: Settings) -> str:
    """Puts the runs of a sweep into the queue; its id. Those of a guided search are for a worker to choose.

    Raises:
        InvalidDocument: a setting isn't a run document that can be trained, or there are too many runs.
        TooMany: as many runs are queued as may be.
    """
    guided = isinstance(sweep.search, GuidedSearch)
    settings = list(corners(sweep)) if guided else planned_settings(sweep)
    base = base_of(sweep, settings[0])
    with database.reading() as session:
        described = check_references(session, base)
    runs = [checked_document(sweep, setting, described, limits) for setting in settings]
    count = sweep.search.trials if isinstance(sweep.search, GuidedSearch) else len(settings)
    row = SweepRow(
        id=new_id("sweep"),
        name=sweep.name,
        status="running",
        created_at=utc_now(),
        total=total_runs(sweep, count, base.fit.epochs),
        document=sweep.document(),
    )
    built = [] if guided else [build_runs(row.id, sweep, run, number, 0) for number, run in enumerate(runs)]
    with database.writing() as session:
        check_references(session, base)  # so that nothing is deleted meanwhile
        check_queue(session, sum(map(len, built)), limits.max_queued_runs)
        session.add(row)
        session.flush()
        for number, of_setting in enumerate(built):
            session.add(SweepSettingRow(sweep_id=row.id, number=number, parameters=settings[number]))
            add_runs(session, of_setting)
    return row.id


def base_of(sweep: SweepSpec, setting: Setting) -> RunSpec:
    """The first setting's document; dataset and epochs are the same in all, or the sweep is refused."""
    document = document_of(sweep, setting)
    with _pointing_into_base():
        return parse_run(document)


def check_references(session: Session, base: RunSpec) -> DatasetDescription | None:
    """That the dataset and the run that a document names are there; the dataset's description."""
    with _pointing_into_base():
        check_start(session, base.start_from)
        return describe_dataset(session, base.dataset)


@contextmanager
def _pointing_into_base() -> Iterator[None]:
    """Makes pointers into a run document those into the sweep's document."""
    try:
        yield
    except InvalidDocument as error:
        raise InvalidDocument(
            [problem._replace(pointer="/base" + problem.pointer) for problem in error.problems]
        ) from error


def add_runs(session: Session, built: Built) -> None:
    """Puts runs into the queue."""
    session.add_all([new.run for new, _ in built])
    session.flush()
    session.add_all([part for new, _ in built for part in new.parts])
    session.add_all([place for _, place in built])


def get_sweep(session: Session, sweep_id: str) -> SweepRow:
    """The sweep of that id, with its document.

    Raises:
        NotFound: there is none.
    """
    sweep = session.get(SweepRow, sweep_id, options=[undefer(SweepRow.document)])
    if sweep is None:
        raise NotFound(f"There is no sweep {sweep_id!r}.")
    return sweep


def list_sweeps(session: Session, limit: int, after: str | None) -> tuple[list[SweepRow], bool]:
    """Sweeps from the newest on, and whether there are more."""
    query = select(SweepRow).order_by(SweepRow.id.desc()).limit(limit + 1)
    if after is not None:
        query = query.where(SweepRow.id < after)
    sweeps = list(session.scalars(query))
    return sweeps[:limit], len(sweeps) > limit


def spec_of(sweep: SweepRow) -> SweepSpec:
    """The document of a sweep."""
    return parse(SweepSpec, sweep.document)


def settings_of(session: Session, sweep_id: str) -> dict[int, Setting]:
    """The settings that a sweep has taken, by number."""
    query = select(SweepSettingRow).where(SweepSettingRow.sweep_id == sweep_id)
    return {row.number: row.parameters for row in session.scalars(query.order_by(SweepSettingRow.number))}


def outcomes_of(session: Session, sweep_id: str) -> list[Outcome]:
    """The runs of a sweep that have succeeded, and whose figures are gathered."""
    query = select(SweepRunRow).where(SweepRunRow.sweep_id == sweep_id).order_by(SweepRunRow.run_id)
    return [
        Outcome(row.run_id, row.setting, row.rung, row.repeat, row.fold, row.metrics)
        for row in session.scalars(query)
        if row.metrics is not None
    ]


def count_ended(session: Session, sweep_ids: Sequence[str]) -> dict[str, dict[str, int]]:
    """How many runs of each sweep have ended, by status."""
    query = (
        select(SweepRunRow.sweep_id, RunRow.status, func.count())
        .join(RunRow, RunRow.id == SweepRunRow.run_id)
        .where(SweepRunRow.sweep_id.in_(sweep_ids), RunRow.status.in_(ENDED))
        .group_by(SweepRunRow.sweep_id, RunRow.status)
    )
    counts: dict[str, dict[str, int]] = {sweep_id: {} for sweep_id in sweep_ids}
    for sweep_id, status, count in session.execute(query):
        counts[sweep_id][status] = count
    return counts


def cancel_sweep(session: Session, sweep_id: str) -> list[str]:
    """Ends a sweep and its runs that are queued or running; the ids of those, whose files may go.

    Raises:
        NotFound: there is none.
        Conflict: it ended by itself before.
    """
    sweep = get_sweep(session, sweep_id)
    if sweep.status == "cancelled":
        return []
    if sweep.status != "running":
        raise Conflict(f"Expected a sweep that is running; sweep {sweep_id} has {sweep.status}.")
    gather(session, sweep_id)
    cancelled = session.scalars(
        update(RunRow)
        .where(
            RunRow.id.in_(select(SweepRunRow.run_id).where(SweepRunRow.sweep_id == sweep_id)),
            RunRow.status.in_(("queued", "running")),
        )
        .values(status="cancelled", finished_at=RunRow.end_now(), worker_id=None, lease_expires_at=None)
        .returning(RunRow.id)
    ).all()
    close(session, sweep, "cancelled")
    return list(cancelled)


def close(session: Session, row: SweepRow, status: str) -> None:
    """Ends a sweep: not before it began, nor before its runs ended, even if the clock was put back."""
    runs = select(SweepRunRow.run_id).where(SweepRunRow.sweep_id == row.id)
    last_end = session.scalar(select(func.max(RunRow.finished_at)).where(RunRow.id.in_(runs)))
    row.status, row.finished_at = status, max(utc_now(), row.created_at, last_end or row.created_at)


def gather(session: Session, sweep_id: str) -> None:
    """Keeps the figures of runs that have succeeded with their places in the sweep."""
    query = (
        select(SweepRunRow, RunRow)
        .join(RunRow, RunRow.id == SweepRunRow.run_id)
        .where(SweepRunRow.sweep_id == sweep_id, SweepRunRow.metrics.is_(None), RunRow.status == "succeeded")
        .options(undefer(RunRow.statistics))
    )
    for place, run in session.execute(query).all():
        place.metrics = figures_of(session, run)
    session.flush()
