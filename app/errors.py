"""Every error that Kerb raises on purpose, in one tree.

The classes know nothing of HTTP; `app.problems` gives each a status. `code` is the stable word that
clients and tests compare; the message says what was expected and what was received.

    KerbError
    ├── InvalidDocument          a field of a client's document is wrong
    │   └── MalformedDocument    the body isn't JSON at all
    ├── Unauthenticated          no key came, or one that isn't known
    ├── Forbidden                the key's scopes don't allow what was asked
    ├── Misdirected              the request is meant for another host
    ├── NotFound                 no run, model, dataset or artifact of that name
    ├── Conflict                 the state of the thing doesn't allow what was asked
    │   └── ArtifactsLost        the files of a run are missing or damaged
    ├── IdempotencyMismatch      the same Idempotency-Key came with another body
    ├── UnsupportedMediaType     a body in a form that the route doesn't read
    ├── InvalidRange             a part was asked for that a file doesn't have
    ├── TooLarge                 a limit of the service was exceeded
    ├── TooMany                  as many requests or runs as are allowed are there already
    ├── Unavailable              a part of the service isn't ready; try again later
    ├── BrokenFile               an uploaded file isn't of its form, or holds what no run could use
    │   └── NeedsWiderType       a type guessed from a file's beginning can't hold a later value
    ├── CheckpointRefused        a state to go on from is that of another structure
    └── RunError                 a run ended without a model
        ├── ModelRejected        Keras refused what the document asked for
        ├── Diverged             the loss wasn't finite
        ├── LossNotDifferentiable  the total has no gradient with respect to the weights
        ├── ExportFailed         the written model doesn't predict what the trained one does
        ├── MemoryExceeded       it needs more memory than a worker may hold
        └── WorkerLost           the worker died more often than a run may be tried
"""

import errno
from collections.abc import Sequence
from typing import NamedTuple

_MORE_FILES = "Let the service have more files open (ulimit -n)."

STORAGE_FAILURES = {
    errno.ENOSPC: "Free some space on the disk of the data folder, then try again.",
    errno.EDQUOT: "Free some of the quota of the service's user, or raise it, then try again.",
    errno.EFBIG: "Lay the data folder on a file system that takes files as large.",
    errno.EROFS: "Mount the file system of the data folder for writing, then try again.",
    errno.EIO: "The disk of the data folder fails; the system's log says more.",
    errno.EMFILE: _MORE_FILES,
    errno.ENFILE: _MORE_FILES,
}
"""What to do about those `OSError`, by number, that are the machine's, not the file's."""


class FieldProblem(NamedTuple):
    """One wrong field of a document.

    Attributes:
        pointer: JSON Pointer (RFC 6901) to the field; `""` is the whole document.
        message: what was expected and what was received.
    """

    pointer: str
    message: str


class KerbError(Exception):
    """Base of the tree.

    Args:
        message: what was expected, what was received, and where it helps, what to do.
    """

    code = "kerb_error"
    title = "Something is wrong"

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class InvalidDocument(KerbError):
    """One or more fields of a client's document are wrong.

    Args:
        problems: each wrong field, with its JSON Pointer; at least one.
    """

    code = "invalid_document"
    title = "The document is not valid"

    def __init__(self, problems: Sequence[FieldProblem]) -> None:
        first = problems[0]
        where = f"at {first.pointer}: " if first.pointer else ""
        more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
        super().__init__(f"{where}{first.message}{more}")
        self.problems = tuple(problems)

    @classmethod
    def at(cls, pointer: str, message: str) -> "InvalidDocument":
        """The error for a single wrong field."""
        return cls([FieldProblem(pointer, message)])


class MalformedDocument(InvalidDocument):
    """The body can't be read as JSON."""

    code = "malformed_document"
    title = "The body is not JSON"


class Unauthenticated(KerbError):
    """No key came with a request that needs one, or one that isn't known or was revoked."""

    code = "unauthenticated"
    title = "A key is needed"


