"""What clients are told of a finished run's files: their hashes, and which part of one they asked for.

The worker computes the hashes once, as it writes the files; they stand beside them in `SHA256SUMS`, which
`sha256sum --check` reads, too.
"""

import hashlib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from app.errors import InvalidRange
from app.runs.files import ARTIFACTS, CHECKSUMS
from app.spec.pointers import received

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
    """The artifacts in a folder, in the order of `ARTIFACTS`; none if it's being removed."""
    found = []
    for name, checksum in _read_checksums(folder).items():
        try:
            found.append(Artifact(name, (folder / name).stat().st_size, checksum))
        except FileNotFoundError:
            continue
    return found


def _read_checksums(folder: Path) -> dict[str, str]:
    try:
        lines = (folder / CHECKSUMS).read_text().splitlines()
    except FileNotFoundError:  # the run is older than the file
        return _compute_checksums(folder)
    return {name: checksum for checksum, _, name in (line.partition("  ") for line in lines)}


def _compute_checksums(folder: Path) -> dict[str, str]:
    checksums = {}
    for name in ARTIFACTS:
        if (folder / name).is_file():
            with (folder / name).open("rb") as file:
                checksums[name] = hashlib.file_digest(file, "sha256").hexdigest()
    return checksums


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
