"""The tables of named models. A version never changes; which one is current does.

Names are those of a project: another may have the same.
"""

from datetime import datetime

from sqlalchemy import ForeignKey, ForeignKeyConstraint, Index, String
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.database import DEFAULT_PROJECT, Base, Owned, UtcDateTime


class ModelRow(Owned, Base):
    """A name, and which of its versions is current."""

    __tablename__ = "models"

    project: Mapped[str] = mapped_column(String(64), primary_key=True, default=DEFAULT_PROJECT)
    name: Mapped[str] = mapped_column(String(128), primary_key=True)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime)
    """When another version became current."""
    current_version: Mapped[int]
    last_version: Mapped[int]
    """The greatest number that was ever given, so that none is given twice."""


class ModelVersionRow(Owned, Base):
    """What a version is made of, besides its runs."""

    __tablename__ = "model_versions"
    __table_args__ = (
        ForeignKeyConstraint(["project", "name"], ["models.project", "models.name"], ondelete="CASCADE"),
    )

    project: Mapped[str] = mapped_column(String(64), primary_key=True, default=DEFAULT_PROJECT)
    name: Mapped[str] = mapped_column(String(128), primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True)
    """From 1."""
    combine: Mapped[str | None] = mapped_column(String(16))
    """How an ensemble's predictions become one: `mean` or `vote`; None for a single run."""
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    runs: Mapped[list["ModelRunRow"]] = relationship(
        order_by="ModelRunRow.position", lazy="selectin", passive_deletes=True
    )


class ModelRunRow(Owned, Base):
    """A run of a version. The database itself refuses to delete a run that stands here."""

    __tablename__ = "model_runs"
    __table_args__ = (
        ForeignKeyConstraint(
            ["project", "name", "version"],
            ["model_versions.project", "model_versions.name", "model_versions.version"],
            ondelete="CASCADE",
        ),
        Index("ix_model_runs_run_id", "run_id"),
    )

    project: Mapped[str] = mapped_column(String(64), primary_key=True, default=DEFAULT_PROJECT)
    name: Mapped[str] = mapped_column(String(128), primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True)
    position: Mapped[int] = mapped_column(primary_key=True)
    """Place in the document's list, from 0."""
    run_id: Mapped[str] = mapped_column(ForeignKey("runs.id", ondelete="RESTRICT"))
