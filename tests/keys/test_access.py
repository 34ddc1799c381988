"""What keys let in, and that no project sees, guesses, changes or deletes anything of another's."""

import logging
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest
from fastapi.testclient import TestClient

from app.database import Database
from app.docs import PAGE_FILES
from app.gate import PUBLIC, check_routes
from app.keys.keyring import FRESH_SECONDS
from app.keys.service import SCOPES, Scope, create_key, revoke_key
from app.main import create_app
from app.settings import Settings
from app.state import declared_routes
from tests.support.documents import tiny_document
from tests.support.onnx_models import add_scaling_run

RUN = "run_0000000000000000000000000a"
QUEUED = "run_0000000000000000000000000b"
NO_RUN = "run_0000000000000000000000000f"
CSV = b"x,y\n1,2\n3,4\n"

OPERATIONS = [
    (method.upper(), path, operation)
    for path, operations in create_app(Settings()).openapi()["paths"].items()
    for method, operation in operations.items()
]
IDS = [f"{method} {path}" for method, path, _ in OPERATIONS]
GUARDED = [case for case in OPERATIONS if case[1] not in PUBLIC]


class Names(NamedTuple):
    """How the things of a project are called."""

    run: str
    dataset: str
    sweep: str
    model: str


@pytest.fixture(scope="module")
def data_dir(migrated_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("keys")
    shutil.copy(migrated_file, folder / "kerb.db")
    return folder


@pytest.fixture(scope="module")
def database(data_dir: Path) -> Iterator[Database]:
    database = Database(f"sqlite:///{data_dir / 'kerb.db'}")
    yield database
    database.close()


@pytest.fixture(scope="module")
def client(database: Database, data_dir: Path, keys: "Keys") -> Iterator[TestClient]:
    with TestClient(create_app(Settings(data_dir=data_dir, call_seconds=0.05))) as client:
        yield client


class Keys:
    """Makes keys, each once."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._made: dict[tuple[str, tuple[Scope, ...]], dict[str, str]] = {}

    def of(self, project: str, *scopes: Scope) -> dict[str, str]:
        """The header with a key; of all scopes unless some are given."""
        asked = project, scopes or SCOPES
        if asked not in self._made:
            with self._database.writing() as session:
                _, text = create_key(session, "test", *asked)
            self._made[asked] = {"Authorization": f"Bearer {text}"}
        return self._made[asked]


@pytest.fixture(scope="module")
def keys(database: Database) -> Keys:
    made = Keys(database)
    made.of("ours")
    made.of("theirs")
    made.of("empty")
    for scope in SCOPES:
        made.of("ours", scope)
    for scope in ("read", "predict"):
        made.of("theirs", scope)
    return made


@pytest.fixture(scope="module")
def ours(client: TestClient, database: Database, data_dir: Path, keys: Keys) -> Names:
    """What the project `ours` has: a run with a model, a name for it, and a dataset."""
    add_scaling_run(database.of_project("ours"), data_dir, RUN, 2.0)
    key = keys.of("ours")
    made = client.post("/datasets?name=people", content=CSV, headers=key | {"Content-Type": "text/csv"})
    assert client.put("/models/spam", json={"run_id": RUN}, headers=key).status_code == 201
    assert client.post("/runs", json=tiny_document(), headers=key).status_code == 201
    sweep = client.post("/sweeps", json={"base": tiny_document()}, headers=key)
    return Names(RUN, made.json()["id"], sweep.json()["id"], "spam")


NOBODYS = Names(NO_RUN, "ds_0000000000000000000000000f", "sweep_0000000000000000000000000f", "ham")


def ask(
    client: TestClient, method: str, path: str, operation: Any, names: Names, key: dict[str, str]
) -> httpx.Response:
    """A request of an operation that is good as far as a request can be, about the things named."""
    parts = {"/artifacts/": "model.onnx", "/plots/": "loss"}
    by_parameter = {
        "run_id": names.run,
        "dataset_id": names.dataset,
        "sweep_id": names.sweep,
        "name": next((name for part, name in parts.items() if part in path), names.model),
        "version": "1",
        "ids": f"{names.run},{names.run}",
        "a": "0",
        "b": "0",
        "metric": "loss",
        "x": "loss",
        "y": "val_loss",
    }
    query = {}
    for parameter in operation.get("parameters", ()):
        if parameter["in"] == "path":  # a new kind must be named above
            path = path.replace(f"{{{parameter['name']}}}", by_parameter[parameter["name"]])
        elif parameter["in"] == "query" and parameter.get("required"):
            query[parameter["name"]] = by_parameter[parameter["name"]]
    if "requestBody" not in operation:
        return client.request(method, path, headers=key, params=query)
    bodies = {
        "post_run": tiny_document() | {"start_from": names.run},
        "validate_run": tiny_document() | {"start_from": names.run},
        "evaluate_run": {"split": "train"},
        "put_model": {"run_id": names.run},
        "roll_back_model": {"version": 1},
        "post_sweep": {"base": tiny_document() | {"start_from": names.run}},
        "post_dataset": [{"x": float(names is NOBODYS)}],
        "evaluate_loss": {"loss": "mean_squared_error", "y_true": [[1.0]], "y_pred": [[2.0]]},
        "predict": {"run_id": names.run, "instances": [[1, 2]]},
        "infer": INFER,
        "infer_version": INFER,
        "serving_predict": {"instances": [[1, 2]]},
        "serving_predict_version": {"instances": [[1, 2]]},
    }
    return client.request(method, path, json=bodies[operation["operationId"]], headers=key)


INFER = {"inputs": [{"name": "x", "shape": [1, 2], "datatype": "FP32", "data": [1, 2]}]}


def assert_tells_nothing(answer: httpx.Response, about_nothing: httpx.Response, ours: Names) -> None:
    """What is told of another project's things is what is told of things that nobody has."""
    assert answer.status_code == about_nothing.status_code
    if answer.status_code < 400:
        assert not any(name in answer.text for name in ours)
        return
    text = about_nothing.text
    for own, nothing in zip(ours, NOBODYS, strict=True):
        text = text.replace(nothing, own)
    assert answer.text == text
    varying = {"x-request-id", "content-length"}
    headers = [
        {name: each.headers[name] for name in each.headers.keys() - varying}
        for each in (answer, about_nothing)
    ]
    assert headers[0] == headers[1]


@pytest.mark.parametrize(("method", "path", "operation"), GUARDED, ids=lambda value: str(value)[:60])
class TestEachRoute:
    def test_without_a_key(
        self, client: TestClient, ours: Names, method: str, path: str, operation: Any
    ) -> None:
        answer = ask(client, method, path, operation, ours, {})
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"].startswith("Bearer")
        assert answer.json()["code"] == "unauthenticated"

    def test_without_the_scope(
        self, client: TestClient, ours: Names, keys: Keys, method: str, path: str, operation: Any
    ) -> None:
        (needed,) = operation["security"][0]["bearer"]
        for scope in SCOPES[:-1]:
            answer = ask(client, method, path, operation, NOBODYS, keys.of("ours", scope))
            assert (answer.status_code == 403) == (scope != needed), scope
        assert ask(client, method, path, operation, NOBODYS, keys.of("ours", "admin")).status_code != 403

    def test_with_the_key_of_another_project(
        self, client: TestClient, ours: Names, keys: Keys, method: str, path: str, operation: Any
    ) -> None:
        answer = ask(client, method, path, operation, ours, keys.of("theirs"))
        about_nothing = ask(client, method, path, operation, NOBODYS, keys.of("theirs"))

        assert ("{" not in path and not path.endswith("/compare")) or answer.status_code in (404, 422)
        assert_tells_nothing(answer, about_nothing, ours)

    def test_with_the_key_of_another_project_that_may_do_nothing(
        self, client: TestClient, ours: Names, keys: Keys, method: str, path: str, operation: Any
    ) -> None:
        (needed,) = operation["security"][0]["bearer"]
        key = keys.of("theirs", "predict" if needed == "read" else "read")
        answers = [ask(client, method, path, operation, names, key) for names in (ours, NOBODYS)]
        assert answers[0].status_code == 403
        assert_tells_nothing(*answers, ours)


def test_what_a_project_has_is_there_after_all_that(client: TestClient, ours: Names, keys: Keys) -> None:
    key = keys.of("ours")
    answers = [
        client.get(path, headers=key)
        for path in (
            f"/runs/{ours.run}",
            f"/datasets/{ours.dataset}",
            "/models/spam",
            f"/sweeps/{ours.sweep}",
        )
    ]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 200]
    assert [version["version"] for version in answers[2].json()["versions"]] == [1]
    for body in ({"run_id": RUN}, {"model": "spam"}, {"run_ids": [RUN]}):
        document = {**body, "instances": [[1, 2]]}
        assert client.post("/predict", json=document, headers=key).json()["predictions"] == [[2, 4]]


