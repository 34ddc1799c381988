"""Instances and predictions as files: CSV, Parquet, Arrow, NPY, lines of JSON."""

import gzip
import io
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import orjson
import pyarrow as pa
import pytest
from fastapi.testclient import TestClient
from numpy.testing import assert_array_equal
from pyarrow import csv, ipc, parquet

from app.database import Database
from app.main import create_app
from app.predictions.media import MEDIA_TYPES, answer_form
from app.predictions.schemas import PredictAnswer
from app.predictions.table_answers import IN_MEMORY_BYTES
from app.settings import Settings
from tests.support.onnx_models import add_finished_run

ROWS = np.random.default_rng(5).normal(size=(20_000, 2)).astype(np.float32)


@pytest.fixture
def client(
    database: Database, tmp_path: Path, save_scaling: Callable[..., None], save_sum_and_product: Any
) -> Iterator[TestClient]:
    for run_id in ("run_1", "run_two"):
        add_finished_run(database, run_id)
    save_scaling(tmp_path / "artifacts" / "run_1", 2.0)
    save_sum_and_product(tmp_path / "artifacts" / "run_two")
    with TestClient(create_app(Settings(data_dir=tmp_path, max_table_bytes=4_000_000))) as client:
        yield client


def as_csv(table: pa.Table) -> bytes:
    sink = io.BytesIO()
    csv.write_csv(table, sink)
    return sink.getvalue()


def as_parquet(table: pa.Table) -> bytes:
    sink = io.BytesIO()
    parquet.write_table(table, sink, row_group_size=7000)
    return sink.getvalue()


def as_arrow(table: pa.Table, open_writer: Any = ipc.new_stream, compression: str | None = None) -> bytes:
    sink = io.BytesIO()
    options = ipc.IpcWriteOptions(compression=compression)
    with open_writer(sink, table.schema, options=options) as writer:
        writer.write_table(table, max_chunksize=9000)
    return sink.getvalue()


def as_npy(array: np.ndarray) -> bytes:
    sink = io.BytesIO()
    np.save(sink, array)
    return sink.getvalue()


def as_lines(rows: Any) -> bytes:
    return b"".join(orjson.dumps(row, option=orjson.OPT_SERIALIZE_NUMPY) + b"\n" for row in rows)


def bodies(rows: np.ndarray) -> dict[str, bytes]:
    table = pa.table({"x_0": rows[:, 0], "x_1": rows[:, 1]})
    return {
        "text/csv": as_csv(table),
        "application/vnd.apache.parquet": as_parquet(table),
        "application/vnd.apache.arrow.stream": as_arrow(table),
        "application/vnd.apache.arrow.file": as_arrow(table, ipc.new_file),
        "application/x-npy": as_npy(rows),
        "application/x-ndjson": as_lines(rows),
    }


def post(
    client: TestClient, media_type: str, body: bytes, accept: str = "application/json", **query: Any
) -> httpx.Response:
    headers = {"content-type": media_type, "accept": accept}
    return client.post("/predict", content=body, headers=headers, params={"run_id": "run_1", **query})


def read_answer(answer: httpx.Response, names: list[str]) -> np.ndarray:
    """The columns of an answer, side by side."""
    content = answer.content
    match answer.headers["content-type"].partition(";")[0]:
        case "application/json":
            return np.float32(answer.json()["predictions"])
        case "application/x-ndjson":
            *rows, last = [orjson.loads(line) for line in content.splitlines()]
            assert last["run_id"] == "run_1"
            return np.float32([row["prediction"] for row in rows])
        case "application/x-npy":
            return np.load(io.BytesIO(content), allow_pickle=False)
        case "text/csv":
            table = csv.read_csv(io.BytesIO(content))
        case "application/vnd.apache.parquet":
            table = parquet.read_table(io.BytesIO(content))
        case _:
            table = ipc.open_stream(content).read_all()
    assert table.column_names == names
    return np.stack([table[name].to_numpy() for name in names], axis=1).astype(np.float32)


@pytest.mark.parametrize("media_type", list(bodies(ROWS[:1])))
def test_every_form_is_read(client: TestClient, media_type: str) -> None:
    answer = post(client, media_type, bodies(ROWS)[media_type], threshold=[0.5, 1])
    assert answer.status_code == 200, answer.text
    content = answer.json()
    PredictAnswer.model_validate(content)
    assert_array_equal(np.float32(content["predictions"]), 2 * ROWS)
    document = {"run_id": "run_1", "instances": ROWS.tolist(), "thresholds": [0.5, 1]}
    assert content == client.post("/predict", json=document).json()


