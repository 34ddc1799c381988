"""The table of datasets."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.database import Base, Owned, UtcDateTime


class DatasetRow(Owned, Base):
    """One dataset; its samples lie in a folder of its id."""

    __tablename__ = "datasets"
    __table_args__ = (UniqueConstraint("project", "digest", "form"),)

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    name: Mapped[str | None]
    form: Mapped[str] = mapped_column(String(16))
    """What was uploaded: `csv`, `parquet`, `arrow`, `npz` or `json`."""
    digest: Mapped[str] = mapped_column(String(80))
    """Of the uploaded bytes, as `app.datasets.reception` has it; `sha256:` and SHA-256 in older rows."""
    bytes: Mapped[int] = mapped_column(BigInteger)
    """Length of what was uploaded."""
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    rows: Mapped[int] = mapped_column(BigInteger)
    columns: Mapped[list[dict[str, Any]]] = mapped_column(JSON)
    """Each column's name, type, shape of a row, missing values and range."""
    preview: Mapped[list[dict[str, Any]]] = mapped_column(JSON)
    """The first rows, by column name."""
