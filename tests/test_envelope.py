"""What is around each request and answer."""

import hashlib
import json
import logging
import re
import socket
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from prometheus_client.parser import text_string_to_metric_families

from app.database import Database
from app.keys.service import create_key
from app.logs import JsonFormatter, TextFormatter
from app.main import create_app
from app.settings import Settings
from tests.support.documents import tiny_document
from tests.support.onnx_models import add_scaling_run
from tests.support.service import Service


@pytest.fixture
def client(database: Database, tmp_path: Path) -> Iterator[TestClient]:
    with TestClient(create_app(Settings(data_dir=tmp_path)), raise_server_exceptions=False) as client:
        client.app.add_api_route("/broken", lambda: 1 / 0)  # type: ignore[attr-defined]
        yield client


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/healthz", 200),
        ("/runs", 200),
        ("/docs", 200),
        ("/openapi.json", 200),
        ("/nothing", 404),
        ("/broken", 500),
    ],
)
def test_each_answer_has_security_headers_and_an_id(client: TestClient, path: str, status: int) -> None:
    answer = client.get(path)
    assert answer.status_code == status
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-request-id"] != client.get(path).headers["x-request-id"]
    assert len(answer.headers.get_list("content-security-policy")) == 1


def test_the_page_of_documentation_may_run_its_own_scripts(client: TestClient) -> None:
    answer = client.get("/docs")
    policy = dict(part.split(" ", 1) for part in answer.headers["content-security-policy"].split("; "))
    loaded = re.findall(r'(?:src|href)="([^"]+)"', answer.text)
    assert len(loaded) == 3
    for source in loaded:  # of the service itself, so that no network is needed
        assert client.get(f"/{source}").status_code == 200
    for script in re.findall(r"<script>(.*?)</script>", answer.text, re.DOTALL):
        digest = b64encode(hashlib.sha256(script.encode()).digest()).decode()
        assert f"'sha256-{digest}'" in policy["script-src"].split()
    assert "'self'" in policy["script-src"].split()
    assert "unsafe-inline" not in policy["script-src"]


@pytest.mark.parametrize(
    ("given", "kept"),
    [("abc-1.2:3", True), ("x" * 128, True), ("x" * 129, False), ("a b", False), ("", False)],
)
def test_an_id_that_came_is_given_back(client: TestClient, given: str, kept: bool) -> None:
    answer = client.get("/runs", headers={"X-Request-ID": given})
    assert (answer.headers["x-request-id"] == given) == kept
    assert re.fullmatch(r"[\x21-\x7e]{1,128}", answer.headers["x-request-id"])


@pytest.mark.parametrize(
    "name", ["127.0.0.1:8000", "localhost", "LOCALHOST:1", "[::1]:8000", "[::1]", "testserver"]
)
def test_the_own_names_are_answered(client: TestClient, name: str) -> None:
    assert client.get("/runs", headers={"Host": name}).status_code == 200


@pytest.mark.parametrize(
    "name", ["evil.example", "localhost.evil.example", "127.0.0.1.evil.example:80", "", "[::2]"]
)
def test_other_names_are_not(client: TestClient, name: str) -> None:
    answer = client.get("/runs", headers={"Host": name})
    assert answer.status_code == 421
    assert answer.json()["code"] == "misdirected"


def test_names_that_a_setting_gives(database: Database, tmp_path: Path) -> None:
    for settings, expected in (
        (
            Settings(data_dir=tmp_path, allowed_hosts="a.example, B.example"),
            {"a.example": 200, "b.example:1": 200},
        ),
        (Settings(data_dir=tmp_path, allowed_hosts="", host="0.0.0.0"), {"any.example": 401}),
        (Settings(data_dir=tmp_path, allowed_hosts="a.example", host="0.0.0.0"), {"b.example": 421}),
    ):
        with TestClient(create_app(settings)) as client:
            for name, status in expected.items():
                assert client.get("/runs", headers={"Host": name}).status_code == status, name


