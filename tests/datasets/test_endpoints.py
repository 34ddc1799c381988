"""The routes of datasets, on a real database and real files."""

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pyarrow
import pytest
from blake3 import blake3
from fastapi.testclient import TestClient
from pyarrow import parquet

from app.database import Database
from app.datasets import schemas
from app.datasets.body import Body
from app.datasets.conversion import convert
from app.datasets.description import PARQUET_FILE
from app.datasets.parquet_description import describe_parquet
from app.datasets.size import DatasetSize
from app.datasets.table_file import open_table_file
from app.errors import BrokenFile, TooLarge
from app.main import create_app
from app.settings import Settings

TABLE = pyarrow.table(
    {
        "age": pyarrow.array([1, None, 3], pyarrow.int64()),
        "weight": pyarrow.array([0.5, float("nan"), -2.5]),
        "kind": ["a", "b", None],
    }
)


@pytest.fixture
def client(database: Database, tmp_path: Path) -> Iterator[TestClient]:
    with TestClient(create_app(Settings(data_dir=tmp_path))) as client:
        yield client


def upload(client: TestClient, content: bytes, media_type: str, name: str | None = None) -> httpx.Response:
    parameters = {"name": name} if name else {}
    return client.post("/datasets", content=content, headers={"Content-Type": media_type}, params=parameters)


def left_behind(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if "upload" in path.name or path.parent.name == "datasets"]


def converted(tmp_path: Path, form: str, content: bytes) -> dict[str, Any]:
    """What is told of a file, without the process."""
    source, folder = tmp_path / "source", tmp_path / "folder"
    source.write_bytes(content)
    folder.mkdir()
    found = convert(form, Body(source), folder, DatasetSize(10**7, 10**8, 10**9))
    if form == "parquet":
        source.rename(folder / PARQUET_FILE)
    return found


def as_parquet(table: Any = TABLE, **options: Any) -> bytes:
    sink = io.BytesIO()
    parquet.write_table(table, sink, **(options or {"row_group_size": 1}))
    return sink.getvalue()


