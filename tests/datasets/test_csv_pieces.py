"""Pieces of CSV: they end where records end, whatever stands in quotes, and read the same as the whole."""

import io
import random
from collections.abc import Iterator
from pathlib import Path

import pyarrow
import pytest
from pyarrow import csv as arrow_csv

from app.datasets import csv_pieces, csv_reader
from app.datasets.body import Body
from app.datasets.csv_pieces import Pieces, whole_records

CHARACTERS = '"",,\n\r1a'


def starts_of_records(text: str) -> set[int]:
    """Where records may begin, read character for character: a quote counts at a value's start alone."""
    places = {0}
    state = "start"
    for place, character in enumerate(text):
        if state == "quoted":
            state = "closed" if character == '"' else "quoted"
        elif character == '"' and state in ("start", "closed"):  # the second of two stands for one
            state = "quoted"
        else:
            state = "start" if character in ",\r\n" else "plain"
            if character in "\r\n":
                places.add(place + 1)
    return places


def test_a_piece_ends_with_a_record() -> None:
    chance = random.Random(4)
    told = 0
    for _ in range(30_000):
        text = "".join(chance.choices(CHARACTERS, k=chance.randint(1, 24)))
        end = whole_records(text.encode(), is_last=False)
        assert end in starts_of_records(text), text
        told += end > 0 and '"' in text[:end]
    assert told > 3000  # else they'd all be left to one thread


@pytest.mark.parametrize(
    ("block", "is_last", "end"),
    [
        (b"1,2\n3,4\n5", False, 8),
        (b"1,2\n3,4\n5", True, 9),
        (b"1,2", False, 0),
        (b'"a","b"\n"c","d', False, 8),
        (b'"a","b"\n"c\nd","e"\n"f', False, 18),
        (b'"a\nb",1\n"c\nd', False, 8),
        (b'"say ""a""",1\n2', False, 14),
        (b'"a","b"', True, 7),
        (b'"a","b', True, 0),
        (b'5" pipe,1\n6" pipe,2\n', False, 0),
        (b"", True, 0),
    ],
)
def test_ends(block: bytes, is_last: bool, end: int) -> None:
    assert whole_records(block, is_last) == end


def values(chance: random.Random) -> Iterator[str]:
    while True:
        yield chance.choice(("1.5", "-2", "", "abc", '"x"', '"x, y"', '"two\nlines"', '"a ""b"" c"', '""'))


def table_of(path: Path) -> pyarrow.Table:
    schema, batches = csv_reader.open_csv(Body(path), {"a": pyarrow.string(), "b": pyarrow.string()})
    return pyarrow.Table.from_batches(batches, schema)


@pytest.mark.parametrize("odd", ["", '5" pipe,x\n', 'x"y",z\n'], ids=["none", "one", "two"])
@pytest.mark.parametrize("ending", ["\n", ""], ids=["ended", "not ended"])
def test_pieces_read_as_the_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, odd: str, ending: str
) -> None:
    """Also behind a line whose quotes are part of values, from where one thread reads."""
    monkeypatch.setattr(csv_pieces, "PIECE_BYTES", 256)
    monkeypatch.setattr(csv_reader, "PIECE_BYTES", 256)
    chance = random.Random(len(odd))
    cells = values(chance)
    lines = [f"{next(cells)},{next(cells)}{chance.choice((chr(10), chr(13) + chr(10)))}" for _ in range(600)]
    text = "a,b\n" + "".join(lines[:300]) + odd + "".join(lines[300:]) + f'last,"line"{ending}'
    path = tmp_path / "x.csv"
    path.write_bytes(text.encode())

    whole = arrow_csv.read_csv(
        io.BytesIO(text.encode()),
        parse_options=arrow_csv.ParseOptions(newlines_in_values=True),
        convert_options=arrow_csv.ConvertOptions(
            column_types={"a": pyarrow.string(), "b": pyarrow.string()},
            strings_can_be_null=True,
            quoted_strings_can_be_null=False,
        ),
    )
    assert table_of(path).to_pylist() == whole.to_pylist()

    pieces = Pieces(io.BytesIO(text.encode()))
    read = b"".join(iter(lambda: bytes(pieces.next() or b""), b""))
    assert text.encode().startswith(read)
    assert len(read) > 2000
    assert pieces.left == bool(odd)