def test_other_origins_are_let_in_by_a_setting_only(database: Database, tmp_path: Path) -> None:
    asked = {"Origin": "https://lab.example", "Access-Control-Request-Method": "POST"}
    with TestClient(create_app(Settings(data_dir=tmp_path))) as client:
        assert client.options("/runs", headers=asked).status_code == 405
        assert "access-control-allow-origin" not in client.get("/runs", headers=asked).headers
    with database.writing() as session:
        create_key(session, "so that one is needed", "default", ["read"])
    with TestClient(create_app(Settings(data_dir=tmp_path, cors_origins="https://lab.example"))) as client:
        answer = client.options("/runs", headers=asked)
        assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (200, asked["Origin"])
        refused = client.get("/runs", headers={"Origin": "https://lab.example"})
        assert (refused.status_code, refused.headers["access-control-allow-origin"]) == (401, asked["Origin"])
        other = client.get("/runs", headers={"Origin": "https://evil.example"})
        assert "access-control-allow-origin" not in other.headers


def test_artifacts_may_be_kept_and_are_asked_for_again(
    client: TestClient, database: Database, tmp_path: Path
) -> None:
    add_scaling_run(database, tmp_path, "run_1")
    answer = client.get("/runs/run_1/artifacts/model.onnx")
    assert answer.headers["cache-control"] == "private, no-cache"


class TestLogs:
    def test_changes_are_told_with_the_id_of_their_request(
        self, client: TestClient, caplog: pytest.LogCaptureFixture
    ) -> None:
        lines: list[str] = []
        handler = logging.Handler()
        handler.emit = lambda record: lines.append(TextFormatter().format(record))  # type: ignore[method-assign]
        logging.getLogger("app").addHandler(handler)
        caplog.set_level(logging.INFO)
        try:
            client.post("/runs", json=tiny_document(), headers={"X-Request-ID": "mine"})
            client.get("/runs")
        finally:
            logging.getLogger("app").removeHandler(handler)
        (line,) = [line for line in lines if "answered" in line]
        assert re.search(
            r"answered method=POST path=/runs status=201 seconds=[\d.]+ key=None request=mine$", line
        )

    @pytest.mark.parametrize("formatter", [TextFormatter(), JsonFormatter()])
    def test_nobody_begins_a_line_of_his_own(self, formatter: logging.Formatter) -> None:
        message = "answered path=%s"
        record = logging.LogRecord(
            "app", logging.INFO, "", 0, message, ("/a\nERROR app: b\u2028\x1b[2J",), None
        )
        line = formatter.format(record)
        assert line.isprintable()

    def test_lines_for_programs(self) -> None:
        message = "run failed run=%s message=%s"
        record = logging.LogRecord(
            "app.worker", logging.WARNING, "", 0, message, ("run_1", "it was so"), None
        )
        line = json.loads(JsonFormatter().format(record))
        assert (line["event"], line["run"], line["message"]) == ("run failed", "run_1", "it was so")
        assert (line["level"], line["logger"]) == ("WARNING", "app.worker")


def figures(client: Any) -> dict[tuple[str, ...], float]:
    """What `/metrics` tells, by name and values of labels."""
    answer = client.get("/metrics")
    assert answer.status_code == 200
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


class TestMetrics:
    def test_requests_are_counted_by_route_and_status(
        self, client: TestClient, database: Database, tmp_path: Path
    ) -> None:
        add_scaling_run(database, tmp_path, "run_1")
        assert client.put("/models/spam", json={"run_id": "run_1"}).status_code == 201
        infer = {"inputs": [{"name": "x", "shape": [1, 2], "datatype": "FP32", "data": [1, 2]}]}
        for _ in range(3):
            client.post("/predict", json={"run_id": "run_1", "instances": [[1, 2]]})
            client.post("/v2/models/spam/infer", json=infer)
        client.post("/predict", json={"run_id": "run_2", "instances": [[1, 2]]})
        for path in ("/runs/run_1", "/runs/run_2", "/a", "/b"):
            client.get(path)
        found = figures(client)
        assert found["kerb_request_seconds_count", "POST", "/predict", "200"] == 3
        assert found["kerb_request_seconds_count", "POST", "/predict", "404"] == 1
        assert found["kerb_request_seconds_count", "POST", "/v2/models/{name}/infer", "200"] == 3
        assert found["kerb_request_seconds_count", "GET", "/runs/{run_id}", "200"] == 1
        assert found["kerb_request_seconds_count", "GET", "none", "404"] == 2
        assert found["process_resident_memory_bytes",] > 1e7

    def test_runs_and_the_queue(self, client: TestClient) -> None:
        assert figures(client)["kerb_queue_age_seconds",] == 0
        client.post("/runs", json=tiny_document())
        found = figures(client)
        assert (found["kerb_runs", "queued"], found["kerb_runs", "succeeded"]) == (1, 0)
        assert found["kerb_queue_age_seconds",] > 0

    def test_what_workers_did(self, service: Service) -> None:
        before = figures(service.client)
        run = service.run(tiny_document())
        assert run["status"] == "succeeded"
        found = figures(service.client)
        assert found["kerb_epochs_total",] - before["kerb_epochs_total",] == run["progress"]["epoch"]
        assert found["kerb_workers", "ready"] == 1
        (memory,) = (value for key, value in found.items() if key[0] == "kerb_worker_resident_memory_bytes")
        assert memory > 1e8


