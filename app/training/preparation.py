"""From a run document to everything that its compiled loop takes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import prod

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from app.spec.checks import check_data
from app.spec.columns import taken_by_metrics, with_mode
from app.spec.dataset import Dataset, RunData, load_data, weigh_classes
from app.spec.features import FittedFeature, encode, encoded_shape, fit_features
from app.spec.graph import Graph
from app.spec.model import resolve_graph
from app.spec.run import RunSpec
from app.spec.space import blocks
from app.spec.split import split_rows
from app.training import warm_start
from app.training.augmentation import build_augmentation
from app.training.batches import Rows, Schedule, State, take
from app.training.build import build_model, tapped_model
from app.training.callbacks import EarlyStop, Plateau
from app.training.constraints.check import Check
from app.training.constraints.enforcement import Enforcement
from app.training.constraints.guarantee import guaranteed_model
from app.training.constraints.limit import Limit
from app.training.constraints.limit_building import build_limits
from app.training.differentiability import check_differentiable
from app.training.forward import Forward
from app.training.losses import build_loss_terms
from app.training.metrics import build_metrics
from app.training.objective import Objective
from app.training.optimizers import build_optimizer
from app.training.penalties import build_penalty_terms
from app.training.plan import choose_plan
from app.training.program import Program
from app.training.programs import program_for
from app.training.proximal import proximal_thresholds
from app.training.quantities import group_columns
from app.training.regularizers import build_regularizer_terms
from app.training.terms import Batch, unique_names

LOOPED_SPLITS = ("train", "validation")

COMPARED_SAMPLES = 256
"""Rows on which exported files are compared with the trained model."""

MOST_EVALUATED_ELEMENTS = 2**24
"""Elements of activations in one batch of a validation pass: 64 MB in float32."""


@dataclass(frozen=True)
class Preparation:
    """A run that is ready to be trained.

    Attributes:
        graph: the model's layers with shapes.
        model: the model with its initial weights.
        tapped: the same weights, with the activations that the objective looks at.
        splits: the samples by split, as the model takes them.
        raw: some training samples as they are stored, float64 by input name; of inputs with features only.
        fitted: what is done to raw values, by input name.
        rows: those on the device that the loop walks.
        objective: the terms of the total, with this run's strengths.
        limits: what the run must hold.
        program: the compiled loop, perhaps shared with earlier runs.
        state: the loop's state before the first epoch.
    """

    graph: Graph
    model: keras.Model
    tapped: keras.Model
    splits: dict[str, RunData]
    raw: dict[str, NDArray[np.float64]]
    fitted: dict[str, tuple[FittedFeature, ...]]
    rows: dict[str, Rows]
    objective: Objective
    limits: list[Limit]
    program: Program
    state: State


def prepare(spec: RunSpec, start_from: bytes | None = None, stored: RunData | None = None) -> Preparation:
    """Loads the data, builds the model and finds or makes the program.

    Args:
        spec: the document.
        start_from: what another run left to begin with.
        stored: the samples of the stored dataset that the document names, if it names one.

    Raises:
        ModelRejected: Keras refused the model.
        InvalidDocument: the document's parts don't fit together.
    """
    data = stored or _inline_data(spec)
    graph = resolve_graph(spec.model, input_shapes(data))
    data = data.named(list(graph.inputs), list(graph.outputs))
    row_numbers = split_rows(spec.split, data)
    splits = {name: data.rows(rows) for name, rows in row_numbers.items()}
    raw = {name: splits["train"].inputs[name][:COMPARED_SAMPLES] for name in data.features}
    fitted = {
        name: fit_features(features, splits["train"].inputs[name]) for name, features in data.features.items()
    }
    if stored is not None:
        splits = {name: _encoded(part, fitted, row_numbers[name]) for name, part in splits.items()}
        for part in splits.values():
            check_data(spec, part, graph)
    rows = {
        name: on_device(splits[name], sample_weights(spec, splits[name]), columns_of(spec, splits[name]))
        for name in LOOPED_SPLITS
        if name in splits
    }
    model = build_model(graph, spec.seed)
    objective = build_objective(spec, graph, model)
    limits = build_limits(spec.constraints, graph, splits["train"].samples, spec.fit.batch_size)
    model = guaranteed_model(model, [limit for limit in limits if limit.trains_projected])
    watched = [layer for limit in limits for layer in limit.layers]
    tapped = tapped_model(model, list(dict.fromkeys([*objective.layers, *watched])))
    optimizer = build_optimizer(spec.optimizer, spec.fit)
    optimizer.build(tapped.trainable_variables)
    samples = {name: splits[name].samples for name in rows}
    program = program_for(
        spec, rows, lambda: build_program(spec, graph, tapped, optimizer, objective, limits, samples)
    )
    start = None if start_from is None else warm_start.from_bytes(start_from)
    if start is not None:
        warm_start.load_weights(tapped, start)
    prices = [limit.constraint.weight or 0.0 for limit in limits]
    state = program.initial_state(tapped, optimizer, rows["train"], spec.fit.epochs, prices)
    if start is not None and limits:
        state["constraints"] = warm_start.with_multipliers(state["constraints"], limits, start)
    return Preparation(graph, model, tapped, splits, raw, fitted, rows, objective, limits, program, state)


def _inline_data(spec: RunSpec) -> RunData:
    assert isinstance(spec.dataset, Dataset)
    return load_data(spec.dataset)


def input_shapes(data: RunData) -> dict[str, tuple[int, ...]]:
    """The shape of one sample of each input as the model takes it, by the data's name of it."""
    return {
        name: encoded_shape(data.features[name]) if name in data.features else array.shape[1:]
        for name, array in data.inputs.items()
    }


