"""What crashes leave behind, and what of it is there after the service has started again."""

import logging
from collections.abc import Callable
from pathlib import Path

import pytest

from app.database import Database, utc_now
from app.datasets.service import DatasetFiles
from app.datasets.tables import DatasetRow
from app.repair import clean_up, repair, report_losses
from app.runs.artifacts import write_checksums
from app.runs.files import RunFiles, gathering
from app.runs.service import build_run, create_run
from app.runs.tables import RunRow
from app.spec.parsing import parse_run
from app.worker.checkpoints import Checkpoints
from tests.support.documents import tiny_document


@pytest.fixture
def files(tmp_path: Path) -> RunFiles:
    return RunFiles(tmp_path)


@pytest.fixture
def add_run(database: Database, files: RunFiles) -> Callable[..., str]:
    """Stores a run of a status, with artifacts and a checkpoint; its id."""

    def add(status: str) -> str:
        with database.writing() as session:
            run = create_run(session, build_run(parse_run(tiny_document()), "hash", None))
            run.status = status
        folder = files.artifacts(run.id)
        folder.mkdir(parents=True)
        (folder / "signature.json").write_text("{}")
        (folder / "model.onnx").write_bytes(b"a model")
        write_checksums(folder)
        Checkpoints(files.checkpoints(run.id)).save(1, b"state")
        return run.id

    return add


def forget(database: Database, run_id: str) -> None:
    with database.writing() as session:
        session.delete(session.get_one(RunRow, run_id))


def test_files_of_deleted_runs_go_and_others_stay(
    database: Database,
    files: RunFiles,
    add_run: Callable[..., str],
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    kept = {status: add_run(status) for status in ("succeeded", "queued", "running", "failed", "cancelled")}
    deleted = add_run("succeeded")
    forget(database, deleted)

    repair(database, tmp_path)

    assert set(files.runs_with_artifacts()) == {kept[status] for status in ("succeeded", "queued", "running")}
    assert set(files.runs_with_checkpoints()) == {kept["queued"], kept["running"]}
    assert deleted in caplog.text
    assert kept["failed"] in caplog.text


def test_half_files_go_unless_somebody_is_at_them(
    database: Database, files: RunFiles, add_run: Callable[..., str], tmp_path: Path
) -> None:
    run_id = add_run("running")
    datasets = DatasetFiles(tmp_path)
    left = [files.unfinished_artifacts(run_id), datasets.upload()]
    for folder in left:
        folder.mkdir(parents=True)
        (folder / "body").write_text("half")

    with gathering(files.unfinished_artifacts(run_id)) as mine, gathering(datasets.upload()) as upload:
        repair(database, tmp_path)
        assert mine.is_dir()
        assert upload.is_dir()

    assert not any(folder.exists() for folder in left)
    assert not mine.exists()
    assert not upload.exists()


def test_what_a_worker_left_goes_without_a_start(
    database: Database, files: RunFiles, add_run: Callable[..., str], tmp_path: Path
) -> None:
    kept = {status: add_run(status) for status in ("succeeded", "queued", "running", "failed", "cancelled")}
    left = files.unfinished_artifacts(kept["running"])
    left.mkdir()

    with gathering(files.unfinished_artifacts(kept["running"])) as mine:
        clean_up(database, tmp_path)
        assert mine.is_dir()

    assert not left.exists()
    assert set(files.runs_with_checkpoints()) == {kept["queued"], kept["running"]}
    assert set(files.runs_with_artifacts()) == set(kept.values())


def test_samples_without_a_row_go_unless_the_row_is_just_being_written(
    database: Database, tmp_path: Path
) -> None:
    files = DatasetFiles(tmp_path)
    for dataset_id in ("ds_known", "ds_unknown"):
        files.folder(dataset_id).mkdir(parents=True)
    with database.writing() as session:
        described = {"name": None, "form": "csv", "digest": "0", "bytes": 1, "rows": 1}
        row = DatasetRow(id="ds_known", created_at=utc_now(), columns=[], preview=[], **described)
        session.add(row)

    with gathering(files.upload()) as folder:
        folder.rename(files.folder("ds_new"))
        repair(database, tmp_path)
        assert sorted(files.datasets()) == ["ds_known", "ds_new"]


def test_where_the_database_knows_nothing_of_the_files_they_stay(
    database: Database,
    files: RunFiles,
    add_run: Callable[..., str],
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    run_id = add_run("succeeded")
    forget(database, run_id)

    repair(database, tmp_path)

    assert files.runs_with_artifacts() == [run_id]
    assert "is it the right one?" in caplog.text


@pytest.mark.parametrize("loss", ["folder", "file", "bit", "checksums"])
def test_lost_files_are_told(
    database: Database,
    files: RunFiles,
    add_run: Callable[..., str],
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    loss: str,
) -> None:
    whole, run_id = add_run("succeeded"), add_run("succeeded")
    folder = files.artifacts(run_id)
    if loss == "folder":
        folder.rename(tmp_path / "elsewhere")
    elif loss == "file":
        (folder / "model.onnx").unlink()
    elif loss == "bit":
        (folder / "model.onnx").write_bytes(b"a nodel")
    else:
        (folder / "SHA256SUMS").write_text("nothing")

    report_losses(database, tmp_path)

    messages = [record.message for record in caplog.records if record.levelno == logging.ERROR]
    assert len(messages) == 1
    assert run_id in messages[0]
    assert whole not in caplog.text
