"""The tables of sweeps; their runs are rows of `runs` like others."""

from datetime import datetime
from typing import Any, Literal

from sqlalchemy import JSON, CheckConstraint, ForeignKey, Index, String
from sqlalchemy.orm import Mapped, deferred, mapped_column

from app.database import Base, Owned, UtcDateTime

SweepStatus = Literal["running", "succeeded", "failed", "cancelled"]


class SweepRow(Owned, Base):
    """One sweep."""

    __tablename__ = "sweeps"
    __table_args__ = (
        CheckConstraint("status IN ('running', 'succeeded', 'failed', 'cancelled')", name="status_known"),
        Index("ix_sweeps_status", "status"),
        Index("ix_sweeps_project_id", "project", "id"),
    )

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    name: Mapped[str | None]
    status: Mapped[str] = mapped_column(String(16))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    finished_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    total: Mapped[int]
    """As many runs as it has or is going to have."""
    error: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    document: Mapped[dict[str, Any]] = deferred(mapped_column(JSON, nullable=False))
    """What was posted."""


class SweepSettingRow(Base):
    """A combination of the axes' values that a sweep has taken."""

    __tablename__ = "sweep_settings"

    sweep_id: Mapped[str] = mapped_column(ForeignKey("sweeps.id", ondelete="CASCADE"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    """From 0, in the order in which they were taken."""
    parameters: Mapped[dict[str, Any]] = mapped_column(JSON)
    """The values by the parameters' names."""


class SweepRunRow(Base):
    """A run's place in its sweep."""

    __tablename__ = "sweep_runs"
    __table_args__ = (Index("ix_sweep_runs_sweep_id", "sweep_id"),)

    run_id: Mapped[str] = mapped_column(ForeignKey("runs.id", ondelete="CASCADE"), primary_key=True)
    sweep_id: Mapped[str] = mapped_column(ForeignKey("sweeps.id", ondelete="CASCADE"))
    setting: Mapped[int]
    rung: Mapped[int]
    """The round of successive halving, from 0."""
    repeat: Mapped[int]
    fold: Mapped[int | None]
    metrics: Mapped[dict[str, float | None] | None] = mapped_column(JSON(none_as_null=True))
    """The figures of the run, once it has succeeded and they were gathered."""