def as_arrow(table: Any = TABLE, *, stream: bool = False) -> bytes:
    sink = io.BytesIO()
    opened = pyarrow.ipc.new_stream if stream else pyarrow.ipc.new_file
    with opened(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue()


def test_a_dataset_is_stored_once_described_listed_and_deleted(client: TestClient, tmp_path: Path) -> None:
    csv = b"age,weight,kind\n1,0.5,a\n,NaN,b\n3,-2.5,\n"
    answer = upload(client, csv, "text/csv", "people")
    assert answer.status_code == 201, answer.text
    dataset = answer.json()
    schemas.Dataset.model_validate(dataset)
    assert answer.headers["Location"] == f"/datasets/{dataset['id']}"
    assert (dataset["name"], dataset["rows"], dataset["bytes"]) == ("people", 3, len(csv))
    assert dataset["columns"] == [
        {
            "name": "age",
            "type": "int64",
            "shape": [],
            "missing": 1,
            "first_missing": 1,
            "min": 1,
            "max": 3,
            "categories": [1, 3],
        },
        {
            "name": "weight",
            "type": "double",
            "shape": [],
            "missing": 1,
            "first_missing": 1,
            "min": -2.5,
            "max": 0.5,
            "categories": None,
        },
        {
            "name": "kind",
            "type": "string",
            "shape": [],
            "missing": 1,
            "first_missing": 2,
            "min": None,
            "max": None,
            "categories": ["a", "b"],
        },
    ]
    assert dataset["preview"][1] == {"age": None, "weight": None, "kind": "b"}

    again = upload(client, csv, "text/csv; charset=utf-8", "other")
    assert (again.status_code, again.json()) == (200, dataset)
    other = upload(client, b"x\n1\n", "text/csv").json()
    page = client.get("/datasets", params={"limit": 1}).json()
    assert [item["id"] for item in page["items"]] == [other["id"]]
    page = client.get("/datasets", params={"after": page["next"]}).json()
    assert ([item["id"] for item in page["items"]], page["next"]) == ([dataset["id"]], None)
    schemas.DatasetList.model_validate(page)

    path = f"/datasets/{dataset['id']}"
    assert client.get(path).json() == dataset
    assert (tmp_path / "datasets" / dataset["id"] / "data.arrow").is_file()
    assert client.delete(path).status_code == 204
    assert not (tmp_path / "datasets" / dataset["id"]).exists()
    assert client.get(path).status_code == client.delete(path).status_code == 404


def test_a_broken_file_leaves_nothing_behind(client: TestClient, tmp_path: Path) -> None:
    answer = upload(client, b"a,b\n1,2\n1,2,3\n", "text/csv")
    assert answer.status_code == 422
    assert answer.json()["detail"] == "Expected 2 values in line 3; received 3."
    assert client.get("/datasets").json()["items"] == []
    assert left_behind(tmp_path) == []
    assert upload(client, b"a", "text/html").status_code == 415


KINDS = pyarrow.array([("Rome", "Oslo", None, "Bern")[row % 4] for row in range(1000)])
CODES = pyarrow.DictionaryArray.from_arrays(
    pyarrow.array([(3, 1, None if row % 8 else 4, 2)[row % 4] for row in range(1000)], pyarrow.int8()),
    pyarrow.array(["Lima", "Oslo", "Bern", "Rome", None]),  # one that nobody has, and one that isn't there
)


@pytest.mark.parametrize(
    ("form", "content"),
    [
        ("parquet", as_parquet(pyarrow.table({"kind": KINDS}), use_dictionary=True)),
        ("parquet", as_parquet(pyarrow.table({"kind": KINDS}), use_dictionary=False)),
        ("parquet", as_parquet(pyarrow.table({"kind": KINDS.dictionary_encode()}), row_group_size=300)),
        ("arrow", as_arrow(pyarrow.table({"kind": CODES}))),
    ],
    ids=["places", "texts", "a dictionary's places", "Arrow's dictionary"],
)
def test_texts_are_the_same_whether_stored_as_such_or_as_places_in_a_dictionary(
    tmp_path: Path, form: str, content: bytes
) -> None:
    found = converted(tmp_path, form, content)
    (kind,) = found["columns"]
    assert (kind["type"], kind["missing"], kind["first_missing"]) == ("string", 250, 2)
    assert kind["categories"] == ["Bern", "Oslo", "Rome"]
    assert [row["kind"] for row in found["preview"]] == ["Rome", "Oslo", None, "Bern", "Rome"]
    stored = open_table_file(tmp_path / "folder")
    assert stored.column("kind").to_pylist() == KINDS.to_pylist()


def test_texts_of_which_parquet_stores_the_last_as_such(tmp_path: Path) -> None:
    texts = ["Rome", "Oslo"] * 450 + [f"{number:04d}" for number in range(100)]
    limits = {"dictionary_pagesize_limit": 100, "data_page_size": 200, "write_batch_size": 50}
    content = as_parquet(pyarrow.table({"text": texts}), **limits)
    (column,) = converted(tmp_path, "parquet", content)["columns"]
    assert column["categories"] == sorted(set(texts))
    stored = open_table_file(tmp_path / "folder")
    assert stored.column("text").to_pylist() == texts


def test_a_thousand_categories_are_told_missing_values_or_not(tmp_path: Path) -> None:
    names = [f"v{number:03d}" for number in range(1000)]
    table = pyarrow.table({"plain": [*names, None], "number": [*range(1000), None]})
    columns = converted(tmp_path, "parquet", as_parquet(table, use_dictionary=["plain"]))["columns"]
    assert [column["categories"] for column in columns] == [names, list(range(1000))]


def test_a_dictionary_may_have_values_twice(tmp_path: Path) -> None:
    places = pyarrow.array(range(3000), pyarrow.int32())
    column = pyarrow.DictionaryArray.from_arrays(places, pyarrow.array(["a", "b", None] * 1000))
    content = as_arrow(pyarrow.table({"kind": column}))
    (kind,) = converted(tmp_path, "arrow", content)["columns"]
    assert (kind["categories"], kind["missing"]) == (["a", "b"], 1000)


def test_a_place_beyond_its_dictionary_is_told_by_its_batch(tmp_path: Path) -> None:
    places, values = pyarrow.array([0, 1, 9], pyarrow.int8()), pyarrow.array(["a", "b"])
    column = pyarrow.DictionaryArray.from_arrays(places, values, safe=False)
    with pytest.raises(BrokenFile, match="no batch can be read after 0: 0 to 9 in a dictionary of 2"):
        converted(tmp_path, "arrow", as_arrow(pyarrow.table({"kind": column})))


def test_the_type_of_a_column_is_the_files_however_it_is_encoded(tmp_path: Path) -> None:
    lists = pyarrow.FixedSizeListArray.from_arrays(pyarrow.array(["a", "b"] * 100), 2)
    large = pyarrow.array(["a"] * 100, pyarrow.large_string())
    content = as_parquet(pyarrow.table({"lists": lists, "large": large}), use_dictionary=True)
    columns = converted(tmp_path, "parquet", content)["columns"]
    assert [(column["type"], column["shape"]) for column in columns] == [
        ("string", [2]),
        ("large_string", []),
    ]


def test_numbers_in_a_dictionary_are_numbers(tmp_path: Path) -> None:
    content = as_parquet(pyarrow.table({"n": pyarrow.array([5, None, 2, 5]).dictionary_encode()}))
    (column,) = converted(tmp_path, "parquet", content)["columns"]
    assert (column["type"], column["min"], column["max"], column["categories"]) == ("int64", 2, 5, [2, 5])


def test_rows_of_large_arrays_are_counted_over_all_batches(tmp_path: Path) -> None:
    numbers = np.arange(400 * 10_000, dtype=np.float32)
    numbers[[2_515_000, 3_000_000]] = np.nan
    lists = pyarrow.FixedSizeListArray.from_arrays(pyarrow.array(numbers), 10_000)
    found = converted(tmp_path, "parquet", as_parquet(pyarrow.table({"lists": lists}), row_group_size=300))
    (column,) = found["columns"]
    assert (found["rows"], column["missing"], column["first_missing"]) == (400, 2, 251)
    assert (column["min"], column["max"]) == (0, 3_999_999)


@pytest.mark.parametrize("media_type", ["text/csv", "application/octet-stream"])
def test_a_form_with_a_file_is_taken_like_its_file(
    client: TestClient, tmp_path: Path, media_type: str
) -> None:
    csv = b"a,b\n" + b"1,2\n" * 500_000  # comes in several parts
    answer = client.post("/datasets", data={"name": "pairs"}, files={"file": ("x.csv", csv, media_type)})
    assert answer.status_code == 201, answer.text
    dataset = answer.json()
    assert (dataset["name"], dataset["rows"], dataset["bytes"]) == ("pairs", 500_000, len(csv))
    assert dataset["digest"] == f"blake3:{blake3(csv).hexdigest()}"
    assert upload(client, csv, "text/csv").status_code == 200
    assert left_behind(tmp_path) == [tmp_path / "datasets" / dataset["id"]]


PART = b'--x\r\nContent-Disposition: form-data; name="f"; filename="a.csv"\r\n\r\na\n1\r\n'


@pytest.mark.parametrize(
    ("content", "status", "message"),
    [
        (b"nothing", 422, "can't be read"),
        (PART, 422, "up to its last boundary"),
        (PART + PART + b"--x--\r\n", 422, "received two"),
        (PART.replace(b"; filename=", b"; other=") + b"--x--\r\n", 422, "received none"),
        (PART.replace(b"a.csv", b"a.txt") + b"--x--\r\n", 415, ".parquet"),
        (PART.replace(b"a\n1", b"a\n1,2") + b"--x--\r\n", 422, "1 values in line 2; received 2"),
    ],
)
def test_a_broken_form_leaves_nothing_behind(
    client: TestClient, tmp_path: Path, content: bytes, status: int, message: str
) -> None:
    answer = upload(client, content, "multipart/form-data; boundary=x")
    assert (answer.status_code, message in answer.json()["detail"]) == (status, True), answer.text
    assert left_behind(tmp_path) == []
    assert upload(client, content, "multipart/form-data").status_code == 422


@pytest.mark.parametrize("form", ["parquet", "stream", "file"])
def test_tables_of_every_form_are_described_alike(tmp_path: Path, form: str) -> None:
    content = as_parquet() if form == "parquet" else as_arrow(stream=form == "stream")
    found = converted(tmp_path, "parquet" if form == "parquet" else "arrow", content)
    assert [(column["type"], column["missing"], column["min"]) for column in found["columns"]] == [
        ("int64", 1, 1),
        ("double", 1, -2.5),
        ("string", 1, None),
    ]
    table = open_table_file(tmp_path / "folder")
    assert table.slice(2).to_pylist() == TABLE.slice(2).to_pylist()


def test_many_columns_of_parquet_are_described_in_their_order(tmp_path: Path) -> None:
    """More than are read by themselves; one name goes on where another ends."""
    names = ["a", "a.b", *(f"c{number}" for number in range(150))]
    table = pyarrow.table({name: [number, None, -number] for number, name in enumerate(names)})
    found = converted(tmp_path, "parquet", as_parquet(table, row_group_size=2))
    assert [column["name"] for column in found["columns"]] == names
    assert [(c["min"], c["max"], c["missing"]) for c in found["columns"]] == [(-n, n, 1) for n in range(152)]
    assert found["preview"] == table.to_pylist()


def test_parquet_of_more_bytes_than_allowed_is_refused(tmp_path: Path) -> None:
    """A few bytes of texts that take 30 MB each time they're stored."""
    path = tmp_path / "long.parquet"
    path.write_bytes(as_parquet(pyarrow.table({"a": ["x" * 3_000] * 10_000}), row_group_size=10_000))
    assert path.stat().st_size < 100_000
    with pytest.raises(TooLarge, match="at most 20000000 bytes"):
        describe_parquet(path, DatasetSize(10**7, 10**8, 2 * 10**7))


@pytest.mark.parametrize(
    "content", [b'[{"a": 1, "b": "x"}, {"a": 2.5}]', b'{"a": [1, 2.5], "b": ["x", null]}']
)
def test_json_comes_by_rows_or_by_columns(tmp_path: Path, content: bytes) -> None:
    found = converted(tmp_path, "json", content)
    assert found["preview"] == [{"a": 1.0, "b": "x"}, {"a": 2.5, "b": None}]


def test_arrays_keep_their_shapes_and_types(tmp_path: Path) -> None:
    images = np.arange(7 * 4 * 4, dtype=np.uint8).reshape(7, 4, 4)
    sink = io.BytesIO()
    np.savez_compressed(sink, image=images, y=np.arange(7.0))
    found = converted(tmp_path, "npz", sink.getvalue())
    assert found["rows"] == 7
    assert found["columns"][0] == {
        "name": "image", "type": "uint8", "shape": [4, 4], "missing": 0, "first_missing": None, "min": 0,
        "max": 111, "categories": None,
    }  # fmt: skip
    assert len(found["preview"]) == 5
    assert np.array_equal(np.load(tmp_path / "folder" / "0.npy"), images)


def test_a_csv_type_is_widened_where_a_later_block_needs_it(tmp_path: Path) -> None:
    lines = ["a,b"] + ["1,2"] * 2_000_000 + ["1.5,x"]
    found = converted(tmp_path, "csv", "\n".join(lines).encode())
    assert [column["type"] for column in found["columns"]] == ["double", "string"]
    assert (found["rows"], found["columns"][0]["max"]) == (2_000_001, 1.5)


def npz(**arrays: Any) -> bytes:
    sink = io.BytesIO()
    np.savez(sink, **arrays)
    return sink.getvalue()


def with_broken_group() -> bytes:
    """Parquet whose second row group has no page where its first page is to be."""
    content = bytearray(as_parquet())
    chunk = parquet.ParquetFile(io.BytesIO(content)).metadata.row_group(1).column(2)
    start = chunk.dictionary_page_offset or chunk.data_page_offset
    content[start : start + 8] = b"\xff" * 8
    return bytes(content)


def with_changed_number() -> bytes:
    """Parquet with checksums of its pages, and another number in the second row group than was written."""
    sink = io.BytesIO()
    table = pyarrow.table({"x": np.arange(1000.0)})
    parquet.write_table(
        table, sink, row_group_size=500, compression="none", use_dictionary=False, write_page_checksum=True
    )
    return sink.getvalue().replace(np.float64(700).tobytes(), np.float64(701.5).tobytes(), 1)


@pytest.mark.parametrize(
    ("form", "content", "message"),
    [
        ("csv", b"", "CSV"),
        ("csv", b"a,b\n", "at least one row"),
        ("csv", b"a,a\n1,2\n", "'a' twice"),
        ("csv", b"a,b\n1,2\n1,\xff\n", "line 3"),
        ("csv", b'a,b\n"1\n2",2\n\n1\n', "2 values in line 5; received 1"),
        ("parquet", b"PAR1", "Parquet"),
        ("parquet", with_broken_group(), "row group 1"),
        ("parquet", with_changed_number(), "row group 1"),
        ("arrow", as_arrow(stream=False)[:-200], "Arrow"),
        ("arrow", b"what is this", "Arrow"),
        ("json", b'[{"a": 1}, {"a": "x"}]', "row 1"),
        ("json", b'{"a": [1], "b": []}', "'b' 0"),
        ("json", b"[1,", "JSON"),
        ("npz", b"no archive", "NPZ"),
        ("npz", npz(a=np.array([{}])), "'a'"),
        ("npz", npz(a=np.zeros(2), b=np.zeros(3)), "2 rows in 'b'"),
    ],
)
def test_a_broken_file_says_where(tmp_path: Path, form: str, content: bytes, message: str) -> None:
    with pytest.raises(BrokenFile, match=message):
        converted(tmp_path, form, content)
