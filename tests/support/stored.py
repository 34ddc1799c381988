"""A service in this process: the routes by a test client, and runs trained when they're asked for."""

import io
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
from fastapi.testclient import TestClient
from pyarrow import csv, parquet

from app.database import Database
from app.main import create_app
from app.settings import Settings
from app.sweeps.rounds import carry_on
from app.worker.claim import claim_run
from app.worker.training_job import TrainingJob


class InProcess:
    """The routes of a service, and its worker.

    Args:
        data_dir: its data folder, with a migrated database.
        settings: further ones.
    """

    def __init__(self, data_dir: Path, **settings: Any) -> None:
        self.settings = Settings(data_dir=data_dir, **settings)
        self.database = Database(self.settings.url_of_database())
        self.client = TestClient(create_app(self.settings))

    def upload(self, table: dict[str, Any]) -> str:
        """Stores a table as CSV; the dataset's id."""
        sink = io.BytesIO()
        csv.write_csv(pyarrow.table(table), sink)
        return self._store(sink.getvalue(), "text/csv")

    def upload_parquet(self, table: dict[str, Any]) -> str:
        """Stores a table as Parquet; the dataset's id."""
        sink = io.BytesIO()
        parquet.write_table(pyarrow.table(table), sink)
        return self._store(sink.getvalue(), "application/vnd.apache.parquet")

    def upload_arrays(self, **arrays: np.ndarray) -> str:
        """Stores arrays as NPZ; the dataset's id."""
        sink = io.BytesIO()
        np.savez(sink, **arrays)
        return self._store(sink.getvalue(), "application/x-npz")

    def _store(self, content: bytes, media_type: str) -> str:
        answer = self.client.post("/datasets", content=content, headers={"Content-Type": media_type})
        assert answer.status_code in (200, 201), answer.text
        return str(answer.json()["id"])

    def work(self) -> bool:
        """Does what a worker does with the next run of the queue; False if there is none."""
        carry_on(self.database)
        with self.database.writing() as session:
            claim = claim_run(session, "worker_1", 10, 16)
        if claim is None:
            return False
        TrainingJob(claim, self.database, self.settings, threading.Event()).run()
        return True

    def sweep(self, document: dict[str, Any]) -> dict[str, Any]:
        """Posts a sweep and trains all its runs; the sweep."""
        answer = self.client.post("/sweeps", json=document)
        assert answer.status_code == 201, answer.text
        while self.work():
            pass
        sweep: dict[str, Any] = self.client.get(f"/sweeps/{answer.json()['id']}").json()
        return sweep

    def train(self, document: dict[str, Any]) -> dict[str, Any]:
        """Posts a run and trains it; the run."""
        answer = self.client.post("/runs", json=document)
        assert answer.status_code == 201, answer.text
        assert self.work()
        run: dict[str, Any] = self.client.get(f"/runs/{answer.json()['id']}").json()
        return run