class TestHeads:
    """What a request may send before its body, at a real connection."""

    def send(self, service: Service, *parts: bytes) -> bytes:
        port = int(service.url.rpartition(":")[2])
        with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
            received = b""
            try:
                for part in parts:
                    connection.sendall(part)
                while chunk := connection.recv(65536):
                    received += chunk
            except ConnectionError:
                pass  # it was closed before all was sent
        return received

    def test_a_head_below_the_limit(self, service: Service) -> None:
        head = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-A: " + b"a" * 60_000 + b"\r\n\r\n"
        answers = self.send(service, head + head.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
        assert answers.count(b"HTTP/1.1 200") == 2

    @pytest.mark.parametrize(
        "head",
        [
            b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-A: " + b"a" * 70_000 + b"\r\n\r\n",
            b"GET /healthz?" + b"a" * 70_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
            b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n" + b"X-A: a\r\n" * 10_000 + b"\r\n",
            b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-A: " + b"a" * 70_000,
        ],
    )
    def test_a_head_that_is_too_large(self, service: Service, head: bytes) -> None:
        answer = self.send(service, head)
        assert answer.startswith(b"HTTP/1.1 431 ")
        assert json.loads(answer.partition(b"\r\n\r\n")[2])["code"] == "head_too_large"

    @pytest.mark.parametrize("path", [b"/healthz?" + b"a" * 70_000, b"/healthz"], ids=["path", "header"])
    def test_a_later_head_on_a_connection_that_is_too_large(self, service: Service, path: bytes) -> None:
        port = int(service.url.rpartition(":")[2])
        large = b"GET " + path + b" HTTP/1.1\r\nHost: localhost\r\nX-A: " + b"a" * 66_000 + b"\r\n\r\n"
        with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
            connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert connection.recv(65536).startswith(b"HTTP/1.1 200 ")
            connection.sendall(large)
            assert connection.recv(65536).startswith(b"HTTP/1.1 431 ")

    def test_no_end_of_a_head_is_waited_for(self, service: Service) -> None:
        answer = self.send(service, b"GET /healthz HTTP/1.1\r\nX-A: ", *[b"a" * 60_000] * 20)
        assert answer.startswith(b"HTTP/1.1 431 ") or answer == b""

    def test_the_head_of_an_answer_comes_with_its_body(self, service: Service) -> None:
        port = int(service.url.rpartition(":")[2])
        with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
            for path in (b"/healthz", b"/openapi.json"):
                connection.sendall(b"GET " + path + b" HTTP/1.1\r\nHost: localhost\r\n\r\n")
                head, _, body = connection.recv(1 << 20).partition(b"\r\n\r\n")
                length = int(head.partition(b"content-length: ")[2].split()[0])
                assert body
                while len(body) < length:
                    body += connection.recv(1 << 20)
                assert json.loads(body)

    def test_a_client_that_waits_to_send_its_body_is_told_to(self, service: Service) -> None:
        port = int(service.url.rpartition(":")[2])
        with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
            head = b"POST /predict HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
            connection.sendall(head + b"Expect: 100-continue\r\nContent-Length: 2\r\n\r\n")
            assert connection.recv(65536) == b"HTTP/1.1 100 Continue\r\n\r\n"
            connection.sendall(b"{}")
            answer = b"".join(iter(lambda: connection.recv(65536), b""))
        assert answer.startswith(b"HTTP/1.1 422 ")
        assert json.loads(answer.partition(b"\r\n\r\n")[2])["code"] == "invalid_document"

    def test_a_large_body_is_no_head(self, service: Service) -> None:
        head = (
            b"POST /runs HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: 200000\r\n\r\n"
        )
        assert self.send(service, head + b" " * 200_000).startswith(b"HTTP/1.1 422 ")
