"""Instances in lines of JSON, one a line."""

from collections.abc import Iterator, Sequence
from typing import IO, Any

from app.errors import InvalidDocument, MalformedDocument
from app.predictions.instances import read_instances
from app.predictions.sessions import ModelInput
from app.predictions.tables.rows import Batch, blocks, most_rows
from app.spec.strict_json import read_json


def read_lines(file: IO[bytes], inputs: Sequence[ModelInput]) -> Iterator[Batch]:
    """The rows of a file of lines of JSON."""
    first = 0  # row of the block
    for block in blocks(file):
        lines = [line for line in block.splitlines() if line.strip()]
        for start in range(0, len(lines), most_rows(inputs)):
            some = lines[start : start + most_rows(inputs)]
            yield _read_some_lines(some, first + start, inputs)
        first += len(lines)


def _read_some_lines(lines: list[bytes], first: int, inputs: Sequence[ModelInput]) -> Batch:
    text = b"[" + b",".join(lines) + b"]"
    try:
        rows = read_json(text)
    except MalformedDocument:
        rows = []
    if len(rows) != len(lines):  # one isn't JSON by itself, or more than one value
        rows = [_read_line(line, first + number) for number, line in enumerate(lines)]
    try:
        maybe_booleans = b"u" in text or b"f" in text
        return read_instances(rows, inputs, maybe_booleans=maybe_booleans, pointer="")
    except InvalidDocument as error:
        problem = error.problems[0]
        _, row, *rest = problem.pointer.split("/") if problem.pointer else ("", "0")
        raise InvalidDocument.at("/".join(["", str(first + int(row)), *rest]), problem.message) from error


def _read_line(line: bytes, row: int) -> Any:
    try:
        return read_json(line)
    except MalformedDocument as error:
        problem = error.problems[0]
        raise InvalidDocument.at(f"/{row}{problem.pointer}", problem.message) from error
