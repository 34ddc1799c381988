"""Tiny real runs for the tests of training."""

import copy
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from app.spec.parsing import parse_run
from app.training.fit import FittedRun, fit_run
from app.training.loop import EpochBlock, Interrupted
from app.training.preparation import Preparation, prepare

Document = dict[str, Any]


@dataclass
class Recorder:
    """A reporter that keeps everything, and asks to stop after so many reports."""

    stop_after: int | None = None
    blocks: list[EpochBlock] = field(default_factory=list)
    checkpoints: list[tuple[int, bytes]] = field(default_factory=list)

    def report(self, block: EpochBlock) -> None:
        self.blocks.append(block)

    def save_checkpoint(self, epoch: int, payload: bytes) -> None:
        self.checkpoints.append((epoch, payload))

    def should_stop(self) -> bool:
        return self.stop_after is not None and len(self.blocks) >= self.stop_after

    @property
    def columns(self) -> tuple[str, ...]:
        return self.blocks[0].columns

    @property
    def epochs(self) -> list[int]:
        return [int(epoch) for block in self.blocks for epoch in block.epochs]

    @property
    def values(self) -> np.ndarray:
        return np.concatenate([block.values for block in self.blocks])

    def series(self, column: str) -> np.ndarray:
        return self.values[:, self.columns.index(column)]


def fit(document: Document) -> tuple[FittedRun, Recorder]:
    recorder = Recorder()
    return fit_run(parse_run(document), recorder), recorder


def prepared(document: Document) -> Preparation:
    """The run of a document, ready to be trained."""
    return prepare(parse_run(document))


def fit_with_interruptions(document: Document, reports_each: int) -> tuple[FittedRun, Recorder]:
    """Trains, stopping after every few reports and going on from the checkpoint that was saved then."""
    spec = parse_run(document)
    whole, checkpoint = Recorder(), None
    while True:
        part = Recorder(stop_after=reports_each)
        try:
            fitted = fit_run(spec, part, checkpoint)
        except Interrupted:
            whole.blocks += part.blocks
            checkpoint = part.checkpoints[-1][1]
            continue
        whole.blocks += part.blocks
        return fitted, whole


def changed(document: Document, **fields: Any) -> Document:
    """The document with some of its fields changed; a field that is an object keeps its other keys."""
    document = copy.deepcopy(document)
    for field_name, value in fields.items():
        both = isinstance(value, dict) and isinstance(document.get(field_name), dict)
        document[field_name] = document[field_name] | value if both else value
    return document


def regression_document() -> Document:
    """70 training rows in batches of 16, so that the last batch is smaller; 30 rows to validate."""
    random = np.random.default_rng(3)
    x = random.normal(size=(100, 4)).astype(np.float32)
    y = np.sin(x.sum(axis=1, keepdims=True)) + 0.1 * random.normal(size=(100, 1))
    return {
        "seed": 5,
        "dataset": {"inline": {"x": x.tolist(), "y": y.tolist()}},
        "split": {"train": {"rows": [0, 70]}, "validation": {"rows": [70, 100]}},
        "model": {
            "layers": [
                {"type": "Dense", "units": 8, "activation": "tanh"},
                {"type": "Dense", "units": 1},
            ]
        },
        "loss": "mean_squared_error",
        "metrics": ["mean_absolute_error"],
        "fit": {"epochs": 12, "batch_size": 16, "shuffle": False},
    }