def bodies_about(names: Names) -> dict[str, tuple[str, str, Any]]:
    """By what they name: requests whose bodies name things, good ones as far as the things are there."""
    stored = tiny_document(
        dataset={"id": names.dataset, "features": ["x"], "target": "y"}, loss="mean_squared_error"
    )
    started = tiny_document(start_from=names.run)
    axes = [{"pointer": "/dataset/id", "values": [names.dataset]}]
    starts = [{"pointer": "/start_from", "values": [names.run]}]
    return {
        "dataset": ("POST", "/runs", stored),
        "dataset, validated": ("POST", "/runs/validate", stored),
        "dataset of a sweep": ("POST", "/sweeps", {"base": stored}),
        "dataset as an axis": ("POST", "/sweeps", {"base": stored, "axes": axes}),
        "start": ("POST", "/runs", started),
        "start, validated": ("POST", "/runs/validate", started),
        "start of a sweep": ("POST", "/sweeps", {"base": started}),
        "start as an axis": ("POST", "/sweeps", {"base": tiny_document(), "axes": starts}),
        "model": ("PUT", "/models/eggs", {"run_id": names.run}),
        "members": ("PUT", "/models/eggs", {"run_ids": [names.run, names.run]}),
        "run to predict": ("POST", "/predict", {"run_id": names.run, "instances": [[1, 2]]}),
        "model to predict": ("POST", "/predict", {"model": names.model, "instances": [[1, 2]]}),
        "members to predict": ("POST", "/predict", {"run_ids": [names.run] * 2, "instances": [[1, 2]]}),
    }


