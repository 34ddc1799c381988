"""How the API's resident memory grows over many mixed requests to many models.

Requests of every form, small and large, right and wrong, to runs, named models and ensembles, go over some
connections. Memory is looked at once the first tenth is through, when every library is loaded, and at last.
"""

import asyncio
import io
import random
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import numpy as np
import orjson

from benchmarks.predict import (
    RUN_ID,
    WIDTHS,
    Server,
    free_port,
    kerb_body,
    kerb_command,
    kerb_environment,
    resident_megabytes,
    running,
    save_runs,
)
from benchmarks.table import Row

MODELS = 20
REQUESTS = 100_000
CONNECTIONS = 8
MOST_GROWTH_MEGABYTES = 20.0


class Asked(NamedTuple):
    """A request, and the status that it must have."""

    content: bytes
    headers: dict[str, str]
    parameters: dict[str, str]
    status: int


def rows(requests: int = REQUESTS) -> list[Row]:
    """Measures it; takes some minutes."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        run_ids = [f"{RUN_ID[:-2]}{number:02}" for number in range(MODELS)]
        save_runs(folder, run_ids)
        server = Server("Kerb", free_port(), "/predict", "/healthz", kerb_body)
        with running(server, kerb_command(server.port, folder), kerb_environment()) as process:
            url = f"http://127.0.0.1:{server.port}"
            for number, run_id in enumerate(run_ids):
                httpx.put(
                    f"{url}/models/model-{number}", json={"run_id": run_id}, timeout=60
                ).raise_for_status()
            asyncio.run(send_all(url, run_ids, requests // 10))
            before = resident_megabytes(process.pid)
            asyncio.run(send_all(url, run_ids, requests - requests // 10))
            after = resident_megabytes(process.pid)
    what = f"resident memory, growth over {requests:,} requests to {MODELS} models"
    note = f"from {before:.0f} to {after:.0f} MB"
    return [Row(what, after - before, MOST_GROWTH_MEGABYTES, at_most=True, unit="MB", note=note)]


async def send_all(url: str, run_ids: list[str], count: int) -> None:
    """Sends so many requests, over some connections, each the next as soon as one is answered."""
    chosen = random.Random(count)
    left = iter(range(count))

    async def send() -> None:
        async with httpx.AsyncClient(base_url=url, timeout=60) as client:
            for _ in left:
                asked = request(chosen, run_ids)
                answer = await client.post(
                    "/predict", content=asked.content, headers=asked.headers, params=asked.parameters
                )
                assert answer.status_code == asked.status, answer.text

    await asyncio.gather(*(send() for _ in range(CONNECTIONS)))


def request(chosen: random.Random, run_ids: list[str]) -> Asked:
    """A request by chance: mostly a row or some, now and then many; mostly in JSON, some wrong."""
    count = chosen.choices((1, 16, 256, 4096), (70, 20, 9.5, 0.5))[0]
    numbers = np.random.default_rng(chosen.getrandbits(32))
    instances = numbers.normal(size=(count, WIDTHS[0])).astype(np.float32)
    number = chosen.randrange(MODELS)
    if chosen.random() < 0.2:
        return _table(chosen, instances, run_ids[number])
    targets: list[dict[str, Any]] = [
        {"run_id": run_ids[number]},
        {"model": f"model-{number}"},
        {"run_ids": chosen.sample(run_ids, 3), "combine": chosen.choice(("mean", "vote"))},
    ]
    document = chosen.choices(targets, (6, 3, 1))[0] | {"instances": instances, "threshold": chosen.random()}
    content = orjson.dumps(document, option=orjson.OPT_SERIALIZE_NUMPY)
    if chosen.random() < 0.1:
        return Asked(content[:-3], {"content-type": "application/json"}, {}, 422)
    return Asked(content, {"content-type": "application/json"}, {}, 200)


def _table(chosen: random.Random, instances: Any, run_id: str) -> Asked:
    """A file of instances."""
    sink = io.BytesIO()
    if chosen.random() < 0.5:
        np.save(sink, instances)
        media_type = "application/x-npy"
    else:
        header = ",".join(f"c{column}" for column in range(WIDTHS[0]))
        np.savetxt(sink, instances, delimiter=",", comments="", header=header)
        media_type = "text/csv"
    answered = chosen.choice(("application/json", "text/csv", "application/vnd.apache.parquet"))
    return Asked(sink.getvalue(), {"content-type": media_type, "accept": answered}, {"run_id": run_id}, 200)
