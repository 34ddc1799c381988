"""What clients are told of a finished run's files: their hashes, and which part of one they asked for.

The worker computes the hashes once, as it writes the files; they stand beside them in `SHA256SUMS`, which
`sha256sum --check` reads, too.
"""

import hashlib
import re
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from app.errors import ArtifactsLost, InvalidRange
from app.runs.files import ARTIFACTS, CHECKSUMS
from app.spec.pointers import received

_CHECKSUM = re.compile(rb"([0-9a-f]{64})  ([\w.]+)")
_RANGE = re.compile(r"(\d{0,18})-(\d{0,18})", re.ASCII)


class Artifact(NamedTuple):
    """A file of a finished run.

    Attributes:
        name: of the file.
        size: in bytes.
        sha256: of its content, in hexadecimal.
    """

    name: str
    size: int
    sha256: str


def write_checksums(folder: Path) -> None:
    """Writes `SHA256SUMS` for the artifacts in a folder; none may change after that."""
    lines = [f"{checksum}  {name}\n" for name, checksum in _compute_checksums(folder).items()]
    (folder / CHECKSUMS).write_text("".join(lines))


def list_files(folder: Path) -> list[Artifact]:
    """The artifacts in the folder of a run that succeeded, in the order of `ARTIFACTS`.

    Raises:
        ArtifactsLost: one of them is missing.
    """
    found = []
    for name, checksum in read_checksums(folder).items():
        try:
            found.append(Artifact(name, (folder / name).stat().st_size, checksum))
        except FileNotFoundError as error:
            raise _lost(folder, f"{name} is missing") from error
    return found


def read_checksums(folder: Path) -> dict[str, str]:
    """The SHA-256 of each artifact of a run that succeeded, by name.

    Raises:
        ArtifactsLost: the folder is missing, or `SHA256SUMS` is damaged.
    """
    try:
        text = (folder / CHECKSUMS).read_bytes()
    except FileNotFoundError as error:
        if not folder.is_dir():
            raise _lost(folder, "the folder is missing") from error
        return _compute_checksums(folder)  # the run is older than the file
    lines = [_CHECKSUM.fullmatch(line) for line in text.splitlines()]
    if not all(lines):
        raise _lost(folder, f"{CHECKSUMS} is damaged")
    return {line[2].decode(): line[1].decode() for line in lines if line}


def read_artifact(folder: Path, name: str) -> bytes:
    """The content of an artifact of a run that succeeded, just as it was written.

    Raises:
        FileNotFoundError: the run has no such artifact.
        ArtifactsLost: it's missing or damaged.
    """
    checksum = _checksum_of(folder, name)
    try:
        content = (folder / name).read_bytes()
    except FileNotFoundError as error:
        raise _lost(folder, f"{name} is missing") from error
    if hashlib.sha256(content).hexdigest() != checksum:
        raise _lost(folder, f"{name} is damaged")
    return content


def check_artifact(folder: Path, name: str) -> None:
    """Compares an artifact of a run that succeeded with its SHA-256, unless that was done before.

    Raises:
        FileNotFoundError: the run has no such artifact.
        ArtifactsLost: it's missing or damaged.
    """
    checksum = _checksum_of(folder, name)
    try:
        status = (folder / name).stat()
        same = _sha256_of(folder / name, status.st_ino, status.st_mtime_ns, status.st_size) == checksum
    except FileNotFoundError as error:
        raise _lost(folder, f"{name} is missing") from error
    if not same:
        raise _lost(folder, f"{name} is damaged")


def _checksum_of(folder: Path, name: str) -> str:
    checksum = read_checksums(folder).get(name)
    if checksum is None:
        raise FileNotFoundError(name)
    return checksum


def _compute_checksums(folder: Path) -> dict[str, str]:
    return {name: _sha256(folder / name) for name in ARTIFACTS if (folder / name).is_file()}


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@lru_cache(maxsize=4096)
def _sha256_of(path: Path, *_stamp: int) -> str:
    """That of a file which has changed if the numbers have."""
    return _sha256(path)


def _lost(folder: Path, what: str) -> ArtifactsLost:
    return ArtifactsLost(
        f"Expected the files of run {folder.name} as they were written; {what}. Bring the folder "
        f"artifacts/{folder.name} back from a copy of the data folder, or train the run again."
    )


def matches(if_none_match: str, etag: str) -> bool:
    """Whether the client has this content already: its `If-None-Match` (RFC 9110) names the `ETag`."""
    tags = [tag.strip().removeprefix("W/") for tag in if_none_match.split(",")]
    return "*" in tags or etag in tags


def wants_part(headers: Mapping[str, str], etag: str, size: int) -> bool:
    """Whether a part of a file is to be answered: there is a `Range` of bytes (RFC 9110), and it counts.

    Args:
        headers: of the request; keys in lower case.
        etag: of the file.
        size: of the file, in bytes.

    Raises:
        InvalidRange: it isn't one, or the file has no such bytes.
    """
    unit, _, ranges = headers.get("range", "").partition("=")
    if unit.strip().lower() != "bytes" or headers.get("if-range", etag) != etag:
        return False
    if not all(_is_within(part.strip(), size) for part in ranges.split(",")):
        expected = f"a Range such as bytes=0-99, within the {size} bytes of the file"
        raise InvalidRange(f"Expected {expected}; received {received(headers['range'])}.", size)
    return True


def _is_within(part: str, size: int) -> bool:
    """Whether `first-last`, `first-` or `-count` names bytes of a file."""
    found = _RANGE.fullmatch(part)
    if found is None:
        return False
    first, last = found.groups()
    if not first:
        return bool(last) and int(last) > 0 and size > 0
    return int(first) < size and (not last or int(first) <= int(last))