@pytest.mark.parametrize("what", bodies_about(NOBODYS))
def test_bodies_that_name_what_another_project_has(
    client: TestClient, ours: Names, keys: Keys, what: str
) -> None:
    key = keys.of("theirs")
    method, path, body = bodies_about(ours)[what]
    answer = client.request(method, path, json=body, headers=key)
    method, path, body = bodies_about(NOBODYS)[what]
    about_nothing = client.request(method, path, json=body, headers=key)
    if not what.endswith("validated"):
        assert answer.status_code in (404, 422)
    assert_tells_nothing(answer, about_nothing, ours)


def test_the_same_bodies_are_good_for_those_who_have_it(client: TestClient, ours: Names, keys: Keys) -> None:
    for what, (method, path, body) in bodies_about(ours).items():
        if "start" in what:  # the run was made without a worker, and left nothing to start from
            continue
        answer = client.request(method, path, json=body, headers=keys.of("ours"))
        assert answer.status_code < 300, (what, answer.text)
    assert client.delete("/models/eggs", headers=keys.of("ours")).status_code == 204


def test_each_file_and_plot_of_another_project(client: TestClient, ours: Names, keys: Keys) -> None:
    """Whether there is such a file, a plot, a version or a worker that could draw, makes no difference."""
    names = [
        *(f"artifacts/{name}" for name in ("model.onnx", "signature.json", "nothing", "..%2Fkerb.db")),
        *(f"plots/{name}" for name in ("loss", "loss.png", "outputs", "confusion_matrix.svg", "nothing")),
    ]
    for name in names:
        for method in ("GET", "HEAD"):
            answers = [
                client.request(method, f"/runs/{run_id}/{name}", headers=keys.of("theirs"))
                for run_id in (ours.run, NOBODYS.run)
            ]
            assert answers[0].status_code in (404, 405, 422), name
            assert_tells_nothing(*answers, ours)
    for form in ("text/event-stream", "text/csv", "image/png"):
        for path in ("events", "metrics", "plots/loss"):
            answer = client.get(f"/runs/{ours.run}/{path}", headers=keys.of("theirs") | {"Accept": form})
            assert answer.status_code == 404, (path, form)


