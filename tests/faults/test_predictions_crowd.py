"""A thousand predictions at once while a run trains and the queue is full: all are answered, and rightly."""

import asyncio
import resource
import ssl
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import numpy as np
import onnxruntime
import pytest

from app.database import DEFAULT_PROJECT, Database
from app.keys.service import create_key
from tests.support.documents import long_document, tiny_document
from tests.support.service import Service

REQUESTS, ROWS, QUEUED, PER_SECOND = 1000, 3, 50, 2

CLIENTS = 100
"""As one of httpx's takes time that grows with the square of its connections."""

INSTANCES = np.random.default_rng(3).normal(size=(REQUESTS, ROWS, 2))


@dataclass
class Crowded:
    """A service that trains one run, and whose queue is full.

    Attributes:
        service: knows a key, and how many runs may be queued.
        key: is good for everything.
        model: a run that has succeeded.
        training: the run that trains for longer than any test.
        queued: all others.
    """

    service: Service
    key: str
    model: str
    training: str
    queued: list[str]


@pytest.fixture(scope="module")
def crowded(start_service: Callable[..., Service]) -> Iterator[Crowded]:
    service = start_service(max_queued_runs=str(QUEUED), max_requests_per_second="100000")
    database = Database(f"sqlite:///{service.data_dir / 'kerb.db'}")
    with database.writing() as session:
        _, key = create_key(session, "crowd", DEFAULT_PROJECT, ["read", "predict", "train"])
    database.close()
    service.client.headers["X-API-Key"] = key
    model = service.run(tiny_document())["id"]
    inline = {"x": [[0, 1]] * 3000, "y": [[1]] * 3000}  # so that an epoch takes a while
    training = service.submit(long_document(10**7, dataset={"inline": inline}))["id"]
    service.wait_until(training, lambda run: run["progress"]["epoch"] > 0)
    queued = [service.submit(tiny_document(seed=seed))["id"] for seed in range(QUEUED)]
    yield Crowded(service, key, model, training, queued)
    for run_id in [*queued, training]:
        service.client.post(f"/runs/{run_id}/cancel")
    service.wait(training)
    service.stop()


@contextmanager
def many_handles() -> Iterator[None]:
    """Lets this process have a connection for each request, where it may."""
    before, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(before, min(4 * REQUESTS, most)), most))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (before, most))


def post_at_once(url: str, key: str, path: str, documents: list[dict[str, Any]]) -> list[httpx.Response]:
    """The answers, in order; each request has a connection of its own."""

    async def post() -> list[httpx.Response]:
        async with AsyncExitStack() as stack:
            options: dict[str, Any] = {"headers": {"X-API-Key": key}, "timeout": 120.0, "verify": context}
            clients = [
                await stack.enter_async_context(httpx.AsyncClient(base_url=url, limits=limits, **options))
                for _ in range(CLIENTS)
            ]
            posts = [
                clients[number % CLIENTS].post(path, json=document)
                for number, document in enumerate(documents)
            ]
            return await asyncio.gather(*posts)

    limits = httpx.Limits(max_connections=len(documents))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # made once; it isn't needed
    with many_handles():
        return asyncio.run(post())


def predict_at_once(crowded: Crowded, url: str, instances: np.ndarray) -> list[httpx.Response]:
    """The answers to requests of some rows each."""
    documents = [{"run_id": crowded.model, "instances": rows.tolist()} for rows in instances]
    return post_at_once(url, crowded.key, "/predict", documents)


def own_answers(crowded: Crowded) -> np.ndarray:
    """What the model itself says to all of `INSTANCES`."""
    path = crowded.service.data_dir / "artifacts" / crowded.model / "model.onnx"
    session = onnxruntime.InferenceSession(path)
    (model_input,) = session.get_inputs()
    (output,) = session.run(None, {model_input.name: np.float32(INSTANCES.reshape(-1, 2))})
    return np.asarray(output).reshape(REQUESTS, ROWS, 1)


def test_a_thousand_predictions_at_once(crowded: Crowded) -> None:
    service = crowded.service
    before = service.get(f"/runs/{crowded.training}")["progress"]["epoch"]

    answers = predict_at_once(crowded, service.url, INSTANCES)

    assert Counter(answer.status_code for answer in answers) == {200: REQUESTS}
    predictions = np.array([answer.json()["predictions"] for answer in answers])
    np.testing.assert_allclose(predictions, own_answers(crowded), rtol=1e-6)
    waiting = service.get("/runs", status="queued", limit=QUEUED + 1)["items"]
    assert sorted(run["id"] for run in waiting) == sorted(crowded.queued)
    run = service.wait_until(crowded.training, lambda run: run["progress"]["epoch"] > before)
    assert run["status"] == "running"


def test_a_full_queue_says_when_to_come_again(crowded: Crowded) -> None:
    """However many come at once, not one run more is queued than may be."""
    service = crowded.service
    for run_id in crowded.queued[:3]:
        assert service.client.post(f"/runs/{run_id}/cancel").is_success
    documents = [tiny_document(seed=seed) for seed in range(20)]

    answers = post_at_once(service.url, crowded.key, "/runs", documents)

    crowded.queued += [answer.json()["id"] for answer in answers if answer.status_code == 201]
    assert Counter(answer.status_code for answer in answers) == {201: 3, 429: 17}
    for answer in answers:
        assert answer.status_code == 201 or int(answer.headers["Retry-After"]) > 0


def test_predictions_beyond_the_rate_are_told_to_wait(crowded: Crowded) -> None:
    """By a second API process on the same data, whose limit they exceed by far."""
    limited = Service(crowded.service.data_dir, {"workers": "0", "max_requests_per_second": str(PER_SECOND)})
    limited.start(ready=False)
    try:
        answers = predict_at_once(crowded, limited.url, INSTANCES[:100])
    finally:
        limited.stop()
    counts = Counter(answer.status_code for answer in answers)
    assert set(counts) == {200, 429}
    assert counts[200] >= PER_SECOND
    for answer, expected in zip(answers, own_answers(crowded)[:100], strict=True):
        if answer.status_code == 200:
            np.testing.assert_allclose(answer.json()["predictions"], expected, rtol=1e-6)
        else:
            assert int(answer.headers["Retry-After"]) > 0
