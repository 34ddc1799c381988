"""The files of a run that succeeded."""

import logging
from pathlib import Path
from typing import Any

import orjson

from app.artifacts import (
    FeatureSignature,
    LimitSignature,
    Signature,
    TensorSignature,
    write_signature,
)
from app.runs.answers import run_answer
from app.runs.artifacts import write_checksums
from app.runs.files import CONTINUATION
from app.runs.history import History
from app.runs.tables import RunRow
from app.spec.columns import limit_names
from app.spec.constraints import Constraint
from app.spec.features import FittedFeature
from app.spec.run import RunSpec
from app.statistics.of_splits import losses_of, yes_above
from app.training.export import export
from app.training.fit import FittedRun

logger = logging.getLogger(__name__)

_READABLE = orjson.OPT_INDENT_2 | orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_APPEND_NEWLINE


def write_model(fitted: FittedRun, spec: RunSpec, folder: Path) -> dict[str, Any] | None:
    """Writes the model as Keras reads it and, where it has such a form, as ONNX; and what is told of it.

    Without `export` in the document it writes only what another run may start from.

    Returns:
        What scores with it, as `RunRow.scoring` has it; None if nothing does.

    Raises:
        ExportFailed: the written model doesn't predict what the trained one does.
    """
    (folder / CONTINUATION).write_bytes(fitted.continuation)
    if not spec.export:
        return None
    report = export(fitted.model, fitted.samples, folder, fitted.tapped)
    if not report.onnx:
        logger.warning("model has no ONNX form folder=%s reason=%s", folder, report.reason)
    names = next(iter(fitted.predictions.values()))  # by output name, in the model's order
    inputs, outputs = fitted.model.inputs, fitted.model.outputs
    losses = losses_of(spec.loss, list(names))
    signature = Signature(
        inputs=tuple(
            TensorSignature(
                name=x.name,
                shape=x.shape,
                dtype=x.dtype,
                features=tuple(map(_feature, fitted.fitted.get(x.name, ()))),
            )
            for x in inputs
        ),
        outputs=tuple(
            TensorSignature(name=name, shape=y.shape, dtype=y.dtype, yes_above=yes_above(losses[name]))
            for name, y in zip(names, outputs, strict=True)
        ),
        activations=tuple(
            TensorSignature(name=name, shape=a.shape, dtype=a.dtype)
            for name, a in fitted.tapped.output["activations"].items()
            if report.activations or not report.onnx  # otherwise a worker has them
        ),
        parameters=fitted.model.count_params(),
        thresholds=tuple(spec.statistics.thresholds),
        near_zero=spec.statistics.near_zero,
        limits=tuple(
            LimitSignature(name=name, of=_limited_output(constraint, list(names)), constraint=constraint)
            for name, constraint in zip(limit_names(spec), spec.constraints, strict=True)
        ),
        guarantees=tuple(
            constraint.model_dump(mode="json", include={"quantity", constraint.limit_field})
            for constraint in fitted.guarantees
        ),
    )
    write_signature(signature, folder)
    return {"by": "onnxruntime" if report.onnx else "worker", "reason": report.reason}


def _feature(fitted: FittedFeature) -> FeatureSignature:
    feature = fitted.feature
    if feature.categories is None:
        return FeatureSignature(name=feature.name, fills_missing=fitted.fill is not None)
    values = (*feature.categories, None)
    return FeatureSignature(
        name=feature.name,
        categories=tuple(values[code] for code in fitted.seen),
        codes=fitted.seen,
        ignores_unknown=feature.ignores_unknown,
    )


def _limited_output(constraint: Constraint, outputs: list[str]) -> str | None:
    """The output that alone tells whether a limit holds; None for limits of weights and of other layers."""
    of = constraint.quantity.of
    if of is None:
        return outputs[0]  # the only one, or the document would have been refused
    return of if of in outputs else None


def write_documents(run: RunRow, inline: bytes | None, history: History, folder: Path) -> None:
    """Writes `run.json`, `statistics.json` and `history.csv`: what the routes answer, as files.

    They are the last of a run's files, so the checksums of all are written, too.

    Args:
        run: the row as it is once the run has ended.
        inline: JSON of its inline dataset.
        history: all of it.
        folder: where to.
    """
    (folder / "run.json").write_bytes(orjson.dumps(run_answer(run, inline), option=_READABLE))
    statistics = {"run_id": run.id, **(run.statistics or {})}
    (folder / "statistics.json").write_bytes(orjson.dumps(statistics, option=_READABLE))
    (folder / "history.csv").write_text(history.csv(), newline="")
    write_checksums(folder)
