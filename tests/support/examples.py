"""The documents in examples/, run by the service, and what it says of them."""

import copy
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tests.support.service import ENDED, Service

EXAMPLES = Path(__file__).parents[2] / "examples"

Document = dict[str, Any]


def example(name: str) -> Document:
    """The document of that name, without `.json`."""
    document: Document = json.loads((EXAMPLES / f"{name}.json").read_text())
    return document


def without_limits(document: Document) -> Document:
    """The same document without penalties, and without regularizers of activities."""
    document = copy.deepcopy(document)
    document.pop("penalties", None)
    for layer in document["model"]["layers"]:
        layer.pop("activity_regularizer", None)
    return document


@dataclass
class Trained:
    """A run that succeeded.

    Attributes:
        service: where it ran.
        document: what was posted.
        run: what came of it.
    """

    service: Service
    document: Document
    run: dict[str, Any]

    @property
    def x(self) -> NDArray[Any]:
        """The inputs of all rows."""
        return np.array(self.document["dataset"]["inline"]["x"])

    @property
    def y(self) -> NDArray[Any]:
        """The targets of all rows."""
        return np.array(self.document["dataset"]["inline"]["y"])

    def rows(self, split: str) -> slice:
        """The rows of a split."""
        first, end = self.document["split"][split]["rows"]
        return slice(first, end)

    def predict(self, instances: Any) -> Any:
        """What `POST /predict` answers: an array, or arrays by output."""
        body = {"run_id": self.run["id"], "instances": np.asarray(instances).tolist()}
        answer = self.service.client.post("/predict", json=body)
        assert answer.status_code == 200, answer.text
        predictions = answer.json()["predictions"]
        if isinstance(predictions, dict):
            return {name: np.array(values) for name, values in predictions.items()}
        return np.array(predictions)

    def statistics(self, split: str = "validation") -> dict[str, Any]:
        """Of one split."""
        part: dict[str, Any] = self.service.get(f"/runs/{self.run['id']}/statistics")["splits"][split]
        return part

    def series(self) -> dict[str, list[float]]:
        """The history."""
        series: dict[str, list[float]] = self.service.get(f"/runs/{self.run['id']}/metrics")["series"]
        return series


def train(service: Service, document: Document) -> Trained:
    """Posts a document and waits until it's trained; its model can be scored by ONNX Runtime, too."""
    # A run's answer has all its data in it, so asking for it over and over would take its time.
    run = service.submit(document, Prefer="wait=30")
    if run["status"] not in ENDED:
        run = service.wait(run["id"])
    assert run["status"] == "succeeded", run["error"]
    artifacts = service.get(f"/runs/{run['id']}/artifacts")["items"]
    assert "model.onnx" in [artifact["name"] for artifact in artifacts]
    return Trained(service, document, run)
