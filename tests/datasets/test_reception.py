"""Bodies of datasets on their way into a real service: in odd pieces, slowly, broken off, several at once."""

import os
import random
import resource
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx
import pytest
from blake3 import blake3

from tests.support.service import Service
from tests.support.waiting import wait_until

LINES = [b"a,b,city"] + [b"%d,%.24f,%s" % (i % 7, i / 8, (b"Rome", b"Oslo")[i % 2]) for i in range(280_000)]
CSV = b"\n".join(LINES)  # of some blocks, both of the reception and of the reader

Condition = Callable[[], Any]


@pytest.fixture(scope="module")
def service(start_service: Callable[..., Service]) -> Service:
    return start_service(ready=False, workers="0")


def upload(service: Service, content: bytes | Iterator[bytes]) -> httpx.Response:
    return service.client.post("/datasets", content=content, headers={"Content-Type": "text/csv"})


def gathered(service: Service) -> list[Path]:
    """The folders of datasets that aren't there yet."""
    return list((service.data_dir / "datasets").glob(".*"))


def converting(service: Service) -> list[int]:
    """The processes that are at a body: they have it open."""
    return [pid for pid in service.converter_pids() if any(map(_is_body, Path(f"/proc/{pid}/fd").iterdir()))]


def _is_body(descriptor: Path) -> bool:
    try:
        return descriptor.readlink().name == "body"
    except FileNotFoundError:  # it has been closed since
        return False


def last_line_later(content: bytes, condition: Condition) -> Iterator[bytes]:
    end = content.rindex(b"\n")
    yield content[:end]
    wait_until(condition)
    yield content[end:]


def test_pieces_of_any_size_make_the_same_dataset(service: Service) -> None:
    chance = random.Random(0)
    cuts = sorted(chance.sample(range(len(CSV)), 400))
    pieces = [CSV[a:b] for a, b in pairwise([0, *range(1, 200), *cuts, len(CSV)]) if a < b]
    answer = upload(service, iter(pieces))
    assert answer.status_code == 201, answer.text
    dataset = answer.json()
    assert dataset["digest"] == f"blake3:{blake3(b''.join(pieces)).hexdigest()}"
    form = service.client.post("/datasets", files={"file": ("x.csv", b"".join(pieces))})
    assert (form.status_code, form.json()) == (200, dataset)
    assert gathered(service) == []


def test_a_dataset_is_converted_while_it_comes(service: Service) -> None:
    """The last line, which asks for other types, isn't sent before some of the others are converted."""
    content = CSV + b"\n0.5,x,Bern"

    def is_begun() -> bool:
        return any(path.stat().st_size for folder in gathered(service) for path in folder.glob("data.arrow"))

    answer = upload(service, last_line_later(content, is_begun))
    assert answer.status_code == 201, answer.text
    dataset = answer.json()
    assert (dataset["rows"], dataset["bytes"]) == (len(LINES), len(content))
    assert [column["type"] for column in dataset["columns"]] == ["double", "string", "string"]
    assert dataset["columns"][2]["categories"] == ["Bern", "Oslo", "Rome"]


def test_a_line_broken_late_is_named_and_nothing_stays(service: Service) -> None:
    broken = [*LINES[:200_000], b"1,2", *LINES[200_000:]]
    answer = upload(service, b"\n".join(broken))
    assert (answer.status_code, answer.json()["detail"]) == (
        422,
        "Expected 3 values in line 200001; received 2.",
    )
    assert gathered(service) == converting(service) == []


def test_a_dataset_that_is_too_large_is_refused_while_it_comes(start_service: Callable[..., Service]) -> None:
    service = start_service(ready=False, workers="0", max_dataset_rows="1000")
    assert upload(service, b"a\n1\n").status_code == 201
    content = b"\n".join([*LINES, *LINES[1:] * 4])  # more than is read ahead
    for _ in range(3):  # one more than converters that begin early
        wait_until(lambda: len(service.converter_pids()) == 1)
        (waiting,) = service.converter_pids()
        answer = upload(service, last_line_later(content, lambda pid=waiting: not _is_alive(pid)))
        assert (answer.status_code, answer.json()["code"]) == (413, "too_large")
    assert gathered(service) == converting(service) == []
    assert "Fatal" not in service.log_path.read_text()


