"""What a hostile client might send: files that unpack to more than they are, pickles, paths, SQL."""

import io
import itertools
import json
import pickle
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import numpy as np
import pyarrow
import pytest
from fastapi.testclient import TestClient
from pyarrow import ipc, parquet

from app.database import Database
from app.main import create_app
from app.memory import resident_bytes
from app.settings import Settings
from tests.support.documents import tiny_document
from tests.support.onnx_models import add_scaling_run
from tests.support.parquet_pages import lying, with_bomb

RUN = "run_0000000000000000000000000a"
EXAMPLES = Path(__file__).parents[1] / "examples"
MEGABYTE = 1024 * 1024
PARQUET = "application/vnd.apache.parquet"
ARROW = "application/vnd.apache.arrow.stream"
NPZ, NPY = "application/x-npz", "application/x-npy"

SQL = (
    "'; DROP TABLE runs; --",
    "' OR '1'='1",
    '" OR ""="',
    "%' UNION SELECT hash FROM api_keys --",
    "x\\'; DELETE FROM runs WHERE ''='",
    "1; ATTACH DATABASE '/tmp/x' AS x",
)
PATHS = (
    "../../kerb.db",
    "..%2f..%2fkerb.db",
    "....//kerb.db",
    "/etc/passwd",
    "%00",
    "kerb.db\x00.onnx",
    "..\\kerb.db",
)


@pytest.fixture
def client(database: Database, tmp_path: Path) -> Iterator[TestClient]:
    add_scaling_run(database, tmp_path, RUN, 2.0)
    settings = Settings(
        data_dir=tmp_path,
        max_dataset_rows=1_000_000,
        max_dataset_bytes=64 * MEGABYTE,
        dataset_memory_bytes=512 * MEGABYTE,
        max_table_bytes=64 * MEGABYTE,
        call_seconds=0.01,
    )
    with TestClient(create_app(settings)) as client:
        assert client.put("/models/spam", json={"run_id": RUN}).status_code == 201
        yield client


def upload(client: TestClient, content: bytes, media_type: str) -> httpx.Response:
    return client.post("/datasets", content=content, headers={"Content-Type": media_type})


def as_parquet(**columns: Any) -> bytes:
    sink = io.BytesIO()
    parquet.write_table(pyarrow.table(columns), sink, store_schema=False)  # as plain texts
    return sink.getvalue()


def as_arrow(*, file: bool = False, **columns: Any) -> bytes:
    """Compressed, in a single record batch."""
    table, sink = pyarrow.table(columns), io.BytesIO()
    open_writer = ipc.new_file if file else ipc.new_stream
    with open_writer(sink, table.schema, options=ipc.IpcWriteOptions(compression="zstd")) as writer:
        writer.write_table(table)
    return sink.getvalue()


def many(count: int) -> Any:
    """A column of one value, of a dictionary of many."""
    return pyarrow.DictionaryArray.from_arrays(pyarrow.array([0], pyarrow.int32()), np.zeros(count, np.int8))


def repeated(text: str, times: int) -> Any:
    """A column of one text that Parquet holds once."""
    indices = pyarrow.array(np.zeros(times, np.int32))
    return pyarrow.DictionaryArray.from_arrays(indices, pyarrow.array([text]))


def npz_of(array: bytes, says: int | None = None) -> bytes:
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x.npy", array)
    content = sink.getvalue()
    if says is not None:  # the length that is told of what is packed, in the directory and before the data
        content = content.replace(len(array).to_bytes(4, "little"), says.to_bytes(4, "little"))
    return content


def npy_of(array: Any, **options: Any) -> bytes:
    sink = io.BytesIO()
    np.save(sink, array, **options)
    return sink.getvalue()


