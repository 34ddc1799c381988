"""Many runs and clients over a long time: nothing is trained twice, refused, or left behind."""

import random
import re
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.documents import tiny_document
from tests.support.service import ENDED, Service

pytestmark = pytest.mark.usefixtures("_long_form")


@pytest.fixture(scope="module")
def service(start_service: Callable[..., Service]) -> Service:
    """A service with one worker, which is replaced after 40 runs."""
    return start_service(runs_per_worker="40")


def resident_megabytes(pid: int) -> float:
    found = re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    assert found is not None
    return int(found[1]) / 1024


def handles(pid: int) -> int:
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


def test_many_runs_leave_nothing_behind(service: Service, rounds: int) -> None:
    """The long form takes 200 runs; then the API must not have grown by 20 MB."""
    runs = min(200, 4 * rounds + 8)

    def train(count: int) -> None:
        for seed in range(count):
            run_id = service.run(tiny_document(seed=seed))["id"]
            service.get(f"/runs/{run_id}/metrics")
            answer = service.client.post("/predict", json={"run_id": run_id, "instances": [[0, 1]]})
            assert answer.status_code == 200, answer.text

    train(8)
    pid = service.process.pid
    megabytes, open_handles = resident_megabytes(pid), handles(pid)
    train(runs)
    service.wait_for("/readyz")

    grown = resident_megabytes(pid) - megabytes
    of_worker = [resident_megabytes(worker) for worker in service.worker_pids()]
    print(f"{runs} runs: API +{grown:.1f} MB, worker {of_worker} MB")
    assert grown < 20
    assert handles(pid) <= open_handles + 2  # a pooled connection more, at the most
    assert len(of_worker) == 1
    assert of_worker[0] < 1500
    assert not list((service.data_dir / "checkpoints").glob("*"))
    assert len(list((service.data_dir / "artifacts").iterdir())) >= runs


class Client(threading.Thread):
    """Does one thing or another, again and again, by one of two services on the same data.

    Args:
        services: the addresses of both.
        number: makes its choices others than another's.
        until: when to end, by the steady clock.
    """

    def __init__(self, services: list[str], number: int, until: float) -> None:
        super().__init__(daemon=True)
        self._clients = [httpx.Client(base_url=url, timeout=120.0) for url in services]
        self._chance = random.Random(number)
        self._until = until
        self.answers: Counter[tuple[str, int]] = Counter()
        self.runs: list[str] = []
        self.failure: BaseException | None = None

    def run(self) -> None:
        """Goes on until the time is up, or until something fails."""
        try:
            while time.monotonic() < self._until:
                self._chance.choice((self._train, self._train, self._read, self._predict, self._cancel))()
        except (AssertionError, httpx.HTTPError) as failure:
            self.failure = failure
        finally:
            for client in self._clients:
                client.close()

    def _ask(self, method: str, path: str, **options: Any) -> httpx.Response:
        answer = self._chance.choice(self._clients).request(method, path, **options)
        self.answers[method, answer.status_code] += 1
        assert answer.status_code < 500, answer.text
        return answer

    def _post(self, epochs: int, **headers: str) -> str:
        document = tiny_document(epochs, seed=self._chance.randrange(2**31))
        key = {"Idempotency-Key": f"{self._chance.random()}"}
        answers = [self._ask("POST", "/runs", json=document, headers=headers | key) for _ in range(2)]
        assert [answer.status_code for answer in answers] == [201, 201]
        run_ids = {answer.json()["id"] for answer in answers}
        assert len(run_ids) == 1  # by whichever service it was asked
        self.runs += run_ids
        return self.runs[-1]

    def _train(self) -> None:
        run_id = self._post(self._chance.choice((3, 300, 20_000)), Prefer="wait=60")
        assert self._ask("GET", f"/runs/{run_id}").json()["status"] in ("queued", "running", "succeeded")

    def _cancel(self) -> None:
        run_id = self._post(10**7)
        time.sleep(self._chance.uniform(0, 0.5))
        self._ask("POST", f"/runs/{run_id}/cancel")
        if self._chance.random() < 0.5:
            assert self._ask("DELETE", f"/runs/{run_id}").status_code == 204
            self.runs.remove(run_id)

    def _read(self) -> None:
        for run in self._ask("GET", "/runs", params={"limit": 5}).json()["items"]:
            self._ask("GET", f"/runs/{run['id']}/metrics")
            if run["status"] in ENDED:
                self._ask("GET", f"/runs/{run['id']}/events")

    def _predict(self) -> None:
        found = self._ask("GET", "/runs", params={"status": "succeeded", "limit": 3}).json()["items"]
        for run in found:
            document = {"run_id": run["id"], "instances": [[0.0, 1.0]] * 10}
            assert self._ask("POST", "/predict", json=document).status_code == 200


def test_two_services_and_three_workers_share_a_database(
    service: Service, start_service: Callable[..., Service], rounds: int
) -> None:
    """The long form takes ten minutes."""
    other = Service(service.data_dir, {"workers": "2"})
    other.start()
    try:
        until = time.monotonic() + min(600, 12 * rounds)
        clients = [Client([service.url, other.url], number, until) for number in range(6)]
        for client in clients:
            client.start()
        for client in clients:
            client.join()
        assert [client.failure for client in clients] == [None] * len(clients)
        run_ids = [run_id for client in clients for run_id in client.runs]
        ended = [service.wait(run_id, timeout=300) for run_id in run_ids]
    finally:
        other.stop()
    for run in ended:
        assert run["status"] in ("succeeded", "cancelled"), run["error"]
        if run["status"] == "succeeded":
            epochs = service.get(f"/runs/{run['id']}/metrics")["epochs"]
            assert epochs == list(range(1, run["progress"]["epochs"] + 1))
    log = service.log_path.read_text()
    claims = Counter(re.findall(r"run claimed run=(\w+)", log))
    assert set(claims.values()) == {1}
    assert "database is locked" not in log
    print(f"{len(ended)} runs, answers {sum((client.answers for client in clients), Counter())}")
