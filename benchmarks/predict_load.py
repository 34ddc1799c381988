"""A client that keeps some connections busy, and then checks every answer. A process of its own.

Standard input: a line of JSON for each `Load`. Standard output: for each a line, the requests a second.
Plain sockets on uvloop, requests written as prepared bytes, answers kept and looked at when the time is
over, so that the client costs a small part of what any server costs.
"""

import asyncio
import gc
import json
import sys
import time
from dataclasses import dataclass
from functools import partial
from math import inf
from pathlib import Path
from typing import Any, cast

import numpy as np
import uvloop

TOLERANCE = 1e-5
LONGEST_ANSWER_SECONDS = 30
LENGTH = b"\r\ncontent-length: "  # as uvicorn writes it, on which all the servers stand


HEADER_LENGTH = b"\r\ninference-header-content-length: "


@dataclass(frozen=True)
class Load:
    """What to send, where to, and what must come back.

    Attributes:
        port: of the server on this machine.
        path: of the route.
        headers: of the requests, besides the usual.
        bodies: files of request bodies, sent in turns.
        expected: a `.npy` file of the predictions for each body, (bodies, batch).
        connections: how many requests are under way at once.
        seconds: for how long.
    """

    port: int
    path: str
    headers: dict[str, str]
    bodies: list[str]
    expected: str
    connections: int
    seconds: float


class Connection(asyncio.Protocol):
    """Sends the next request as soon as an answer is complete; does no more than it must meanwhile."""

    def __init__(self, requests: list[bytes], first: int, stop_at: float) -> None:
        self._requests = requests
        self._next = first
        self._stop_at = stop_at
        self._received = b""
        self.answers: list[tuple[int, bytes]] = []
        self.ended = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's own class
        self._transport.write(self._requests[self._next])

    def data_received(self, data: bytes) -> None:
        received = self._received + data if self._received else data
        if len(received) < _answer_bytes(received):
            self._received = received
            return
        self._received = b""
        self.answers.append((self._next, received))
        if time.perf_counter() >= self._stop_at:
            self._transport.close()
            return
        self._next = (self._next + 1) % len(self._requests)
        self._transport.write(self._requests[self._next])

    def connection_lost(self, exc: Exception | None) -> None:
        if exc is not None or time.perf_counter() < self._stop_at:
            self.ended.set_exception(exc or ConnectionError("the server closed the connection"))
        else:
            self.ended.set_result(None)


def _answer_bytes(received: bytes) -> float:
    """How many bytes the answer has that begins so; infinite while that can't be told."""
    head_end = received.find(b"\r\n\r\n")
    if head_end < 0:
        return inf
    at = received.find(LENGTH, 0, head_end) + len(LENGTH)
    return head_end + 4 + int(received[at : received.find(b"\r\n", at)])


async def send(load: Load) -> tuple[list[tuple[int, bytes]], float]:
    """The answers, each with the number of its body, and the seconds that they took."""
    requests = [_request(load, Path(body).read_bytes()) for body in load.bodies]
    loop = asyncio.get_running_loop()
    start = time.perf_counter()
    connections = []
    for number in range(load.connections):
        connect = partial(Connection, requests, number % len(requests), start + load.seconds)
        _, connection = await loop.create_connection(connect, "127.0.0.1", load.port)
        connections.append(connection)
    async with asyncio.timeout(load.seconds + LONGEST_ANSWER_SECONDS):
        await asyncio.gather(*(connection.ended for connection in connections))
    seconds = time.perf_counter() - start
    return [answer for connection in connections for answer in connection.answers], seconds


def _request(load: Load, body: bytes) -> bytes:
    headers = {"Host": "localhost", "Content-Length": str(len(body)), **load.headers}
    lines = [f"POST {load.path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
    return "\r\n".join([*lines, "", ""]).encode() + body


def check(answers: list[tuple[int, bytes]], expected: Any) -> None:
    """Raises if an answer doesn't hold the predictions for its body."""
    for body, answer in answers:
        head, _, content = answer.partition(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 200 "):
            raise RuntimeError(f"Expected 200; received {answer!r}")
        predictions = _predictions(head, content)
        if isinstance(predictions, int):  # the route that only parses says how many instances came
            right = predictions == expected.shape[1]
        else:
            right = np.allclose(np.ravel(predictions), expected[body], rtol=0, atol=TOLERANCE)
        if not right:
            raise RuntimeError(f"Expected {expected[body]}; received {answer[:1000]!r}")


def _predictions(head: bytes, content: bytes) -> Any:
    binary_at = head.lower().find(HEADER_LENGTH)
    if binary_at >= 0:
        return np.frombuffer(content[int(head[binary_at + len(HEADER_LENGTH) :].split()[0]) :], np.float32)
    answer = json.loads(content)
    if isinstance(answer, list):  # BentoML
        return answer
    if "outputs" in answer:  # MLServer
        return answer["outputs"][0]["data"]
    return answer["predictions"] if "predictions" in answer else answer["received"]


def main() -> None:
    gc.disable()
    for line in sys.stdin:
        load = Load(**json.loads(line))
        answers, seconds = uvloop.run(send(load))
        check(answers, np.load(load.expected))
        print(len(answers) / seconds, flush=True)
        del answers
        gc.collect()


if __name__ == "__main__":
    main()