class Forbidden(KerbError):
    """The key is known, but its scopes don't allow what was asked."""

    code = "forbidden"
    title = "The key doesn't allow this"


class Misdirected(KerbError):
    """The request's `Host` is none that the service is known by."""

    code = "misdirected"
    title = "Meant for another host"


class NotFound(KerbError):
    """What was asked for doesn't exist."""

    code = "not_found"
    title = "Not found"


class Conflict(KerbError):
    """The thing exists, but not in a state that allows this."""

    code = "conflict"
    title = "Not possible in this state"


class ArtifactsLost(Conflict):
    """Files of a run that succeeded are missing, or aren't what was written."""

    code = "artifacts_lost"
    title = "Files of the run are lost"


class IdempotencyMismatch(KerbError):
    """An `Idempotency-Key` was used before, with another body."""

    code = "idempotency_mismatch"
    title = "The key was used with another body"


class UnsupportedMediaType(KerbError):
    """The body's `Content-Type` isn't one that the route reads."""

    code = "unsupported_media_type"
    title = "Unsupported media type"


class InvalidRange(KerbError):
    """A part of a file was asked for that it doesn't have.

    Args:
        message: what was expected and what was received.
        size: of the file, in bytes.
    """

    code = "invalid_range"
    title = "No such part of the file"

    def __init__(self, message: str, size: int) -> None:
        super().__init__(message)
        self.size = size


class TooLarge(KerbError):
    """A documented limit of the service was exceeded."""

    code = "too_large"
    title = "Too large"


class TooMany(KerbError):
    """As many requests or runs as the settings allow are there already; later there may be fewer.

    Args:
        message: what was expected and what was received.
        retry_seconds: when to try again.
    """

    code = "too_many"
    title = "Too many"

    def __init__(self, message: str, retry_seconds: float) -> None:
        super().__init__(message)
        self.retry_seconds = retry_seconds


class Unavailable(KerbError):
    """A part of the service that the answer needs isn't ready."""

    code = "unavailable"
    title = "Not available now"


class BrokenFile(KerbError):
    """An uploaded file isn't of its form, or holds what no run could use; the message says where."""

    code = "broken_file"
    title = "The file is broken"


class NeedsWiderType(BrokenFile):
    """A column holds a value that the type of those before can't hold.

    Args:
        column: its name.
        type: one that can.
    """

    code = "needs_wider_type"

    def __init__(self, column: str, type: object) -> None:
        super().__init__(
            f"Expected values of column {column!r} of the type of those before; received another."
        )
        self.column, self.type = column, type


class CheckpointRefused(KerbError):
    """A checkpoint doesn't hold a state of this run, as after a change of the program's structure."""

    code = "checkpoint_refused"
    title = "The checkpoint is of another structure"


class RunError(KerbError):
    """A run ended without a model.

    Args:
        message: why, in words a person can act on.
        pointer: JSON Pointer into the run document, where one field is to blame.
    """

    code = "run_failed"
    title = "The run failed"

    def __init__(self, message: str, pointer: str | None = None) -> None:
        super().__init__(message)
        self.pointer = pointer


class ModelRejected(RunError):
    """Keras refused the model, the loss or the data of the document."""

    code = "model_rejected"


class Diverged(RunError):
    """The loss of an epoch was not finite."""

    code = "diverged"


class LossNotDifferentiable(RunError):
    """The gradient of the total is zero or missing for every weight."""

    code = "loss_not_differentiable"


class ExportFailed(RunError):
    """A written artifact doesn't predict what the trained model predicts."""

    code = "export_failed"


class MemoryExceeded(RunError):
    """The run needs more memory than a worker may hold."""

    code = "memory_exceeded"


class WorkerLost(RunError):
    """The worker died while it trained the run, as often as a run may be tried."""

    code = "worker_lost"