def test_a_process_more_that_cannot_be_started_is_no_harm(start_service: Callable[..., Service]) -> None:
    service = start_service(ready=False, workers="0")
    assert upload(service, CSV).status_code == 201
    wait_until(lambda: len(service.converter_pids()) == 1)
    pid, kind = service.process.pid, resource.RLIMIT_NOFILE
    descriptors = len(list(Path(f"/proc/{pid}/fd").iterdir()))
    before = resource.prlimit(pid, kind)
    refused = 0
    for more in range(16):
        content = CSV + b"\n1,2,%d" % more
        resource.prlimit(pid, kind, (descriptors + more, before[1]))
        first = upload(service, content)
        resource.prlimit(pid, kind, before)
        refused += first.status_code == 503
        again = upload(service, content)
        assert (first.status_code, again.status_code) in ((503, 201), (201, 200)), first.text
    assert 0 < refused < 16
    answer = upload(service, last_line_later(CSV + b"\n1,2,y\n", lambda: converting(service)))
    assert answer.status_code == 201, answer.text


@pytest.mark.parametrize("sent", [1000, len(CSV) // 2], ids=["at once", "with a converter"])
def test_a_client_that_breaks_off_leaves_nothing(service: Service, sent: int) -> None:
    url = httpx.URL(service.url)
    with socket.create_connection((url.host, url.port or 0)) as connection:
        head = f"Host: localhost\r\nContent-Type: text/csv\r\nContent-Length: {len(CSV)}\r\n\r\n"
        connection.sendall(b"POST /datasets HTTP/1.1\r\n" + head.encode() + CSV[:sent])
        wait_until(lambda: converting(service) if sent > 1000 else gathered(service))
    wait_until(lambda: not gathered(service) and not converting(service))


def test_many_slow_clients_have_few_converters(service: Service) -> None:
    ready = threading.Barrier(4)
    most = []

    def slowly(number: int) -> int:
        def pieces() -> Iterator[bytes]:
            yield b"\n".join(LINES[: 200_000 + number])
            ready.wait(60)
            most.append(len(converting(service)))
            ready.wait(60)
            yield b"\n" + LINES[1]

        return upload(service, pieces()).status_code

    with ThreadPoolExecutor(4) as clients:
        assert list(clients.map(slowly, range(4))) == [201] * 4
    assert max(most) <= 2
    assert gathered(service) == converting(service) == []


def test_a_converter_ends_with_the_service(start_service: Callable[..., Service]) -> None:
    service = start_service(ready=False, workers="0")
    converters: list[int] = []

    def is_there() -> bool:
        converters.extend(converting(service))
        return bool(converters)

    def until_killed() -> Iterator[bytes]:
        yield from last_line_later(CSV, is_there)
        service.process.kill()
        while True:
            yield CSV

    with pytest.raises(httpx.TransportError):
        upload(service, until_killed())
    wait_until(lambda: not _is_alive(converters[0]))


def test_a_process_waits_for_the_next_body_and_isnt_relied_upon(
    start_service: Callable[..., Service],
) -> None:
    service = start_service(ready=False, workers="0")
    assert service.converter_pids() == []
    for number in range(3):
        answer = upload(service, b"a\n%d\n" % number)
        assert answer.status_code == 201, answer.text
        wait_until(lambda: len(service.converter_pids()) == 1)
        (waiting,) = service.converter_pids()
        if number == 0:
            os.kill(waiting, signal.SIGKILL)
            wait_until(lambda pid=waiting: not _is_alive(pid))
    service.process.kill()
    service.client.close()
    wait_until(lambda: not _is_alive(waiting))


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    # One whose parent is gone may wait to be reaped.
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
