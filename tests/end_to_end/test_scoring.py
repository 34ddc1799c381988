"""Predictions go on, unchanged, while runs train, versions change and workers die."""

import threading
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from tests.support.documents import long_document, tiny_document
from tests.support.service import Service

INSTANCES = [[0.1, 0.2], [0.7, 0.4], [3.0, -1.0]]


class Asking:
    """Asks one question over and over, in a thread, and keeps what was answered.

    Args:
        url: of the service.
        document: the question.
    """

    def __init__(self, url: str, document: dict[str, Any]) -> None:
        self._url = url
        self._document = document | {"instances": INSTANCES}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._ask)
        self.answers: list[tuple[int, Any]] = []
        """Status and body of each answer."""

    def _ask(self) -> None:
        with httpx.Client(base_url=self._url, timeout=60) as client:
            while not self._stop.is_set():
                answer = client.post("/predict", json=self._document)
                self.answers.append((answer.status_code, answer.json()))
                self._stop.wait(0.005)

    def __enter__(self) -> "Asking":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()


@pytest.fixture(scope="module")
def own(start_service: Callable[..., Service]) -> Service:
    """A service whose worker may be killed."""
    return start_service(lease_seconds="3")


def test_predictions_go_on_unchanged(own: Service) -> None:
    first, second = (own.run(tiny_document(3, seed=seed))["id"] for seed in (1, 2))
    put = own.client.put("/models/spam", json={"run_id": first})
    assert put.status_code == 201, put.text

    def ask(document: dict[str, Any]) -> dict[str, Any]:
        answer = own.client.post("/predict", json={**document, "instances": INSTANCES})
        assert answer.status_code == 200, answer.text
        body: dict[str, Any] = answer.json()
        return body

    members = [{"run_id": first}, {"run_id": second}, {"run_ids": [first, second], "combine": "mean"}]
    expected = [ask(document) for document in members]
    assert expected[0]["predictions"] != expected[1]["predictions"]

    with Asking(own.url, {"run_id": first}) as by_run, Asking(own.url, {"model": "spam"}) as by_name:
        running = own.submit(long_document())["id"]
        own.wait_until(running, lambda run: run["progress"]["epoch"] > 0)
        for change in range(1, 61):
            document = members[change % 3]
            version = own.client.put("/models/spam", json=document).json()["version"]
            assert version == change + 1
            now = ask({"model": "spam"})
            assert (now["version"], now["predictions"]) == (version, expected[change % 3]["predictions"])
        (pid,) = own.worker_pids()
        own.kill_workers()
        own.client.post(f"/runs/{running}/cancel")
        while own.worker_pids() in ([], [pid]):
            own.get("/healthz")
        seen = len(by_run.answers)
        while len(by_run.answers) < seen + 20:
            own.get("/healthz")

    assert {status for status, _ in by_run.answers + by_name.answers} == {200}
    assert all(answer == expected[0] for _, answer in by_run.answers)
    for _, answer in by_name.answers:
        same = expected[(answer["version"] - 1) % 3]
        assert (answer["predictions"], answer["statistics"]) == (same["predictions"], same["statistics"])
    assert len({answer["version"] for _, answer in by_name.answers}) > 10
    versions = [answer["version"] for _, answer in by_name.answers]
    assert versions == sorted(versions)