class TestBombs:
    @pytest.mark.parametrize(
        ("make", "media_type", "status", "message"),
        [
            (lambda: npz_of(npy_of(np.zeros((7_000_000, 1)))), NPZ, 422, "at most 100 times"),
            (lambda: npz_of(npy_of(np.zeros((7_000_000, 1))), says=1000), NPZ, 422, "can't be read"),
            (lambda: as_parquet(x=np.zeros(1_000_001, np.int8)), PARQUET, 413, "at most 1000000 rows"),
            (lambda: as_parquet(x=repeated("x" * 500, 300_000)), PARQUET, 413, "at most 67108864 bytes"),
            (lambda: as_parquet(x=repeated("x" * MEGABYTE, 65_536)), PARQUET, 422, "can't be read"),
        ],
        ids=["arrays", "lying lengths", "rows", "texts", "long texts"],
    )
    def test_a_dataset_that_unpacks_to_too_much(
        self, client: TestClient, tmp_path: Path, make: Any, media_type: str, status: int, message: str
    ) -> None:
        content = make()
        assert len(content) < 2 * MEGABYTE
        answer = upload(client, content, media_type)
        assert (answer.status_code, message in answer.json()["detail"]) == (status, True), answer.text
        assert client.get("/datasets").json()["items"] == []
        assert not [path for path in (tmp_path / "datasets").iterdir() if path.is_dir()]

    def test_a_table_to_predict_that_unpacks_to_too_much(self, client: TestClient) -> None:
        before = resident_bytes()
        for column in (repeated("x" * MEGABYTE, 65_536), repeated("1", 65_536)):
            content = as_parquet(x_0=column, x_1=column)
            answer = client.post(f"/predict?run_id={RUN}", content=content, headers={"Content-Type": PARQUET})
            assert answer.status_code == 422, answer.text
        assert resident_bytes() - before < 300 * MEGABYTE

    @pytest.mark.parametrize(
        "make",
        [
            lambda: as_arrow(x_0=np.zeros(9000), x_1=np.zeros(9000)).replace(
                (72_000).to_bytes(8, "little"), (300_000_000).to_bytes(8, "little")
            ),
            lambda: as_arrow(**dict.fromkeys(("x_0", "x_1"), np.zeros(34_000_000, np.int8)), file=True),
            lambda: as_arrow(**dict.fromkeys(("x_0", "x_1"), many(5_000_000))),
            lambda: as_arrow(x_0=pyarrow.nulls(70_000_000)),
        ],
        ids=["sizes", "small numbers in a file", "dictionaries", "nulls"],
    )
    def test_record_batches_to_predict_that_unpack_to_too_much(self, client: TestClient, make: Any) -> None:
        content = make()
        assert len(content) < MEGABYTE
        before = resident_bytes()
        answer = client.post(f"/predict?run_id={RUN}", content=content, headers={"Content-Type": ARROW})
        assert answer.status_code == 422, answer.text
        assert "record batches of at most 536870912 bytes" in answer.json()["detail"]
        assert resident_bytes() - before < 100 * MEGABYTE


def whole_numbers(most: int) -> pyarrow.Table:
    numbers = np.arange(1000.0) % most
    return pyarrow.table({"x_0": numbers, "x_1": numbers})


NOISE = np.random.default_rng(1).random(20_000)
LIES: dict[str, tuple[Callable[[], bytes], str]] = {
    "a bomb": (lambda: with_bomb(pyarrow.table({"x_0": NOISE, "x_1": NOISE}), 600), "row groups of at most"),
    "more room": (lambda: lying(whole_numbers(1000), unpacked=2**31 - 1), "row groups of at most"),
    "more bytes": (lambda: lying(whole_numbers(1000), packed=2**31 - 1), "can't be read"),
    "more values": (lambda: lying(whole_numbers(1000), values=2**31 - 1), "pages hold 1000 values"),
    "fewer values": (lambda: lying(whole_numbers(1000), values=1), "can't be read"),
    "no values": (lambda: lying(whole_numbers(1000), 1, values=0), "an empty page"),
    "fewer than nothing": (lambda: lying(whole_numbers(1000), values=-1), "a negative size"),
    "a dictionary of more values": (
        lambda: lying(whole_numbers(7), dictionary=True, values=2**31 - 1),
        "dictionaries hold what they say",
    ),
    "a dictionary of more room": (
        lambda: lying(whole_numbers(7), dictionary=True, unpacked=2**31 - 1),
        "row groups of at most",
    ),
}


@pytest.mark.parametrize(("make", "message"), LIES.values(), ids=LIES)
def test_a_parquet_file_to_predict_whose_pages_lie(
    client: TestClient, make: Callable[[], bytes], message: str
) -> None:
    """Room is made for what a page's header says, and not for more than may be."""
    content = make()
    assert len(content) < MEGABYTE
    scored = client.post(f"/predict?run_id={RUN}", content=content, headers={"Content-Type": PARQUET})
    assert (scored.status_code, message in scored.json()["detail"]) == (422, True), scored.text


