"""One claimed run, from the document in the database to its artifacts and its end.

Order matters for what a crash leaves behind: history before the checkpoint that continues it, artifacts
before the row that says they are there. Whatever is half done is done again by the next attempt.
"""

import logging
import threading

from sqlalchemy.exc import SQLAlchemyError

from app.counters import count
from app.database import Database, utc_now
from app.datasets.service import DatasetFiles, load_stored
from app.errors import STORAGE_FAILURES, ArtifactsLost, CheckpointRefused, InvalidDocument, RunError
from app.limits import with_time_limit
from app.runs.artifacts import read_artifact
from app.runs.files import CONTINUATION, RunFiles, gathering, publish_folder, sync_files
from app.runs.history import append_block, cut_history, read_history
from app.runs.service import get_inline_data, load_spec
from app.runs.tables import RunRow
from app.settings import Settings
from app.spec.dataset import RunData
from app.spec.run import RunSpec
from app.spec.stored_dataset import StoredDataset
from app.training.fit import FittedRun, fit_run
from app.training.loop import EpochBlock, Interrupted
from app.worker.artifacts import write_documents, write_model
from app.worker.checkpoints import Checkpoint, Checkpoints
from app.worker.claim import (
    Claim,
    ClaimLost,
    end_run,
    get_claimed_run,
    lease_end,
    release_run,
    renew_lease,
)

logger = logging.getLogger(__name__)

MAPPED_SHARE = 32
"""An array of samples is memory-mapped that takes more than this part of what a worker may hold: there are
several of each, and numbers of double size among them."""


