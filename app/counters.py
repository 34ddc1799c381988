"""Counts of what happened, kept in the database: true over all processes, and over their ends."""

from typing import Literal

from sqlalchemy import BigInteger, String, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from app.database import Base

Counted = Literal["epochs", "onnx_fallbacks", "worker_restarts"]
"""`epochs` that were trained and stored; `onnx_fallbacks`: runs whose models have no ONNX form, so that a
worker scores with them; `worker_restarts`: workers that died and were replaced."""


class CounterRow(Base):
    """A count. The migrations make a row for each."""

    __tablename__ = "counters"

    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    value: Mapped[int] = mapped_column(BigInteger)


def count(session: Session, name: Counted, number: int = 1) -> None:
    """Adds to a count, in a writing transaction."""
    session.execute(update(CounterRow).where(CounterRow.name == name).values(value=CounterRow.value + number))


def read_counters(session: Session) -> dict[str, int]:
    """All counts."""
    return {row.name: row.value for row in session.scalars(select(CounterRow))}
