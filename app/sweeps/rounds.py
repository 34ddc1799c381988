"""What follows when runs of a sweep end: figures are gathered, the next runs queued, the sweep ended."""

import logging
from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from app.database import Database
from app.errors import InvalidDocument
from app.runs.tables import ENDED, RunRow
from app.spec.run import RunSpec
from app.sweeps.planning import build_runs, checked_document, next_round
from app.sweeps.results import table
from app.sweeps.service import (
    Built,
    add_runs,
    base_of,
    check_references,
    close,
    gather,
    get_sweep,
    outcomes_of,
    settings_of,
    spec_of,
)
from app.sweeps.settings import Setting, corners
from app.sweeps.tables import SweepRow, SweepRunRow, SweepSettingRow

logger = logging.getLogger(__name__)


def carry_on(database: Database) -> None:
    """Gathers what runs of sweeps came to, and queues the runs that come next. Workers call it in between."""
    with database.reading() as session:
        running = session.execute(select(SweepRow.id, SweepRow.project).where(SweepRow.status == "running"))
        waiting = [row for row in running.all() if _has_news(session, row.id)]
    for sweep_id, project in waiting:
        _carry_on(database.of_project(project), sweep_id)


def _has_news(session: Session, sweep_id: str) -> bool:
    """Whether a run has succeeded whose figures aren't gathered, or all runs have ended."""
    runs = select(RunRow.id).join(SweepRunRow, SweepRunRow.run_id == RunRow.id)
    runs = runs.where(SweepRunRow.sweep_id == sweep_id)
    new = runs.where(RunRow.status == "succeeded", SweepRunRow.metrics.is_(None)).limit(1)
    return session.scalar(new) is not None or not _goes_on(session, sweep_id)


def _goes_on(session: Session, sweep_id: str) -> bool:
    """Whether some of its runs haven't ended."""
    unfinished = select(RunRow.id).join(SweepRunRow, SweepRunRow.run_id == RunRow.id)
    unfinished = unfinished.where(SweepRunRow.sweep_id == sweep_id, RunRow.status.not_in(ENDED))
    return session.scalar(unfinished.limit(1)) is not None


def _carry_on(database: Database, sweep_id: str) -> None:
    try:
        with database.writing() as session:
            if _running(session, sweep_id) is None:
                return
            gather(session, sweep_id)
            if _goes_on(session, sweep_id):
                return
        planned = _plan(database, sweep_id)
        with database.writing() as session:
            _queue(session, sweep_id, planned)
    except InvalidDocument as error:
        pointer, message = error.problems[0]
        _fail_now(database, sweep_id, error.code, message, pointer)
    except SQLAlchemyError:
        raise
    except Exception:  # whatever it is, it ends this sweep and not the worker
        logger.exception("sweep failed unexpectedly sweep=%s", sweep_id)
        message = "The sweep ended with an error that Kerb doesn't know; the worker's log has the details."
        _fail_now(database, sweep_id, "internal_error", message, None)


def _running(session: Session, sweep_id: str) -> SweepRow | None:
    """The sweep, locked; None if it has ended."""
    query = select(SweepRow).where(SweepRow.id == sweep_id, SweepRow.status == "running").with_for_update()
    return session.scalars(query).first()


def _fail_now(database: Database, sweep_id: str, code: str, message: str, pointer: str | None) -> None:
    with database.writing() as session:
        row = _running(session, sweep_id)
        if row is not None:
            _fail(session, row, code, message, pointer)


def _fail(session: Session, row: SweepRow, code: str, message: str, pointer: str | None) -> None:
    close(session, row, "failed")
    row.error = {"code": code, "message": message, "pointer": pointer}


def _end(session: Session, row: SweepRow, some_succeeded: bool) -> None:
    """Ends a sweep whose runs have all ended; where runs failed, later rounds are smaller than planned."""
    runs = select(SweepRunRow.run_id).where(SweepRunRow.sweep_id == row.id)
    row.total = len(session.scalars(runs).all())
    if some_succeeded:
        close(session, row, "succeeded")
        logger.info("sweep succeeded sweep=%s", row.id)
        return
    failed = select(RunRow.error).where(RunRow.id.in_(runs), RunRow.status == "failed").order_by(RunRow.id)
    error = session.scalars(failed.limit(1)).first()
    said = "" if error is None else f" The first that failed says: {error['message']}"
    _fail(session, row, "runs_failed", f"None of its {row.total} runs succeeded.{said}", None)


@dataclass(frozen=True)
class _Planned:
    """What follows when all runs so far have ended.

    Attributes:
        after: how many runs there were.
        base: the first setting's document.
        settings: those that haven't a number yet, by the numbers that they get.
        built: the runs of each setting; none where the sweep ends.
        some_succeeded: whether one of those before did.
    """

    after: int
    base: RunSpec
    settings: dict[int, Setting]
    built: list[Built]
    some_succeeded: bool


def _plan(database: Database, sweep_id: str) -> _Planned:
    """What follows the runs so far. No transaction is open while a search proposes settings, as that takes
    a while; from the same results it's the same, whoever plans it.
    """
    with database.reading() as session:
        sweep = spec_of(get_sweep(session, sweep_id))
        settings, outcomes = settings_of(session, sweep_id), outcomes_of(session, sweep_id)
        after, rung = _runs_and_rung(session, sweep_id)
    base = base_of(sweep, settings[0] if settings else next(corners(sweep)))
    coming = next_round(sweep, table(settings, outcomes), rung, base.fit.epochs)
    if coming is None:
        return _Planned(after, base, {}, [], bool(outcomes))
    with database.reading() as session:
        described = check_references(session, base)
    new = dict(enumerate(coming.new, len(settings)))
    chosen = {number: settings[number] for number in coming.again} | new
    built = [
        build_runs(sweep_id, sweep, checked_document(sweep, setting, described), number, coming.rung)
        for number, setting in chosen.items()
    ]
    return _Planned(after, base, new, built, bool(outcomes))


def _runs_and_rung(session: Session, sweep_id: str) -> tuple[int, int]:
    """How many runs a sweep has, and their last round."""
    query = select(func.count(SweepRunRow.run_id), func.max(SweepRunRow.rung))
    found = session.execute(query.where(SweepRunRow.sweep_id == sweep_id)).one()
    return found[0], found[1] or 0


def _queue(session: Session, sweep_id: str, planned: _Planned) -> None:
    """Does what was planned, unless another has done so, or the sweep was cancelled."""
    row = _running(session, sweep_id)
    if row is None or _runs_and_rung(session, sweep_id)[0] != planned.after:
        return
    if not planned.built:
        _end(session, row, planned.some_succeeded)
        return
    check_references(session, planned.base)  # so that nothing is deleted meanwhile
    for number, setting in planned.settings.items():
        session.add(SweepSettingRow(sweep_id=sweep_id, number=number, parameters=setting))
    for of_setting in planned.built:
        add_runs(session, of_setting)