class TrainingJob:
    """Trains one run, and is the reporter that training talks to.

    Args:
        claim: the right to it.
        database: where its row is.
        settings: of the service.
        stopping: set when the worker is to stop.

    Attributes:
        run_id: the run.
        progress: changes whenever the training gets ahead.
    """

    def __init__(
        self, claim: Claim, database: Database, settings: Settings, stopping: threading.Event
    ) -> None:
        self._claim = claim
        self._database = database
        self._settings = settings
        self._stopping = stopping
        self._files = RunFiles(settings.data_dir)
        self._checkpoints = Checkpoints(self._files.checkpoints(claim.run_id))
        self._lost = False
        self.run_id = claim.run_id
        self.progress = 0

    def run(self) -> None:
        """Trains the run and brings it to its end, whatever that is; raises nothing that a run can cause."""
        logger.info("run claimed run=%s attempt=%d", self.run_id, self._claim.attempt)
        try:
            self._run()
        except SQLAlchemyError:
            # Nothing can be stored now, not even this. When the lease has ended the run is tried again.
            logger.exception("database failed during a run run=%s", self.run_id)

    def _run(self) -> None:
        try:
            self._train()
            logger.info("run succeeded run=%s", self.run_id)
        except Interrupted:
            self._put_aside()
        except ClaimLost:
            self._abandon()
        except InvalidDocument as error:
            pointer, message = error.problems[0]
            self._fail(error.code, message, pointer)
        except ArtifactsLost as error:
            self._fail(error.code, error.message, "/start_from")
        except RunError as error:
            self._fail(error.code, error.message, error.pointer)
        except SQLAlchemyError:
            raise
        except OSError as error:
            logger.exception("files of a run can't be written or read run=%s", self.run_id)
            advice = STORAGE_FAILURES.get(error.errno or 0, "")
            message = f"The run's files can't be written or read: {error.strerror}. {advice}".strip()
            self._fail("storage_failed", message, None)
        except Exception:  # whatever it is, it ends this run and not the worker
            logger.exception("run failed unexpectedly run=%s", self.run_id)
            message = "Training ended with an error that Kerb doesn't know; the worker's log has the details."
            self._fail("internal_error", message, None)

    def renew(self) -> None:
        """Renews the lease; called from another thread while the run is trained."""
        with self._database.writing() as session:
            renew_lease(session, self._claim, self._settings.lease_seconds)

    def give_up(self, error: RunError) -> None:
        """Fails the run while it's trained; called from another thread, which then ends the process."""
        try:
            self._fail(error.code, error.message, error.pointer)
        except SQLAlchemyError:
            logger.exception("database failed; the run is tried again run=%s", self.run_id)

    # What training calls, a few times a second.

    def report(self, block: EpochBlock) -> None:
        """Stores the history of some epochs, and with it how far the run is."""
        self.progress += 1
        with self._database.writing() as session:
            run = get_claimed_run(session, self._claim)
            covered = (block.first_epoch, block.last_epoch)
            append_block(session, run, covered, block.epochs, block.columns, block.values)
            run.lease_expires_at = lease_end(self._settings.lease_seconds)

    def save_checkpoint(self, epoch: int, payload: bytes) -> None:
        """Keeps a state to go on from; a disk that is full costs the checkpoint, not the run."""
        if self._lost:
            return
        try:
            self._checkpoints.save(epoch, payload)
        except OSError as error:
            logger.warning("checkpoint not saved run=%s error=%s", self._claim.run_id, error)

    def should_stop(self) -> bool:
        """Whether the worker stops, or the run isn't its own any more, as after a cancel."""
        if self._stopping.is_set():
            return True
        try:
            with self._database.reading() as session:
                get_claimed_run(session, self._claim)
        except ClaimLost:
            self._lost = True
        return self._lost

    # The steps.

    def _train(self) -> None:
        spec = self._load_document()
        try:
            fitted = self._fit(spec)
        except CheckpointRefused:
            logger.warning("checkpoint is of another structure, beginning anew run=%s", self._claim.run_id)
            self._checkpoints.remove()
            fitted = self._fit(spec)
        self._finish(spec, fitted)

    def _fit(self, spec: RunSpec) -> FittedRun:
        checkpoint = self._resume()
        seconds = self._settings.checkpoint_seconds
        stored = self._load_stored(spec)
        if checkpoint is not None:
            return fit_run(spec, self, checkpoint.payload, seconds, stored=stored)
        return fit_run(spec, self, None, seconds, self._load_start(spec), stored)

    def _load_stored(self, spec: RunSpec) -> RunData | None:
        """The samples of the stored dataset that the run names; it can't be deleted meanwhile."""
        if not isinstance(spec.dataset, StoredDataset):
            return None
        with self._database.reading() as session:
            most_bytes = self._settings.memory_of_worker() // MAPPED_SHARE
            return load_stored(session, DatasetFiles(self._settings.data_dir), spec.dataset, most_bytes)

    def _load_start(self, spec: RunSpec) -> bytes | None:
        """What the run that this one starts from has left; that can't be deleted meanwhile."""
        if spec.start_from is None:
            return None
        return read_artifact(self._files.artifacts(spec.start_from), CONTINUATION)

    def _load_document(self) -> RunSpec:
        with self._database.reading() as session:
            spec = load_spec(session, get_claimed_run(session, self._claim))
        return with_time_limit(spec, self._settings)

    def _resume(self) -> Checkpoint | None:
        """The state to go on from, with the history cut to what belongs to it."""
        with self._database.writing() as session:
            run = get_claimed_run(session, self._claim)
            checkpoint = self._checkpoints.newest(last_epoch=run.epoch)
            epoch = 0 if checkpoint is None else checkpoint.epoch
            if epoch or run.epoch:
                logger.info("run goes on run=%s epoch=%d recorded=%d", run.id, epoch, run.epoch)
            cut_history(session, run, epoch)
        return checkpoint

    def _finish(self, spec: RunSpec, fitted: FittedRun) -> None:
        """Writes the artifacts; puts them in place, and says so in the row, as long as the claim is good."""
        run_id = self._claim.run_id
        with gathering(self._files.unfinished_artifacts(run_id)) as folder:
            scoring = write_model(fitted, spec, folder)
            with self._database.reading() as session:
                run = get_claimed_run(session, self._claim)
                inline, history = get_inline_data(session, run_id), read_history(session, run)
            ended = {
                "status": "succeeded",
                "finished_at": max(utc_now(), run.started_at or run.created_at),  # a clock may be put back
                "statistics": {"epoch": fitted.epoch, **fitted.statistics},
                "verdicts": fitted.verdicts,
                "scoring": scoring,
            }
            for column, value in ended.items():
                setattr(run, column, value)  # in memory: the files show the run as it's going to be
            write_documents(run, inline, history, folder)
            sync_files(folder)
            # One who lost the claim mustn't put its files in the place of another's, nor of a deleted run.
            with self._database.writing() as session:
                get_claimed_run(session, self._claim)
                publish_folder(folder, self._files.artifacts(run_id))
                end_run(session, self._claim, **ended)
                if scoring is not None and scoring["by"] == "worker":
                    count(session, "onnx_fallbacks")
        self._checkpoints.remove()

    # The other ends.

    def _put_aside(self) -> None:
        """Training was interrupted: because the worker stops, or because the run isn't its own any more."""
        if self._lost:
            self._abandon()
            return
        with self._database.writing() as session:
            release_run(session, self._claim)
        logger.info("run put aside run=%s", self._claim.run_id)

    def _abandon(self) -> None:
        """Leaves a run that was cancelled or deleted, or that another worker has."""
        logger.info("run left, its claim is gone run=%s", self._claim.run_id)
        with self._database.reading() as session:
            run = session.get(RunRow, self._claim.run_id)
        if run is None or run.status in ("cancelled", "failed"):
            self._files.remove(self._claim.run_id)
        elif run.status == "succeeded":  # another worker has trained it to the end
            self._checkpoints.remove()

    def _fail(self, code: str, message: str, pointer: str | None) -> None:
        error = {"code": code, "message": message, "pointer": pointer}
        try:
            with self._database.writing() as session:
                end_run(session, self._claim, status="failed", finished_at=RunRow.end_now(), error=error)
        except ClaimLost:
            self._abandon()
        else:
            logger.info("run failed run=%s code=%s message=%s", self._claim.run_id, code, message)
            self._files.remove(self._claim.run_id)
