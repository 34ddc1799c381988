"""What can be done with keys: make, list, revoke, recognise. Knows no HTTP.

A key's text is `kerb_<id>_<secret>`. The secret is 256 random bits, so nothing can be guessed and no slow or
salted hash is needed: of the whole text its SHA-256 is stored.
"""

import hashlib
import hmac
import re
import secrets
from collections.abc import Iterable, Sequence
from typing import Literal, NamedTuple, get_args

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.database import DEFAULT_PROJECT, utc_now
from app.errors import Conflict, InvalidDocument, NotFound
from app.ids import new_id
from app.keys.tables import KeyRow
from app.spec.pointers import received

Scope = Literal["read", "predict", "train", "admin"]

SCOPES: tuple[Scope, ...] = get_args(Scope)
"""`read` sees, `predict` scores, `train` makes, changes and deletes; `admin` is all that, and figures of the
service."""

USUAL_SCOPES: tuple[Scope, ...] = ("read", "predict", "train")

_SECRET_BYTES = 32
_PROJECT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", re.ASCII)
_MOST_NAME_LETTERS = 255


class Access(NamedTuple):
    """What a request may do.

    Attributes:
        project: in which it does it.
        scopes: what it may do there.
        key_id: of the key that it came with; None without one.
    """

    project: str
    scopes: frozenset[Scope]
    key_id: str | None = None


OPEN = Access(DEFAULT_PROJECT, frozenset(SCOPES))
"""What everybody may do where no key is needed."""


class KnownKey(NamedTuple):
    """A key that is good."""

    hash: str
    access: Access


def create_key(session: Session, name: str, project: str, scopes: Sequence[Scope]) -> tuple[KeyRow, str]:
    """Makes a key; the row, and the key's text, which can't be had again.

    Raises:
        InvalidDocument: name or project isn't one.
    """
    if not 1 <= len(name) <= _MOST_NAME_LETTERS:
        message = f"Expected a name of 1 to {_MOST_NAME_LETTERS} characters; received {received(name)}."
        raise InvalidDocument.at("/name", message)
    if not _PROJECT.fullmatch(project):
        expected = (
            "a project of 1 to 64 letters, digits, dots, dashes and underscores, a letter or a digit first"
        )
        raise InvalidDocument.at("/project", f"Expected {expected}; received {received(project)}.")
    key_id = new_id("key")
    text = f"kerb_{_short(key_id)}_{secrets.token_urlsafe(_SECRET_BYTES)}"
    row = KeyRow(
        id=key_id,
        name=name,
        project=project,
        scopes=[scope for scope in SCOPES if scope in scopes],
        hash=_hash(text),
        created_at=utc_now(),
    )
    session.add(row)
    return row, text


def list_keys(session: Session) -> Sequence[KeyRow]:
    """All keys, the oldest first, revoked ones among them."""
    return session.scalars(select(KeyRow).order_by(KeyRow.id)).all()


def revoke_key(session: Session, key_id: str) -> KeyRow:
    """Revokes a key for good.

    Raises:
        NotFound: there is none of that id.
        Conflict: it was revoked before.
    """
    row = session.get(KeyRow, key_id, with_for_update=True)
    if row is None:
        raise NotFound(f"There is no key {key_id!r}.")
    if row.revoked_at is not None:
        raise Conflict(
            f"Expected a key that is good; {key_id} was revoked at {row.revoked_at:%Y-%m-%d %H:%M}Z."
        )
    row.revoked_at = utc_now()
    return row


def known_keys(rows: Iterable[KeyRow]) -> dict[str, KnownKey]:
    """The keys that are good, by what stands for the id in their text."""
    return {
        _short(row.id): KnownKey(row.hash, Access(row.project, _all_scopes(row.scopes), row.id))
        for row in rows
        if row.revoked_at is None
    }


def recognise(known: dict[str, KnownKey], text: str) -> Access | None:
    """What the bearer of a key's text may do; None if the key isn't known.

    The id in it finds the row; only then hashes are compared, in a time that doesn't tell where they differ.
    """
    _, _, rest = text.partition("_")
    key = known.get(rest.partition("_")[0])
    if key is None or not hmac.compare_digest(key.hash, _hash(text)):
        return None
    return key.access


def _all_scopes(scopes: Iterable[str]) -> frozenset[Scope]:
    given = frozenset(scope for scope in SCOPES if scope in scopes)
    return frozenset(SCOPES) if "admin" in given else given


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _short(key_id: str) -> str:
    return key_id.removeprefix("key_")
