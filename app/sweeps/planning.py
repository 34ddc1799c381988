"""The runs of a sweep: which come next, and their documents."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from app.errors import InvalidDocument
from app.limits import check_limits
from app.runs.service import NewRun, build_run
from app.settings import Settings
from app.spec.checks import check_run
from app.spec.described_dataset import DatasetDescription
from app.spec.folds import Fold
from app.spec.parsing import parse_run
from app.spec.run import RunSpec
from app.spec.split import Split
from app.sweeps.documents import MOST_RUNS, GuidedSearch, SweepSpec
from app.sweeps.guided import propose
from app.sweeps.results import ranked
from app.sweeps.settings import Setting, document_of
from app.sweeps.tables import SweepRunRow

TAG = "sweep"
"""The tag by which the runs of a sweep are found in the list of runs."""


@dataclass(frozen=True)
class Round:
    """Settings to be trained next.

    Attributes:
        rung: the round of successive halving, from 0.
        new: settings that haven't a number yet.
        again: numbers of those that have.
    """

    rung: int = 0
    new: Sequence[Setting] = ()
    again: Sequence[int] = ()


def checked_document(
    sweep: SweepSpec, setting: Setting, described: DatasetDescription | None, limits: Settings | None = None
) -> RunSpec:
    """The run document of a setting, checked; with the seed of the base, without a fold.

    Raises:
        InvalidDocument: it isn't one; pointers lead into the sweep's document.
    """
    document = document_of(sweep, setting)
    folds = sweep.all_folds
    try:
        run = parse_run(document)
        if folds is not None:
            run = run.model_copy(update={"split": Split(fold=Fold(**folds.model_dump()))})
        parameters = check_run(run, described).parameter_count
        if limits is not None:  # those of a search were checked at its corners
            check_limits(run, parameters, limits)
    except InvalidDocument as error:
        raise _located(error, setting) from error
    return run


def _located(error: InvalidDocument, setting: Setting) -> InvalidDocument:
    """The same, with pointers into the sweep's document."""
    with_setting = f" This is with {setting}." if setting else ""
    return InvalidDocument(
        [
            problem._replace(
                pointer="/folds" + problem.pointer.removeprefix("/split/fold")
                if problem.pointer.startswith("/split/fold")
                else "/base" + problem.pointer,
                message=problem.message + with_setting,
            )
            for problem in error.problems
        ]
    )


def epochs_of_rungs(sweep: SweepSpec, epochs: int) -> list[int]:
    """How many epochs the runs of each round have; the last round has `epochs`."""
    if sweep.halving is None:
        return [epochs]
    rungs = []
    rung = sweep.halving.epochs
    while rung < epochs:
        rungs.append(rung)
        rung *= sweep.halving.factor
    return [*rungs, epochs]


def total_runs(sweep: SweepSpec, settings: int, epochs: int) -> int:
    """As many runs as a sweep has in the end.

    Raises:
        InvalidDocument: they are too many.
    """
    total = 0
    for _ in epochs_of_rungs(sweep, epochs):
        total += settings * sweep.runs_of_setting
        settings = _kept(sweep, settings)
    if total > MOST_RUNS:
        raise InvalidDocument.at("", f"Expected at most {MOST_RUNS} runs in all; received {total}.")
    return total


def _kept(sweep: SweepSpec, settings: int) -> int:
    return settings if sweep.halving is None else math.ceil(settings / sweep.halving.factor)


def build_runs(
    sweep_id: str, sweep: SweepSpec, run: RunSpec, setting: int, rung: int
) -> list[tuple[NewRun, SweepRunRow]]:
    """The runs of a setting: one for each seed and fold.

    Args:
        sweep_id: of the sweep.
        sweep: the sweep.
        run: the setting's document.
        setting: its number.
        rung: the round.
    """
    folds = sweep.all_folds
    epochs = epochs_of_rungs(sweep, run.fit.epochs)[rung]
    built = []
    for repeat in range(sweep.repeats):
        for fold in [None] if folds is None else range(folds.count):
            changes: dict[str, Any] = {
                "seed": (run.seed + repeat) % 2**31,
                "tags": {**run.tags, TAG: sweep_id},
                "fit": run.fit.model_copy(update={"epochs": epochs}),
            }
            if folds is not None:
                changes["split"] = Split(fold=Fold(**folds.model_dump(), index=fold or 0))
            new = build_run(run.model_copy(update=changes), "", None)
            place = SweepRunRow(
                run_id=new.run.id, sweep_id=sweep_id, setting=setting, rung=rung, repeat=repeat, fold=fold
            )
            built.append((new, place))
    return built


def next_round(sweep: SweepSpec, rows: Sequence[dict[str, Any]], rung: int, epochs: int) -> Round | None:
    """What comes when all runs so far have ended; None at the sweep's end.

    Args:
        sweep: the sweep.
        rows: of the results' table.
        rung: the last round that was trained; where all its runs failed, no row is of it.
        epochs: of the base.
    """
    if isinstance(sweep.search, GuidedSearch):
        left = sweep.search.trials - len(rows)
        return Round(new=propose(sweep, rows, min(left, sweep.search.batch))) if left else None
    if rung + 1 >= len(epochs_of_rungs(sweep, epochs)):
        return None
    current = [row for row in ranked(sweep, rows) if row["rung"] == rung]
    kept = _kept(sweep, len([row for row in rows if row["rung"] == rung]))
    return Round(rung + 1, again=[row["setting"] for row in current[:kept]]) if current else None
