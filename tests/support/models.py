"""Keras models published as the models of finished runs, without training."""

from pathlib import Path
from typing import Any

import keras
import numpy as np

from app.database import Database, utc_now
from app.ids import new_id
from app.runs.files import RunFiles
from app.runs.tables import RunRow
from app.spec.model import resolve_graph
from app.spec.parsing import parse_run
from app.training.build import build_model, tapped_model
from app.training.evaluation import predict
from app.training.fit import FittedRun
from app.worker.artifacts import write_model

Arrays = dict[str, np.ndarray]


def add_finished_run(database: Database, data_dir: Path, document: dict[str, Any]) -> RunRow:
    """A run that has succeeded, with a model of random weights, of a document with inline inputs by name."""
    spec = parse_run(document)
    inputs = {name: np.asarray(rows) for name, rows in document["dataset"]["inline"]["x"].items()}
    model = build_model(resolve_graph(spec.model, {n: a.shape[1:] for n, a in inputs.items()}), seed=1)
    randomize(model)
    samples = {tensor.name: inputs[tensor.name].astype(tensor.dtype) for tensor in model.inputs}
    fitted = FittedRun(
        model=model,
        tapped=tapped_model(model, []),
        epoch=1,
        statistics={},
        predictions={"train": predict(model, samples)},
        samples=samples,
        fitted={},
        verdicts=[],
        guarantees=[],
        continuation=b"",
    )
    run_id, now = new_id("run"), utc_now()
    folder = RunFiles(data_dir).artifacts(run_id)
    folder.mkdir(parents=True)
    scoring = write_model(fitted, spec, folder)
    run = RunRow(id=run_id, tags={}, status="succeeded", created_at=now, finished_at=now, epochs=1)
    run.scoring, run.verdicts, run.document, run.body_hash = scoring, [], {}, ""
    with database.writing() as session:
        session.add(run)
    return run


def randomize(model: keras.Model) -> None:
    """Gives every weight numbers of its own, as training would; means and variances at least 0.1."""
    random = np.random.default_rng(7)
    for variable in model.variables:
        if np.issubdtype(np.dtype(variable.dtype), np.floating):
            moving = "moving" in variable.path
            drawn = (
                random.uniform(0.1, 1.0, variable.shape) if moving else random.normal(0, 0.4, variable.shape)
            )
            variable.assign(drawn)