def test_all_that_can_be_asked_is_walked_above(client: TestClient) -> None:
    told = {(method, path) for method, path, _ in OPERATIONS}
    asked = {(method, route.path) for route in declared_routes(client.app) for method in route.methods}  # type: ignore[arg-type]
    assert told <= asked
    assert asked - told == {
        ("HEAD", "/runs/{run_id}/artifacts/{name}"),  # as GET
        ("POST", "/v1/models/{name}:{method}"),  # says that there is no such method
        ("POST", "/v1/models/{name}/versions/{version}:{method}"),
        ("GET", "/docs"),
        *(("GET", f"/docs/{name}") for name in PAGE_FILES),
        ("GET", "/openapi.json"),
    }


class TestOtherWays:
    """Ways to another project's things that aren't paths."""

    @pytest.mark.parametrize(
        "target",
        [{"run_id": RUN}, {"model": "spam"}, {"model": "spam", "version": 1}, {"run_ids": [RUN, RUN]}],
    )
    def test_predictions(self, client: TestClient, ours: Names, keys: Keys, target: dict[str, Any]) -> None:
        document = {**target, "instances": [[1, 2]]}
        assert client.post("/predict", json=document, headers=keys.of("ours")).status_code == 200  # it's open
        assert client.post("/predict", json=document, headers=keys.of("theirs")).status_code == 404
        answer = client.post(
            "/predict",
            params=target,
            content=b"[1,2]",
            headers=keys.of("theirs") | {"Content-Type": "application/x-ndjson"},
        )
        assert answer.status_code == 404

    def test_an_idempotency_key(self, client: TestClient, keys: Keys) -> None:
        ids = [
            client.post(
                "/runs", json=tiny_document(), headers=keys.of(project) | {"Idempotency-Key": "k"}
            ).json()["id"]
            for project in ("ours", "theirs", "theirs")
        ]
        assert ids[0] != ids[1] == ids[2]

    def test_the_bytes_of_a_dataset(self, client: TestClient, ours: Names, keys: Keys) -> None:
        headers = keys.of("theirs") | {"Content-Type": "text/csv"}
        answer = client.post("/datasets", content=CSV, headers=headers)
        assert (answer.status_code, answer.json()["name"]) == (201, None)
        assert answer.json()["id"] != ours.dataset

    def test_the_name_of_a_model(
        self, client: TestClient, database: Database, data_dir: Path, ours: Names, keys: Keys
    ) -> None:
        add_scaling_run(database.of_project("theirs"), data_dir, QUEUED, 3.0)
        key = keys.of("theirs")
        assert client.put("/models/spam", json={"run_id": QUEUED}, headers=key).status_code == 201
        for project, factor in (("ours", 2), ("theirs", 3), ("ours", 2)):
            document = {"model": "spam", "instances": [[1, 2]]}
            answer = client.post("/predict", json=document, headers=keys.of(project))
            assert answer.json()["predictions"] == [[factor, 2 * factor]]
        assert client.put("/models/both", json={"run_ids": [QUEUED, RUN]}, headers=key).status_code == 404
        assert client.delete("/models/spam", headers=key).status_code == 204
        assert client.get("/models/spam", headers=keys.of("ours")).status_code == 200

    def test_lists(self, client: TestClient, ours: Names, keys: Keys) -> None:
        for path in ("/runs", "/datasets", "/models", "/sweeps"):
            of_ours = client.get(path, headers=keys.of("ours")).json()["items"]
            of_nobody = client.get(path, headers=keys.of("empty")).json()["items"]
            assert of_ours
            assert of_nobody == []
            # Nor does a page after a thing of another's tell whether it's there.
            pages = [
                client.get(path, params={"after": name}, headers=keys.of("empty")).text
                for name in (of_ours[0].get("id", "spam"), "spam")
            ]
            assert pages[0] == pages[1] or path != "/models"

    def test_filters(self, client: TestClient, database: Database, keys: Keys) -> None:
        document = tiny_document(name="secret", tags={"kind": "secret"})
        made = client.post("/runs", json=document, headers=keys.of("ours"))
        assert made.status_code == 201
        for parameters in ({"name": "secret"}, {"tag": "kind:secret"}, {"status": "queued"}):
            found = [
                client.get("/runs", params=parameters, headers=keys.of(project)).json()["items"]
                for project in ("ours", "empty")
            ]
            assert found[0]
            assert found[1] == []
        assert client.get("/datasets?name=people", headers=keys.of("empty")).json()["items"] == []

    def test_figures_of_the_service_name_nobody(self, client: TestClient, ours: Names, keys: Keys) -> None:
        """Who administers sees how much is done, not by whom nor on what."""
        answer = client.get("/metrics", headers=keys.of("theirs"))
        assert answer.status_code == 200
        assert not any(name in answer.text for name in (*ours, "people", "ours", "theirs"))