@pytest.mark.parametrize("lie", ["a bomb", "more values", "no values", "a dictionary of more values"])
def test_a_dataset_whose_pages_lie(client: TestClient, tmp_path: Path, lie: str) -> None:
    """They are read by a process that has only so much room."""
    make, _ = LIES[lie]
    stored = upload(client, make(), PARQUET)
    assert stored.status_code == 422, stored.text
    assert stored.json()["detail"].startswith("Expected"), stored.text
    assert not [path for path in (tmp_path / "datasets").iterdir() if path.is_dir()]


class Trap:
    """Leaves a trace where it's unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return (Path.touch, (self.path,))


def test_nothing_is_unpickled(client: TestClient, tmp_path: Path) -> None:
    trap = np.array([[Trap(tmp_path / "sprung")]], object)
    array = npy_of(trap, allow_pickle=True)
    plain = pickle.dumps(trap)
    answers = [
        upload(client, npz_of(array), NPZ),
        upload(client, npz_of(plain), NPZ),
        *(
            client.post(f"/predict?run_id={RUN}", content=content, headers={"Content-Type": NPY})
            for content in (array, plain)
        ),
    ]
    assert [answer.status_code for answer in answers] == [422] * 4
    assert not (tmp_path / "sprung").exists()
    pickle.loads(plain)
    assert (tmp_path / "sprung").exists()  # it would have


def operations(client: TestClient) -> list[tuple[str, str, dict[str, Any]]]:
    paths = client.get("/openapi.json").json()["paths"]
    return [(method, path, operation) for path, all_ in paths.items() for method, operation in all_.items()]


@pytest.mark.parametrize("texts", [SQL, PATHS], ids=["SQL", "paths"])
def test_hostile_texts_in_every_parameter(
    client: TestClient, database: Database, tmp_path: Path, texts: tuple[str, ...]
) -> None:
    before = client.get("/runs").json()
    secret = (tmp_path / "kerb.db").read_bytes()[:16]
    for method, path, operation in operations(client):
        for text in texts:
            query, headers, filled = {}, {}, path
            for parameter in operation.get("parameters", ()):
                name = parameter["name"]
                match parameter["in"]:
                    case "path":
                        filled = filled.replace(f"{{{name}}}", quote(text, safe="%"))
                    case "query":
                        query[name] = text
                    case _:
                        headers[name] = text.replace("\x00", "")
            if filled == path and not query and not headers:
                continue
            answer = client.request(method, filled, params=query, headers=headers)
            assert answer.status_code < 500, (method, filled, answer.text)
            assert secret not in answer.content
    assert client.get("/runs").json() == before
    answer = client.post("/predict", json={"model": "spam", "instances": [[1, 2]]})
    assert answer.json()["predictions"] == [[2, 4]]


@pytest.mark.parametrize("text", [*SQL, *PATHS])
def test_hostile_texts_in_every_text_of_documents(client: TestClient, text: str) -> None:
    made = client.post("/runs", json=tiny_document(name=text, tags={"kind": text}))
    assert made.status_code == 201, made.text
    run_id = made.json()["id"]
    assert client.get(f"/runs/{run_id}").json()["name"] == text
    found = client.get("/runs", params={"tag": f"kind:{text}", "name": text}).json()["items"]
    assert [run["id"] for run in found] == [run_id]
    again = client.post("/runs", json=tiny_document(), headers={"Idempotency-Key": "k"})
    stored = upload(client, b"x,y\n1,2\n", "text/csv").json()["id"]
    bodies: list[tuple[str, str, Any]] = [
        ("POST", "/runs", tiny_document(start_from=text)),
        ("POST", "/runs", tiny_document(loss=text)),
        ("POST", "/runs", tiny_document(dataset={"id": text, "features": ["x"], "target": "y"})),
        ("POST", "/runs", tiny_document(dataset={"id": stored, "features": [text], "target": text})),
        (
            "POST",
            "/sweeps",
            {"name": text, "base": tiny_document(), "axes": [{"pointer": text, "values": [1]}]},
        ),
        ("PUT", "/models/ham", {"run_id": text}),
        ("PUT", "/models/ham", {"run_ids": [RUN, text]}),
        ("POST", "/predict", {"run_id": text, "instances": [[1, 2]]}),
        ("POST", "/predict", {"model": text, "instances": [[1, 2]]}),
        ("POST", "/predict", {"run_ids": [text], "instances": [[1, 2]]}),
        ("POST", "/predict", {"run_id": RUN, "columns": {text: [1]}}),
        (
            "POST",
            "/v2/models/spam/infer",
            {"id": text, "inputs": [{"name": text}], "outputs": [{"name": text}]},
        ),
        ("POST", "/v1/models/spam:predict", {"signature_name": text, "instances": [[1, 2]]}),
        ("POST", f"/runs/{RUN}/evaluate", {"split": text}),
        ("POST", f"/runs/{RUN}/evaluate", {"dataset": {"inline": {text: [[1, 2]], "y": [[1]]}}}),
        ("POST", "/models/spam/rollback", {"version": text}),
        ("POST", "/losses/evaluate", {"loss": text, "y_true": [[1]], "y_pred": [[1]]}),
    ]
    for method, path, body in bodies:
        answer = client.request(method, path, json=body)
        assert answer.status_code in (404, 409, 422), (path, body, answer.text)
    assert client.get(f"/runs/{again.json()['id']}").status_code == 200
    assert client.post(f"/runs/{run_id}/cancel").status_code == 200
    assert client.delete(f"/runs/{run_id}").status_code == 204


def texts_in(value: Any) -> Iterator[tuple[Any, Any]]:
    """Each container within a document with a key of it under which a text lies."""
    for key, part in list(value.items() if isinstance(value, dict) else enumerate(value)):
        if isinstance(part, str):
            yield value, key
        elif isinstance(part, dict | list):
            yield from texts_in(part)


def small_sweep() -> Any:
    return {
        "name": "a",
        "base": tiny_document(metrics=["accuracy"], optimizer={"type": "Adam"}, tags={"kind": "b"}),
        "axes": [{"pointer": "/optimizer/type", "values": ["SGD", "Adam"]}],
        "objectives": [{"metric": "loss", "goal": "minimize"}],
        "limits": [{"metric": "accuracy", "at_least": 0.5}],
    }


@pytest.mark.parametrize(
    ("document", "path"),
    [
        (json.loads((EXAMPLES / "circles_l1_after.json").read_bytes()), "/runs/validate"),
        (json.loads((EXAMPLES / "sum_to_one.json").read_bytes()), "/runs/validate"),
        (small_sweep(), "/sweeps"),
    ],
    ids=["a penalty", "a constraint", "a sweep"],
)
def test_hostile_texts_in_place_of_each_text_of_real_documents(
    client: TestClient, document: Any, path: str
) -> None:
    before = client.get("/runs").json()
    hostile = itertools.cycle([*SQL, *PATHS])
    refused = 0
    for place, key in texts_in(document):
        text, place[key] = place[key], next(hostile)
        answer = client.post(path, json=document)
        assert answer.status_code in (200, 201, 422), (key, place[key], answer.text)
        refused += answer.status_code == 422
        place[key] = text
    assert refused > 5
    assert path == "/sweeps" or client.get("/runs").json() == before


def test_hostile_texts_as_names_of_columns(client: TestClient) -> None:
    """They are texts like others: stored, told, and found again."""
    names = [*SQL, *(text for text in PATHS if "\x00" not in text)]
    rows = [dict.fromkeys(names, number) for number in range(4)]
    made = client.post("/datasets", params={"name": SQL[0]}, json=rows)
    assert made.status_code == 201, made.text
    dataset = client.get(f"/datasets/{made.json()['id']}").json()
    assert (dataset["name"], [column["name"] for column in dataset["columns"]]) == (SQL[0], names)
    found = client.get("/datasets", params={"name": SQL[0]}).json()["items"]
    assert [item["id"] for item in found] == [dataset["id"]]
    stored = {"id": dataset["id"], "features": names[1:], "target": names[0]}
    run = tiny_document(dataset=stored, loss="mean_squared_error")
    assert client.post("/runs", json=run).status_code == 201