@pytest.mark.parametrize("media_type", MEDIA_TYPES.values())
@pytest.mark.parametrize("rows", [ROWS[:3], ROWS], ids=["small", "large"])
def test_every_form_is_answered(client: TestClient, media_type: str, rows: np.ndarray) -> None:
    answer = post(client, "application/x-npy", as_npy(rows), media_type)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].partition(";")[0] == media_type
    assert int(answer.headers["content-length"]) == len(answer.content)
    assert_array_equal(read_answer(answer, ["dense_0", "dense_1"]), 2 * rows)
    document = {"run_id": "run_1", "instances": rows.tolist()}
    again = client.post("/predict", json=document, headers={"accept": media_type})
    assert_array_equal(read_answer(again, ["dense_0", "dense_1"]), 2 * rows)


def test_an_answer_may_be_larger_than_the_memory_is_to_hold(client: TestClient) -> None:
    many = np.tile(ROWS, (8, 1))
    answer = post(client, "application/x-npy", as_npy(many), "application/x-npy")
    assert len(answer.content) > IN_MEMORY_BYTES
    assert_array_equal(read_answer(answer, []), 2 * many)


def test_several_inputs_and_outputs_are_columns(client: TestClient) -> None:
    a, b = ROWS[:50], ROWS[50:100]
    table = pa.table({"b_0": b[:, 0], "b_1": b[:, 1], "a": pa.FixedSizeListArray.from_arrays(a.ravel(), 2)})
    query = {"run_id": "run_two"}
    for body in (as_parquet(table), as_arrow(table)):
        media_type = "application/x-parquet" if body[:4] == b"PAR1" else "application/vnd.apache.arrow.stream"
        answer = post(client, media_type, body, "text/csv", **query)
        expected = np.concatenate([a + b, a * b], axis=1)
        names = ["sum_0", "sum_1", "product_0", "product_1"]
        np.testing.assert_allclose(read_answer(answer, names), expected, rtol=1e-6)
    predictions = post(client, "application/x-parquet", as_parquet(table), **query).json()["predictions"]
    assert_array_equal(np.float32(predictions["sum"]), a + b)
    lines = as_lines({"a": one, "b": other} for one, other in zip(a, b, strict=True))
    answer = post(client, "application/x-ndjson", lines, "application/x-ndjson", **query)
    first, *_, last = [orjson.loads(line) for line in answer.content.splitlines()]
    assert np.float32(first["prediction"]["sum"]).tolist() == (a[0] + b[0]).tolist()
    assert len(last["statistics"]["elements_above"]) == 2
    assert post(client, "application/x-ndjson", lines, "application/x-npy", **query).status_code == 409
    assert post(client, "application/x-npy", as_npy(a), **query).status_code == 422


def test_classes_and_other_names_of_columns(client: TestClient) -> None:
    table = as_csv(pa.table({"width": [0.1, 3], "height": [2, 0.4]}))
    answer = post(client, "text/csv; charset=utf-8", table, "text/csv", **{"return": "classes"})
    assert answer.text.split() == ['"dense"', "1", "0"]


def test_what_accept_prefers() -> None:
    assert answer_form("text/csv, application/json;q=0.5") == "csv"
    assert answer_form("text/csv;q=0.5, */*") == "json"
    assert answer_form("image/png") == "json"
    assert answer_form("application/x-parquet") == "parquet"
    assert answer_form("text/*;q=x, application/x-npy;q=0.1") == "npy"


class Unpickled:
    def __reduce__(self) -> Any:
        return (print, ("unpickled",))


def npy_with(header: bytes, content: bytes = b"") -> bytes:
    return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + content


HUGE = b"{'descr': '<f4', 'fortran_order': False, 'shape': (1000000000000, 2), }\n"


@pytest.mark.parametrize("open_writer", [ipc.new_stream, ipc.new_file])
@pytest.mark.parametrize("compression", ["lz4", "zstd"])
def test_compressed_record_batches(client: TestClient, open_writer: Any, compression: str) -> None:
    table = pa.table({"x_0": ROWS[:, 0], "x_1": ROWS[:, 1]})
    body = as_arrow(table, open_writer, compression)
    assert body != as_arrow(table, open_writer)
    answer = post(client, "application/vnd.apache.arrow.stream", body)
    assert answer.status_code == 200, answer.text
    plain = post(client, "application/vnd.apache.arrow.stream", as_arrow(table))
    assert answer.json()["predictions"] == plain.json()["predictions"]


