"""Which runs retention deletes, on a real database with real files."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from app.database import Database, utc_now
from app.models.tables import ModelRow, ModelRunRow, ModelVersionRow
from app.retention import delete_surplus
from app.runs.files import RunFiles
from app.runs.service import build_run, create_run
from app.runs.tables import RunRow
from app.settings import Settings
from app.spec.parsing import parse_run
from app.sweeps.tables import SweepRow, SweepRunRow
from tests.support.documents import tiny_document

AddRun = Callable[..., str]


@pytest.fixture
def add_run(database: Database, tmp_path: Path) -> AddRun:
    """Stores a run that ended so many days ago, with a file of so many bytes; its id."""

    def add(status: str = "succeeded", days: float = 0, size: int = 10, **fields: Any) -> str:
        with database.writing() as session:
            run = create_run(session, build_run(parse_run(tiny_document(**fields)), "hash", None))
            run.status = status
            run.finished_at = utc_now() - timedelta(days=days)
        folder = RunFiles(tmp_path).artifacts(run.id)
        folder.mkdir(parents=True)
        (folder / "model.onnx").write_bytes(bytes(size))
        return run.id

    return add


def name(database: Database, run_id: str) -> None:
    with database.writing() as session:
        moments = {"created_at": utc_now(), "updated_at": utc_now()}
        session.add(ModelRow(name="spam", current_version=1, last_version=1, **moments))
        session.flush()
        session.add(ModelVersionRow(name="spam", version=1, combine=None, created_at=utc_now()))
        session.flush()
        session.add(ModelRunRow(name="spam", version=1, position=0, run_id=run_id))


def left(database: Database, tmp_path: Path) -> list[str]:
    """The runs that are there; their files are, too, and no others."""
    with database.reading() as session:
        run_ids = list(session.scalars(select(RunRow.id).order_by(RunRow.id)))
    assert sorted(RunFiles(tmp_path).runs_with_artifacts()) == run_ids
    return run_ids


def test_nothing_is_deleted_unless_a_setting_says_so(
    database: Database, add_run: AddRun, tmp_path: Path
) -> None:
    run_id = add_run(days=10_000)
    assert delete_surplus(Settings(data_dir=tmp_path), database) == []
    assert left(database, tmp_path) == [run_id]


@pytest.mark.parametrize("status", ["running", "succeeded"])
def test_what_a_running_sweep_needs_stays(
    database: Database, add_run: AddRun, tmp_path: Path, status: str
) -> None:
    run_id = add_run(days=8)
    with database.writing() as session:
        session.add(SweepRow(id="sweep_1", status=status, created_at=utc_now(), total=2, document={}))
        session.flush()
        session.add(SweepRunRow(run_id=run_id, sweep_id="sweep_1", setting=0, rung=0, repeat=0))

    deleted = delete_surplus(Settings(data_dir=tmp_path, retention_days=7), database)

    assert deleted == ([] if status == "running" else [run_id])


def test_by_age(database: Database, add_run: AddRun, tmp_path: Path) -> None:
    old = [add_run(days=8), add_run("failed", days=9), add_run("cancelled", days=9)]
    young, going = add_run(days=6), add_run("running", days=9)

    assert delete_surplus(Settings(data_dir=tmp_path, retention_days=7), database) == old
    assert left(database, tmp_path) == [young, going]


def test_by_count_the_oldest_go(database: Database, add_run: AddRun, tmp_path: Path) -> None:
    runs = [add_run() for _ in range(5)]
    queued = add_run("queued")

    assert delete_surplus(Settings(data_dir=tmp_path, retention_runs=2), database) == runs[:3]
    assert left(database, tmp_path) == [*runs[3:], queued]


def test_by_bytes_the_oldest_go_until_the_rest_fits(
    database: Database, add_run: AddRun, tmp_path: Path
) -> None:
    runs = [add_run(size=size) for size in (50, 0, 60, 30, 40)]

    assert delete_surplus(Settings(data_dir=tmp_path, retention_bytes=100), database) == [runs[0], runs[2]]
    assert left(database, tmp_path) == [runs[1], *runs[3:]]


@pytest.mark.parametrize("limit", ["retention_days", "retention_runs", "retention_bytes"])
def test_what_a_model_names_or_another_run_started_from_stays(
    database: Database, add_run: AddRun, tmp_path: Path, limit: str
) -> None:
    named, start = add_run(days=9, size=1000), add_run(days=9, size=1000)
    plain = add_run(days=9, size=1000)
    follower = add_run(size=1, start_from=start)
    name(database, named)

    settings = Settings.model_validate({"data_dir": tmp_path, limit: 1})
    assert delete_surplus(settings, database) == [plain]
    assert left(database, tmp_path) == [named, start, follower]


def test_who_has_no_follower_any_more_goes_the_next_time(
    database: Database, add_run: AddRun, tmp_path: Path
) -> None:
    start = add_run()
    follower, last = add_run(start_from=start), add_run()
    settings = Settings(data_dir=tmp_path, retention_runs=1)

    assert delete_surplus(settings, database) == [follower]
    assert delete_surplus(settings, database) == [start]
    assert left(database, tmp_path) == [last]