def _encoded(
    data: RunData, fitted: Mapping[str, Sequence[FittedFeature]], rows: NDArray[np.int64]
) -> RunData:
    """The samples of a split with all inputs as the model takes them."""
    inputs = {}
    for name, raw in data.inputs.items():
        inputs[name] = data.space.empty((len(raw), *encoded_shape(data.features[name])), np.float32)
        for block in blocks(len(raw), raw, inputs[name]):
            inputs[name][block] = encode(fitted[name], raw[block], rows[block])
    return replace(data, inputs=inputs, features={})


def build_objective(spec: RunSpec, graph: Graph, model: keras.Model) -> Objective:
    """The terms of the total: losses, penalties, regularizers."""
    terms = [
        *build_loss_terms(spec.loss, list(graph.outputs)),
        *build_penalty_terms(spec.penalties, graph),
        *build_regularizer_terms(graph, model),
    ]
    taken = taken_by_metrics(spec, list(graph.outputs))
    return Objective(unique_names(terms, taken), proximal_thresholds(graph, model))


def build_program(
    spec: RunSpec,
    graph: Graph,
    tapped: keras.Model,
    optimizer: keras.optimizers.Optimizer,
    objective: Objective,
    limits: Sequence[Limit],
    samples: Mapping[str, int],
) -> Program:
    """The compiled loop of a run's structure; `samples` is the number of rows of each split it walks."""
    fit = spec.fit
    batch_size = min(fit.batch_size, samples["train"])
    elements = sum(prod(size or 1 for size in node.shape) for node in graph.nodes)
    fitting = max(batch_size, MOST_EVALUATED_ELEMENTS // max(1, elements))
    validation = None
    if "validation" in samples:
        validation = Schedule(samples["validation"], min(fitting, samples["validation"]))
    enforcement = Enforcement(limits, samples["train"], batch_size) if limits else None
    metrics = build_metrics(spec.metrics, graph)
    columns = Program.column_names(objective, metrics, enforcement, validated=validation is not None)
    stopping = fit.early_stopping and with_mode(fit.early_stopping, spec, graph)
    plateau = fit.reduce_lr_on_plateau and with_mode(fit.reduce_lr_on_plateau, spec, graph)
    forward, check = Forward(tapped), None
    if enforcement is not None:
        walk = Schedule(samples["train"], min(fitting, samples["train"]))
        check = Check(enforcement, forward, objective, walk, batch_size)
    return Program(
        forward=forward,
        optimizer=optimizer,
        objective=objective,
        metrics=metrics,
        training=Schedule(samples["train"], batch_size, fit.shuffle),
        validation=validation,
        plan=choose_plan(graph),
        early_stop=EarlyStop(stopping, columns.index(stopping.monitor)) if stopping else None,
        plateau=Plateau(plateau, columns.index(plateau.monitor)) if plateau else None,
        augmentation=build_augmentation(spec.augmentation) if spec.augmentation else None,
        check=check,
    )


def check_gradient(run: Preparation) -> None:
    """Raises `LossNotDifferentiable` if the first batch moves no weight at all."""
    program, state = run.program, run.state
    first = take(run.rows["train"], None, tf.constant(0), program.training.batch_size)

    def forward(weights: list[tf.Tensor]) -> Batch:
        return program.forward(weights, state["non_trainable"], first, tf.constant([0, 0]), training=True)[0]

    check_differentiable(run.objective.terms, forward, state["trainable"])


def sample_weights(spec: RunSpec, data: RunData) -> NDArray[np.float32] | None:
    """How much each sample counts: its own weight times its class's; None where all count alike."""
    weights = [] if data.sample_weight is None else [data.sample_weight]
    if spec.fit.class_weight:
        targets = next(iter(data.targets.values()))
        weights.append(weigh_classes(targets, spec.fit.class_weight))
    return np.prod(weights, axis=0, dtype=np.float32) if weights else None


def columns_of(spec: RunSpec, data: RunData) -> dict[str, NDArray[np.float32]]:
    """The dataset's further columns, and those that tell groups apart where limits need them."""
    quantities = [constraint.quantity for constraint in spec.constraints]
    groups = {} if data.group is None else group_columns(quantities, data.group)
    return {**data.columns, **groups}


def on_device(
    data: RunData, weights: NDArray[np.float32] | None, columns: Mapping[str, NDArray[np.float32]]
) -> Rows:
    """The samples of a split as the nest of tensors that the loop takes."""
    rows: Rows = {
        "inputs": {name: _tensor(array) for name, array in data.inputs.items()},
        "targets": {name: _tensor(array) for name, array in data.targets.items()},
        "columns": {name: _tensor(array) for name, array in columns.items()},
    }
    return rows if weights is None else {**rows, "sample_weight": tf.constant(weights)}


def _tensor(array: NDArray[np.float32]) -> tf.Tensor:
    """The array as a tensor; one that is memory-mapped isn't copied, the loop reads from it what it takes."""
    if isinstance(array, np.memmap):
        return tf.experimental.dlpack.from_dlpack(array.__dlpack__())
    return tf.constant(array)