def arrow_file_of_another_list() -> bytes:
    """A file of one record batch that says it has two."""
    table = pa.table({"x_0": [1.0], "x_1": [2.0]})
    one, two = (as_arrow(pa.concat_tables([table] * count), ipc.new_file) for count in (1, 2))
    footer = [len(content) - 10 - int.from_bytes(content[-10:-6], "little") for content in (one, two)]
    return one[: footer[0]] + two[footer[1] :]


def arrow_lists_beyond_the_end() -> bytes:
    """Two lists, of which the second is said to end far behind the numbers."""
    content = as_arrow(pa.table({"x": [[1.0, 2.0], [3.0, 4.0]]}))
    offsets = np.int32([0, 2, 4]).tobytes()
    assert content.count(offsets) == 1
    return content.replace(offsets, np.int32([0, 2**29, 2**30]).tobytes())


WRONG = {
    "text/csv": [
        (b"", "/columns", "columns"),
        (b"x_0,x_1\n", "", "at least one row below the line of column names"),
        (b"x_0\n1\n", "/columns", 'no "x_1"'),
        (b"x_0,x_1\n1,2\n3\n", "/1", "2 numbers; received 1"),
        (b"x_0,x_1\n1,2,3\n", "/0", "2 numbers; received 3"),
        (b"x_0,x_1\n1,2\n3,a\n", "/columns/x_1/1", 'a number; received "a"'),
        (b"x_0,x_1\n1,true\n", "/columns/x_1/0", "a number"),
        (b"x_0,x_1\n1,\n", "/columns/x_1/0", "a number; received null"),
        (b"x_0,x_1\n1,2\n1,nan\n", "/columns/x_1/1", "received nan"),
        (b"x_0,x_1\n1,1e39\n", "/columns/x_1/0", "float32"),
        (b"x_0,x_0\n1,2\n", "/columns", "more than once"),
        (b"\xff\xfe\n1,2\n", "", "column names"),
        (b"x_0,x_1\n" + b"1" * 20_000_000, None, None),
    ],
    "application/x-ndjson": [
        (b"\n\n", "", "at least one row"),
        (b"[1, 2]\n[3]\n", "/1", "2 numbers"),
        (b"[1, 2]\n\n[3, 4\n", "/1", "JSON"),
        (b"[1, 2],[3, 4]\n", "/0", "JSON"),
        (b"[1, 2\n3, 4]\n", "/0", "JSON"),
        (b"[1, 2]\n[true, 1]\n", "/1/0", "a number"),
        (b"[1, NaN]\n", "/0/1", "finite"),
        (b'{"y": 1}\n', "/0/y", "inputs"),
        (b"[" * 100_000, "/0", "JSON"),
    ],
    "application/x-npy": [
        (b"", "", "NPY"),
        (as_npy(ROWS[:9])[:-1], "", "bytes of numbers"),
        (as_npy(ROWS[:9]) + b"\0", "", "bytes of numbers"),
        (as_npy(ROWS[:0]), "", "at least one row"),
        (as_npy(ROWS[0]), "", "shape"),
        (as_npy(np.ones((3, 3))), "", "shape [n, 2]; received [3, 3]"),
        (as_npy(np.asfortranarray(ROWS[:9])), "", "column by column"),
        (as_npy(np.float32([[1, np.nan]])), "/columns/x/0", "finite"),
        (as_npy(np.array([[True, False]])), "", "bool"),
        (as_npy(np.array([[Unpickled(), 1]], object)), "", "object"),
        (npy_with(HUGE, b"12345678"), "", "bytes of numbers"),
        (npy_with(HUGE.replace(b"1000000000000", b"-1")), "", "bytes of numbers"),
        (npy_with(HUGE.replace(b"f4", b"X4")), "", "NPY"),
        (npy_with(b"(" * 5000), "", "NPY"),
        (npy_with(b"__import__('os').abort()\n"), "", "NPY"),
    ],
    "application/vnd.apache.parquet": [
        (b"", "", "Parquet"),
        (b"PAR1", "", "Parquet"),
        (b"PAR1" + b"\xff" * 100 + b"\xff\xff\xff\x7fPAR1", "", "Parquet"),
        (bodies(ROWS[:100])["application/vnd.apache.parquet"][:-30], "", "Parquet"),
        (as_parquet(pa.table({"x_0": [1.0], "x_1": ["a"]})), "/columns/x_1", "a column of numbers"),
        (as_parquet(pa.table({"x_0": [1.0, 2], "x_1": [1.0, None]})), "/columns/x_1/1", "null"),
        (as_parquet(pa.table({"x_0": [True], "x_1": [False]})), "/columns/x_0", "bool"),
        (as_parquet(pa.table({"x": [[1.0, 2], [3.0]]})), "/columns/x", "equally long"),
        (as_parquet(pa.table({"x": [[1.0, 2, 3]]})), "/columns", "shapes"),
        (as_parquet(pa.table({"x": [1.0]})), "/columns", None),
        (as_parquet(pa.table({"x_0": [], "x_1": []}).cast(pa.schema({"x_0": "f8", "x_1": "f8"}))), "", "row"),
    ],
    "application/vnd.apache.arrow.stream": [
        (b"", "", "Arrow"),
        (b"ARROW1\0\0", "", "Arrow"),
        (bodies(ROWS[:100])["application/vnd.apache.arrow.stream"][:-300], "", "Arrow"),
        (b"\xff\xff\xff\xff\xff\xff\xff\x7f" + b"\0" * 64, "", "Arrow"),
        (as_arrow(pa.table({"x_0": [1.0], "x_1": [[["a"]]]})), "/columns/x_1", None),
        (arrow_file_of_another_list(), "", "the 2 record batches that the file lists; received 1"),
        (arrow_lists_beyond_the_end(), "", "can't be read"),
    ],
}  # fmt: skip


