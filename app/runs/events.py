"""The events of a run, as clients follow them while it trains (server-sent events of the HTML standard).

An event's `id` says where in the run's life it stands: the epochs that were told up to there, and the status.
Both are read from the database, where they don't change when processes die; so what comes after an `id` is
the same from whichever process, and whenever, a client asks for it.
"""

from collections.abc import Collection, Iterator, Mapping
from typing import Any, NamedTuple

import orjson
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.runs.answers import metrics_answer
from app.runs.history import History, NewEpochs, read_new_epochs
from app.runs.tables import ENDED, RunRow

EPOCHS_AN_EVENT = 1000
"""As many epochs are told at once, at most."""

LAST_EVENT_ID = r"^\d{1,10}-(queued|running|succeeded|failed|cancelled)$"
"""The form of an event's `id`."""

_AFTER_ALL = 2**31


class Position(NamedTuple):
    """How much of a run's life has been told.

    Attributes:
        epoch: the last epoch up to which the history was told; 0 before the first.
        status: the status told last; None before the first.
    """

    epoch: int
    status: str | None

    @classmethod
    def read(cls, event_id: str) -> "Position":
        """The position of an event's `id`, which has the form of `LAST_EVENT_ID`."""
        epoch, _, status = event_id.partition("-")
        return cls(int(epoch), status)

    @classmethod
    def after_all_epochs(cls) -> "Position":
        """For those who want to know of the status alone."""
        return cls(_AFTER_ALL, None)


class Place(NamedTuple):
    """A position in the life of one run."""

    run_id: str
    position: Position


class Update(NamedTuple):
    """What has come of a run since a position.

    Attributes:
        position: where it leads.
        events: as they are sent.
        last: whether nothing comes after it: the run has ended or is gone, or the service stops.
    """

    position: Position
    events: bytes
    last: bool


def read_updates(session: Session, places: Collection[Place]) -> dict[Place, Update]:
    """What has come since each of these places; those where nothing has are left out.

    However many there are, it takes one query, and another one if epochs are new.
    """
    told = (RunRow.id, RunRow.status, RunRow.epoch, RunRow.epochs, RunRow.error, RunRow.history_columns)
    wanted = select(*told).where(RunRow.id.in_({place.run_id for place in places}))
    runs = {run.id: run for run in session.execute(wanted)}
    since: dict[str, int] = {}
    for run_id, position in places:
        if run_id in runs and position.epoch < runs[run_id].epoch:
            since[run_id] = min(position.epoch, since.get(run_id, position.epoch))
    columns = {run_id: runs[run_id].history_columns for run_id in since}
    new = read_new_epochs(session, since, columns) if since else {}
    updates = {}
    for place in places:
        update = _update_of(place, runs.get(place.run_id), new.get(place.run_id))
        if update.last or update.position != place.position:
            updates[place] = update
    return updates


def _update_of(place: Place, run: Any, new: NewEpochs | None) -> Update:
    run_id, position = place
    if run is None:
        return Update(position, b"", last=True)
    ended = run.status in ENDED
    events = []
    if not ended and run.status != position.status:
        position = Position(position.epoch, run.status)
        events.append(_status_event(run, position))
    if new is not None and position.epoch < new.last_epoch:
        events += _epoch_events(run_id, new.history.after(position.epoch), position.status)
        position = Position(new.last_epoch, position.status)
    last = ended and position.epoch >= run.epoch
    if last and run.status != position.status:
        position = Position(position.epoch, run.status)
        events.append(_status_event(run, position))
    return Update(position, b"".join(events), last)


def _status_event(run: Any, position: Position) -> bytes:
    progress = {"epoch": run.epoch, "epochs": run.epochs}
    content = {"run_id": run.id, "status": run.status, "progress": progress, "error": run.error}
    return _event("status", position.epoch, run.status, content)


def _epoch_events(run_id: str, history: History, status: str | None) -> Iterator[bytes]:
    for first in range(0, len(history.epochs), EPOCHS_AN_EVENT):
        part = history.part(slice(first, first + EPOCHS_AN_EVENT))
        # Whoever comes back to a run that has ended meanwhile is still to be told so.
        yield _event("epochs", int(part.epochs[-1]), status or "running", metrics_answer(run_id, part))


def _event(kind: str, epoch: int, status: str, content: Mapping[str, Any]) -> bytes:
    data = orjson.dumps(content, option=orjson.OPT_SERIALIZE_NUMPY)  # one line, as it has to be
    return b"event: %b\nid: %d-%b\ndata: %b\n\n" % (kind.encode(), epoch, status.encode(), data)
