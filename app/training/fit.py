"""Trains the model of one run document.

document → prepared run → epochs → the weights to serve → statistics
"""

from dataclasses import dataclass
from typing import Any

import keras
from numpy.typing import NDArray

from app.spec.constraints import Constraint
from app.spec.dataset import RunData
from app.spec.features import FittedFeature
from app.spec.run import RunSpec
from app.statistics.of_splits import losses_of, split_statistics
from app.training import checkpoint, warm_start
from app.training.batches import State
from app.training.build import tapped_model
from app.training.constraints.guarantee import guaranteed_model
from app.training.constraints.judgement import judge
from app.training.evaluation import (
    layer_sparsity,
    model_weight_sparsity,
    predict,
)
from app.training.loop import LoopOptions, Reporter, run_epochs
from app.training.optimizers import averaged_weights
from app.training.preparation import COMPARED_SAMPLES, Preparation, check_gradient, prepare
from app.training.preprocessing import raw_model

Arrays = dict[str, NDArray[Any]]


@dataclass(frozen=True)
class FittedRun:
    """What training a run gives.

    Attributes:
        model: the model with the weights to serve.
        tapped: the same with the outputs of its layers, as `tapped_model` has them.
        epoch: the epoch whose weights they are.
        statistics: `splits` and `weight_sparsity`, as the API answers them.
        predictions: by split and output name, `(samples, …)`.
        samples: some rows of raw input by name, on which exported files are compared.
        fitted: what the model does to raw values, by input name; of inputs of stored columns only.
        verdicts: one a declared limit, on the training data.
        guarantees: the limits that every prediction holds, as the model projects it onto them.
        continuation: what another run may start from.
    """

    model: keras.Model
    tapped: keras.Model
    epoch: int
    statistics: dict[str, Any]
    predictions: dict[str, Arrays]
    samples: Arrays
    fitted: dict[str, tuple[FittedFeature, ...]]
    verdicts: list[dict[str, Any]]
    guarantees: list[Constraint]
    continuation: bytes


def fit_run(
    spec: RunSpec,
    reporter: Reporter,
    resume_from: bytes | None = None,
    checkpoint_seconds: float = 2.0,
    start_from: bytes | None = None,
    stored: RunData | None = None,
) -> FittedRun:
    """Trains a run from its document, or from a checkpoint on.

    Args:
        spec: the document.
        reporter: is told of every epoch, keeps checkpoints, and may stop the training.
        resume_from: a checkpoint of this run; the result is the same as without the interruption.
        checkpoint_seconds: least time between two checkpoints.
        start_from: the `continuation` of another run, for one that begins with its weights.
        stored: the samples of the stored dataset that the document names, if it names one.

    Raises:
        RunError: the run can't give a model, for a reason that its class and message tell.
        InvalidDocument: the document's parts don't fit together.
        Interrupted: the reporter asked to stop.
    """
    run = prepare(spec, start_from, stored)
    if resume_from is None:
        check_gradient(run)
        state, seconds = run.state, 0.0
    else:
        state, seconds = checkpoint.from_bytes(resume_from, like=run.state)
    options = LoopOptions(
        epochs=spec.fit.epochs,
        seed=spec.seed,
        time_limit_seconds=spec.fit.time_limit_seconds,
        seconds_before=seconds,
        checkpoint_seconds=checkpoint_seconds,
        record_every=spec.fit.record_every,
    )
    state = run_epochs(run.program, state, run.rows, run.objective.strengths, options, reporter)
    epoch = load_served_weights(run, state)
    # Those that are held by projection are in the model already, as it was trained with them.
    added = [limit for limit in run.limits if limit.projects and not limit.trains_projected]
    served = guaranteed_model(run.model, added)
    predictions = {name: predict(served, split.inputs) for name, split in run.splits.items()}
    statistics = summarize(spec, run, predictions)
    verdicts: list[dict[str, Any]] = []
    if run.limits:
        by_split, verdicts = judge(run.limits, state["constraints"], run.model, run.splits, predictions)
        for name, judged in by_split.items():
            statistics["splits"][name]["constraints"] = judged
    return FittedRun(
        model=raw_model(served, run.fitted),
        tapped=raw_model(tapped_model(served, layers_of(run)), run.fitted),
        epoch=epoch,
        statistics=statistics,
        predictions=predictions,
        samples={
            name: run.raw.get(name, array[:COMPARED_SAMPLES])
            for name, array in run.splits["train"].inputs.items()
        },
        fitted=run.fitted,
        verdicts=verdicts,
        guarantees=[limit.constraint for limit in run.limits if limit.projects],
        continuation=warm_start.to_bytes(run.tapped, run.limits, state["constraints"]),
    )


def load_served_weights(run: Preparation, state: State) -> int:
    """Puts the weights to serve into the run's model.

    Those are the last epoch's (their running averages with `use_ema`), or the best one's where early
    stopping restores them; with declared limits, those of the best epoch that held them all.

    Returns:
        The epoch whose weights they are.
    """
    averages = averaged_weights(run.program.optimizer, state["optimizer"])
    weights, epoch = (averages or state["trainable"]) + state["non_trainable"], state["epoch"]
    stopping = state["early_stop"]
    if stopping.get("weights") and int(stopping["epoch"]) > 0:
        weights, epoch = stopping["weights"], stopping["epoch"]
    if run.limits:
        weights, epoch = state["constraints"]["best"]["weights"], state["constraints"]["best"]["epoch"]
    variables = run.tapped.trainable_variables + run.tapped.non_trainable_variables
    for variable, tensor in zip(variables, weights, strict=True):
        variable.assign(tensor)
    return int(epoch)


def layers_of(run: Preparation) -> list[str]:
    """The layers that have an output of their own: all but the inputs."""
    return [node.name for node in run.graph.nodes if node.inputs]


def summarize(spec: RunSpec, run: Preparation, predictions: dict[str, Arrays]) -> dict[str, Any]:
    """The statistics of the served model on each split, and of its weights."""
    losses = losses_of(spec.loss, list(run.graph.outputs))
    layers = layers_of(run)
    near_zero = spec.statistics.near_zero
    splits = {
        name: split_statistics(predictions[name], split.targets, losses, spec.statistics.thresholds)
        | {"activation_sparsity": layer_sparsity(run.model, layers, split.inputs, near_zero)}
        for name, split in run.splits.items()
    }
    return {"splits": splits, "weight_sparsity": model_weight_sparsity(run.model, near_zero)}
