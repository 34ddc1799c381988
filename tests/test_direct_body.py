"""Large bodies that a real server takes from the connection itself, and what comes after them on it."""

import json
import random
import socket
import struct
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from blake3 import blake3

from tests.support.service import Service
from tests.support.waiting import wait_until

CSV = b"a,b\n" + b"".join(b"%d,%.20f\n" % (i % 7, i / 8) for i in range(150_000))
MOST_JSON_BYTES = 100_000


@pytest.fixture(scope="module")
def service(start_service: Callable[..., Service]) -> Service:
    return start_service(ready=False, workers="0", max_body_bytes=str(MOST_JSON_BYTES))


@pytest.fixture
def connection(service: Service) -> Iterator["Connection"]:
    url = httpx.URL(service.url)
    with socket.create_connection((url.host, url.port or 0), timeout=60) as opened:
        yield Connection(opened)


class Connection:
    """HTTP byte by byte.

    Args:
        opened: the connection.
    """

    def __init__(self, opened: socket.socket) -> None:
        self.socket = opened
        self._received = opened.makefile("rb")

    def send(self, *parts: bytes) -> None:
        for part in parts:
            self.socket.sendall(part)

    def reset(self) -> None:
        """Closes it at once, whatever is still on its way."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._received.close()
        self.socket.close()

    def is_ended(self) -> bool:
        """Whether the service closes it, and sends nothing more."""
        return self._received.read() == b""

    def answer(self) -> tuple[int, Any]:
        """Status and body of the next answer."""
        status = int(self._received.readline().split()[1])
        headers = dict(
            line.strip().lower().split(b": ", 1) for line in iter(self._received.readline, b"\r\n")
        )
        body = self._received.read(int(headers.get(b"content-length", b"0")))
        return status, json.loads(body) if body else None


def head(length: int, content_type: str = "text/csv", *others: str) -> bytes:
    lines = ["POST /datasets HTTP/1.1", "Host: localhost", f"Content-Type: {content_type}"]
    return "\r\n".join([*lines, f"Content-Length: {length}", *others, "", ""]).encode()


ALIVE = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"


def is_whole(dataset: dict[str, Any], content: bytes) -> bool:
    digest = f"blake3:{blake3(content).hexdigest()}"
    return (dataset["digest"], dataset["bytes"]) == (digest, len(content))


def test_a_body_at_once_with_the_next_request_behind_it(connection: Connection) -> None:
    connection.send(head(len(CSV)) + CSV + ALIVE + ALIVE)
    status, dataset = connection.answer()
    assert status == 201
    assert is_whole(dataset, CSV)
    assert [connection.answer() for _ in range(2)] == [(200, {"status": "alive"})] * 2


def test_two_bodies_on_one_connection(connection: Connection) -> None:
    for content in (CSV + b"1,2\n", CSV + b"1,3\n"):
        connection.send(head(len(content)), content)
        status, dataset = connection.answer()
        assert (status, dataset["rows"]) == (201, 150_001)
        assert is_whole(dataset, content)


def test_a_body_in_pieces_with_pauses(connection: Connection) -> None:
    content = CSV + b"1,4\n"
    cuts = sorted(random.Random(0).sample(range(len(content)), 20))
    connection.send(head(len(content)))
    for first, end in zip([0, *cuts], [*cuts, len(content)], strict=True):
        connection.send(content[first:end])
        time.sleep(0.02)  # longer than a thread waits for more
    status, dataset = connection.answer()
    assert status == 201
    assert is_whole(dataset, content)
    connection.send(ALIVE)
    assert connection.answer() == (200, {"status": "alive"})


def test_a_client_that_waits_to_be_told_to_send(connection: Connection) -> None:
    content = CSV + b"1,5\n"
    connection.send(head(len(content), "text/csv", "Expect: 100-continue"))
    assert connection.socket.recv(65536) == b"HTTP/1.1 100 Continue\r\n\r\n"
    connection.send(content)
    status, dataset = connection.answer()
    assert status == 201
    assert is_whole(dataset, content)


def test_many_slow_bodies_hold_nothing_up(service: Service) -> None:
    """More of them than there are threads wait for their last byte while others are served."""
    url = httpx.URL(service.url)
    contents = [CSV + b"2,%d\n" % number for number in range(50)]
    opened = [socket.create_connection((url.host, url.port or 0), timeout=60) for _ in contents]
    try:
        connections = [Connection(each) for each in opened]
        for connection, content in zip(connections, contents, strict=True):
            connection.send(head(len(content)), content[:-1])
        assert service.client.get("/datasets").status_code == 200
        assert is_whole(post(service, CSV + b"3,3\n").json(), CSV + b"3,3\n")
        for connection, content in zip(connections, contents, strict=True):
            connection.send(content[-1:])
        for connection, content in zip(connections, contents, strict=True):
            status, dataset = connection.answer()
            assert status == 201
            assert is_whole(dataset, content)
    finally:
        for each in opened:
            each.close()


def post(service: Service, content: bytes) -> httpx.Response:
    return service.client.post("/datasets", content=content, headers={"Content-Type": "text/csv"})


@pytest.mark.parametrize(
    ("name", "status", "code"),
    [("x.json", 413, "too_large"), ("x.exe", 415, "unsupported_media_type")],
    ids=["late", "at its beginning"],
)
@pytest.mark.parametrize("listens", [True, False], ids=["listens while it sends", "listens when all is sent"])
def test_a_body_that_is_refused_is_answered_and_no_request_behind_it(
    connection: Connection, name: str, status: int, code: str, listens: bool
) -> None:
    part = f'--b\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n\r\n'.encode()
    content = part + b" " * 30_000_000 + b"\r\n--b--\r\n"
    connection.send(head(len(content), "multipart/form-data; boundary=b"))
    sent = 10_000_000 if listens else len(content)
    connection.send(content[:sent])
    answered, problem = connection.answer()
    assert (answered, problem["code"]) == (status, code)
    connection.send(content[sent:])
    assert connection.is_ended()


def test_a_small_body_with_a_large_one_behind_it(connection: Connection) -> None:
    small, large = b"a,b\n1,2\n", CSV + b"1,6\n"
    connection.send(head(len(small)) + small + head(len(large)))
    time.sleep(0.2)  # so that the second head is there when the first body is taken
    connection.send(large)
    for content in (small, large):
        status, dataset = connection.answer()
        assert status == 201
        assert is_whole(dataset, content)


@pytest.mark.parametrize("how", ["closed", "reset"])
def test_a_client_that_goes_is_noticed(service: Service, connection: Connection, how: str) -> None:
    connection.send(head(len(CSV)), CSV[:-1])
    folders = service.data_dir / "datasets"
    wait_until(lambda: any(folders.glob(".*")))
    if how == "closed":
        connection.socket.shutdown(socket.SHUT_WR)
    else:
        connection.reset()
    wait_until(lambda: not any(folders.glob(".*")))
    if how == "closed":
        assert connection.is_ended()
    assert service.client.get("/healthz").status_code == 200
    assert "Traceback" not in service.log_path.read_text()


def test_a_client_that_goes_while_it_asks_for_a_prediction_is_counted(
    service: Service, connection: Connection
) -> None:
    request = b"POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{"
    connection.send(request)
    connection.socket.shutdown(socket.SHUT_WR)
    assert connection.is_ended()
    counted = 'kerb_request_seconds_count{method="POST",route="/predict",status="499"} 1.0'
    wait_until(lambda: counted in service.client.get("/metrics").text)


def test_a_service_ends_while_a_body_is_on_its_way(start_service: Callable[..., Service]) -> None:
    service = start_service(ready=False, workers="0", stop_seconds="1")
    url = httpx.URL(service.url)
    with socket.create_connection((url.host, url.port or 0), timeout=60) as opened:
        Connection(opened).send(head(len(CSV)), CSV[:-1])
        wait_until(lambda: any((service.data_dir / "datasets").glob(".*")))
        assert service.stop() == 0
