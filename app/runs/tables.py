"""The tables of runs, of their history, and of the workers that train them.

The row of a run is also its place in the queue: `queued` rows wait, oldest first; a worker that
claims one holds a lease on it.
"""

from datetime import datetime
from typing import Any, Literal

from sqlalchemy import (
    JSON,
    CheckConstraint,
    ColumnElement,
    ForeignKey,
    Index,
    LargeBinary,
    String,
    UniqueConstraint,
    func,
)
from sqlalchemy.orm import Mapped, deferred, mapped_column

from app.database import Base, Owned, UtcDateTime, no_earlier_than

RunStatus = Literal["queued", "running", "succeeded", "failed", "cancelled"]

ENDED: tuple[RunStatus, ...] = ("succeeded", "failed", "cancelled")
"""The statuses that a run never leaves."""


class RunRow(Owned, Base):
    """One run. Of a run that is being trained only the worker that holds the lease may write."""

    __tablename__ = "runs"
    __table_args__ = (
        CheckConstraint(
            "status IN ('queued', 'running', 'succeeded', 'failed', 'cancelled')", name="status_known"
        ),
        Index("ix_runs_status_id", "status", "id"),
        Index("ix_runs_project_id", "project", "id"),
        Index("ix_runs_project_name_id", "project", "name", "id"),
        UniqueConstraint("project", "idempotency_key"),
    )

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    name: Mapped[str | None]
    tags: Mapped[dict[str, str]] = mapped_column(JSON)
    status: Mapped[str] = mapped_column(String(16))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    started_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    """When the first attempt began."""
    finished_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    epoch: Mapped[int] = mapped_column(default=0)
    """The last epoch whose history is stored; 0 before the first."""
    epochs: Mapped[int]
    """As many epochs as the document asks for."""
    history_columns: Mapped[list[str] | None] = mapped_column(JSON(none_as_null=True))
    """Names of the columns of the history's matrices, in order."""
    verdicts: Mapped[list[dict[str, Any]]] = mapped_column(JSON, default=list)
    error: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    worker_id: Mapped[str | None] = mapped_column(String(64))
    """The worker that holds the lease."""
    lease_expires_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    attempts: Mapped[int] = mapped_column(default=0)
    """How often a worker claimed the run; with `worker_id` it tells one claim from another."""
    idempotency_key: Mapped[str | None] = mapped_column(String(255))
    body_hash: Mapped[str] = mapped_column(String(64))
    """SHA-256 of the posted body, in hexadecimal."""
    document: Mapped[dict[str, Any]] = mapped_column(JSON)
    """The run document with defaults filled in; arrays of an inline dataset are their shapes here."""
    scoring: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    """Of a run with a model: `by`, `onnxruntime` or `worker`, and `reason`, why it isn't ONNX Runtime."""
    statistics: Mapped[dict[str, Any] | None] = deferred(mapped_column(JSON(none_as_null=True)))

    @classmethod
    def end_now(cls) -> ColumnElement[datetime]:
        """The `finished_at` of a run that ends now: not before it began, even if the clock was put back."""
        return no_earlier_than(func.coalesce(cls.started_at, cls.created_at))


class RunDataRow(Base):
    """The inline dataset of a run, apart from the run's row, which is rewritten with each progress."""

    __tablename__ = "run_data"

    run_id: Mapped[str] = mapped_column(ForeignKey("runs.id", ondelete="CASCADE"), primary_key=True)
    inline: Mapped[bytes] = mapped_column(LargeBinary)
    """The document's `/dataset/inline`, as JSON."""


class RunTagRow(Base):
    """One tag of a run, for the filter of the list."""

    __tablename__ = "run_tags"
    __table_args__ = (Index("ix_run_tags_key_value", "key", "value", "run_id"),)

    run_id: Mapped[str] = mapped_column(ForeignKey("runs.id", ondelete="CASCADE"), primary_key=True)
    key: Mapped[str] = mapped_column(primary_key=True)
    value: Mapped[str]


class HistoryBlockRow(Base):
    """The history of some epochs of a run that follow one another."""

    __tablename__ = "history_blocks"

    run_id: Mapped[str] = mapped_column(ForeignKey("runs.id", ondelete="CASCADE"), primary_key=True)
    first_epoch: Mapped[int] = mapped_column(primary_key=True)
    """The first epoch that it covers, from 1; one more than the last of the block before."""
    last_epoch: Mapped[int]
    """The last epoch that it covers."""
    epochs: Mapped[bytes] = mapped_column(LargeBinary)
    """Numbers of the recorded ones of these epochs, little-endian int32 `(recorded,)`."""
    values: Mapped[bytes] = mapped_column(LargeBinary)
    """Their figures, little-endian float32 `(recorded, columns)`, row by row."""


class WorkerRow(Base):
    """A worker process that is alive, or was until its heartbeat stopped."""

    __tablename__ = "workers"

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    pid: Mapped[int]
    hostname: Mapped[str]
    started_at: Mapped[datetime] = mapped_column(UtcDateTime)
    heartbeat_at: Mapped[datetime] = mapped_column(UtcDateTime)
    state: Mapped[str] = mapped_column(String(16))
    """`starting` while Keras is imported, then `ready`, at last `stopping`."""