class TestKeys:
    def test_where_a_key_may_stand(self, client: TestClient, keys: Keys) -> None:
        text = keys.of("ours")["Authorization"].removeprefix("Bearer ")
        assert client.get("/runs", headers={"Authorization": f"bearer {text}"}).status_code == 200
        assert client.get("/runs", headers={"X-API-Key": text}).status_code == 200
        assert client.get(f"/runs?key={text}").status_code == 401

    @pytest.mark.parametrize(
        "change", [lambda text: text[:-1], lambda text: text + "x", lambda text: text.upper()]
    )
    def test_a_key_that_is_nearly_right(self, client: TestClient, keys: Keys, change: Any) -> None:
        text = change(keys.of("ours")["Authorization"].removeprefix("Bearer "))
        assert client.get("/runs", headers={"X-API-Key": text}).status_code == 401

    @pytest.mark.parametrize("text", ["", "kerb_", "kerb__", "_", "\xe9", "x" * 5000])
    def test_a_text_that_is_no_key(self, client: TestClient, text: str) -> None:
        headers = [(b"authorization", b"Bearer " + text.encode("latin-1"))]
        assert client.get("/runs", headers=headers).status_code == 401

    def test_a_revoked_key(self, client: TestClient, database: Database) -> None:
        with database.writing() as session:
            row, text = create_key(session, "short", "ours", ["read"])
        headers = {"X-API-Key": text}
        time.sleep(FRESH_SECONDS)
        assert client.get("/runs", headers=headers).status_code == 200
        with database.writing() as session:
            revoke_key(session, row.id)
        time.sleep(FRESH_SECONDS)
        assert client.get("/runs", headers=headers).status_code == 401

    def test_a_key_is_in_no_log_and_not_in_the_database(
        self, client: TestClient, data_dir: Path, keys: Keys, caplog: pytest.LogCaptureFixture
    ) -> None:
        secret = keys.of("ours")["Authorization"].rpartition("_")[2]
        with caplog.at_level(logging.DEBUG):
            client.post("/runs", content=b"{", headers=keys.of("ours"))
            client.get("/nothing", headers=keys.of("ours"))
        assert secret not in caplog.text
        assert not any(secret.encode() in path.read_bytes() for path in data_dir.glob("kerb.db*"))


def test_public_routes_need_no_key(client: TestClient) -> None:
    assert {path: client.get(path).status_code for path in PUBLIC} == {
        "/healthz": 200,
        "/readyz": 503,  # without workers
        "/openapi.json": 200,
        "/docs": 200,
        "/docs/swagger-ui-bundle.js": 200,
        "/docs/swagger-ui.css": 200,
        "/docs/favicon.png": 200,
    }
    assert client.get("/nothing").status_code == 401


def test_a_route_must_say_what_it_needs() -> None:
    app = create_app(Settings())
    app.add_api_route("/forgotten", lambda: None)
    with pytest.raises(TypeError, match=r"Expected /forgotten to need one scope.*; received none\."):
        check_routes(app)


def test_only_a_service_that_is_private_is_open(migrated_file: Path, tmp_path: Path) -> None:
    shutil.copy(migrated_file, tmp_path / "kerb.db")
    for host, status in (
        ("127.0.0.1", 200),
        ("::1", 200),
        ("localhost", 200),
        ("0.0.0.0", 401),
        ("kerb", 401),
    ):
        with TestClient(create_app(Settings(data_dir=tmp_path, host=host))) as client:
            assert client.get("/runs").status_code == status, host
    with TestClient(create_app(Settings(data_dir=tmp_path))) as client:
        made = client.post("/runs", json=tiny_document()).json()
        database = client.app.state.kerb.database  # type: ignore[attr-defined]
        with database.writing() as session:
            row, text = create_key(session, "first", "default", ["read"])
            revoke_key(session, row.id)
            _, text = create_key(session, "second", "default", ["read"])
        time.sleep(FRESH_SECONDS)
        assert client.get("/runs").status_code == 401
        runs = client.get("/runs", headers={"X-API-Key": text}).json()["items"]
    assert [run["id"] for run in runs] == [made["id"]]