@pytest.mark.parametrize(
    ("media_type", "body", "pointer", "message"),
    [
        pytest.param(media_type, *case, id=f"{media_type.rpartition('/')[2]}-{number}")
        for media_type, cases in WRONG.items()
        for number, case in enumerate(cases)
    ],
)
def test_what_is_wrong_is_told(
    client: TestClient, media_type: str, body: bytes, pointer: str | None, message: str | None
) -> None:
    answer = post(client, media_type, body)
    if pointer is None:
        assert answer.status_code == 413
        return
    assert answer.status_code == 422, answer.text
    (error,) = answer.json()["errors"]
    assert error["pointer"] == pointer
    assert error["message"].startswith("Expected ")
    assert len(error["message"]) < 500
    assert message is None or message in error["message"]


@pytest.mark.parametrize(
    ("query", "status", "message"),
    [
        ({"run_id": None}, 422, 'Expected a value for "run_id"'),
        ({"run_id": "run_9"}, 404, "run_9"),
        ({"model": "spam"}, 422, "received 2 of them"),
        ({"version": "1"}, 422, "version: "),
        ({"run_id": None, "model": "spam", "version": "x"}, 422, "version: "),
        ({"run_id": None, "model": "spam", "version": "99999999999"}, 422, "version: "),
        ({"run_id": None, "run_ids": ["run_1", "run_two"]}, 422, "run_ids/1: "),
        ({"threshold": "x"}, 422, "threshold: "),
        ({"threshold": "nan"}, 422, "threshold: "),
        ({"treshold": 1}, 422, 'Did you mean "threshold"?'),
        ({"return": "both"}, 422, "return: "),
        ({"run_id": ["run_1", "run_2"]}, 422, "run_id: Expected it once"),
    ],
)
def test_a_wrong_query_is_told(client: TestClient, query: dict[str, Any], status: int, message: str) -> None:
    parameters = {name: value for name, value in ({"run_id": "run_1"} | query).items() if value is not None}
    headers = {"content-type": "text/csv"}
    answer = client.post("/predict", content=b"x_0,x_1\n1,2\n", headers=headers, params=parameters)
    assert answer.status_code == status, answer.text
    assert message in answer.json()["detail"]


def test_a_compressed_or_too_large_file_is_refused(client: TestClient) -> None:
    for content_type in ("text/csv", "application/json"):
        headers = {"content-type": content_type, "content-encoding": "gzip"}
        answer = client.post("/predict?run_id=run_1", content=gzip.compress(b"{}"), headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (415, "unsupported_media_type")
        assert answer.json()["detail"] == "Expected a body without Content-Encoding; received 'gzip'."
    assert post(client, "text/csv", b"1" * 4_000_001).status_code == 413
