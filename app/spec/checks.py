"""Everything that the document alone shows to be wrong, told before a worker hears of the run."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from app.errors import InvalidDocument
from app.spec.augmentation_checks import check_augmentation
from app.spec.columns import history_columns, term_names
from app.spec.contradictions import check_contradictions
from app.spec.dataset import ONLY_TARGET, Dataset, RunData, load_data
from app.spec.described_dataset import DatasetDescription
from app.spec.graph import Graph
from app.spec.layers.core import Embedding
from app.spec.losses import check_loss
from app.spec.metric_checks import check_metrics
from app.spec.model import resolve_graph
from app.spec.names import did_you_mean
from app.spec.optimizers import CLIPS
from app.spec.pointers import join, received
from app.spec.quantity_checks import check_constraints, check_penalties
from app.spec.representative_rows import representative
from app.spec.run import RunSpec
from app.spec.split import check_split, split_rows
from app.spec.surroundings import Surroundings

Shape = tuple[int | None, ...]


@dataclass(frozen=True)
class LayerSummary:
    """One layer of a checked model.

    Attributes:
        name: unique in the model.
        type: Keras's class name.
        inputs: the names of the layers it takes.
        shape: of one sample of its output.
        parameter_count: its weights, trainable or not.
    """

    name: str
    type: str
    inputs: tuple[str, ...]
    shape: Shape
    parameter_count: int


@dataclass(frozen=True)
class ModelSummary:
    """What is known of a run before it is trained.

    Attributes:
        parameter_count: weights of the whole model, trainable or not.
        inputs: the shape of one sample of each input, by name.
        outputs: the shape of one sample of each output, by name.
        terms: the names of the parts of the total that is minimised.
        layers: in an order in which they can be computed.
    """

    parameter_count: int
    inputs: dict[str, Shape]
    outputs: dict[str, Shape]
    terms: list[str]
    layers: list[LayerSummary]


def check_run(run: RunSpec, described: DatasetDescription | None = None) -> ModelSummary:
    """Checks that the parts of a document fit together.

    Args:
        run: the document.
        described: the dataset that it names, if it names one.

    Raises:
        InvalidDocument: two parts don't fit; the first such pair, in the order model, split, data and model,
            targets and loss, penalties and constraints, metrics, augmentation, fit.
    """
    if isinstance(run.dataset, Dataset):
        data = load_data(run.dataset)
    else:
        assert described is not None
        data = representative(run.dataset, described)
    graph = resolve_graph(run.model, {name: array.shape[1:] for name, array in data.inputs.items()})
    _check_targets(run, data, graph)
    data = data.named(list(graph.inputs), list(graph.outputs))
    if described is None:
        split_rows(run.split, data)
    else:
        check_split(run.split, described.rows)
    check_data(run, data, graph)
    return _summarize(run, graph)


def check_data(run: RunSpec, data: RunData, graph: Graph) -> None:
    """Checks a document against samples as the model takes them, inputs and targets by the model's names.

    Raises:
        InvalidDocument: they don't fit.
    """
    _check_embedded(data, graph, run)
    pointers = _target_pointers(run, graph)
    try:
        check_loss(run.loss, graph.output_shapes, data.targets, target_pointers=pointers)
    except InvalidDocument as error:
        if isinstance(run.dataset, Dataset):
            raise
        raise _without_rows(error, pointers.values()) from error
    _check_quantities(run, data, graph)
    check_metrics(run.metrics, graph.output_shapes, data.targets)
    check_augmentation(run.augmentation, graph, run.loss)
    _check_fit(run, data, graph)


def _without_rows(error: InvalidDocument, pointers: Iterable[str]) -> InvalidDocument:
    """The same, without the numbers of rows behind pointers to columns of a stored dataset."""
    return InvalidDocument(
        [
            problem._replace(
                pointer=next((p for p in pointers if problem.pointer.startswith(p + "/")), problem.pointer)
            )
            for problem in error.problems
        ]
    )


def _summarize(run: RunSpec, graph: Graph) -> ModelSummary:
    return ModelSummary(
        parameter_count=graph.parameter_count,
        inputs=graph.inputs,
        outputs=graph.output_shapes,
        terms=term_names(run, graph),
        layers=[
            LayerSummary(node.name, node.layer.type, node.inputs, node.shape, node.parameter_count)
            for node in graph.nodes
        ],
    )


def _check_targets(run: RunSpec, data: RunData, graph: Graph) -> None:
    """That targets have the names of outputs, or that there is one of each."""
    if list(data.targets) == [ONLY_TARGET] and len(graph.outputs) == 1:
        return
    for name in data.targets:
        if name not in graph.outputs:
            outputs = ", ".join(graph.outputs)
            place, named = _targets_of(run)
            pointer = join(place, name) if named else place
            what = received(name) if named else "one array without a name"
            raise InvalidDocument.at(
                pointer,
                f"Expected targets by the names of outputs ({outputs}); received {what}."
                f"{did_you_mean(name, graph.outputs)}",
            )


def _target_pointers(run: RunSpec, graph: Graph) -> dict[str, str]:
    pointer, named = _targets_of(run)
    return {output: join(pointer, output) if named else pointer for output in graph.outputs}


def _targets_of(run: RunSpec) -> tuple[str, bool]:
    """JSON Pointer to the targets, and whether they are by name."""
    if isinstance(run.dataset, Dataset):
        return "/dataset/inline/y", isinstance(run.dataset.inline.y, dict)
    return "/dataset/target", isinstance(run.dataset.target, dict)


def _check_embedded(data: RunData, graph: Graph, run: RunSpec) -> None:
    """That inputs of an embedding are numbers of its vectors; TensorFlow would tell late, or not at all."""
    for node in graph.nodes:
        if not isinstance(node.layer, Embedding) or node.inputs[0] not in data.inputs:
            continue
        name = node.inputs[0]
        array, most = data.inputs[name], node.layer.input_dim - 1
        wrong = np.argwhere((array < 0) | (array >= node.layer.input_dim) | (array != np.floor(array)))
        if wrong.size:
            place = tuple(int(index) for index in wrong[0])
            raise InvalidDocument.at(
                _element_pointer(run, data, name, place),
                f"Expected an integer from 0 to {most}, as {node.name} has {node.layer.input_dim} vectors; "
                f"received {array[place]:g}.",
            )


def _element_pointer(run: RunSpec, data: RunData, name: str, place: tuple[int, ...]) -> str:
    if not isinstance(run.dataset, Dataset):
        return (
            join("/dataset/features", name) if isinstance(run.dataset.features, dict) else "/dataset/features"
        )
    x = run.dataset.inline.x
    if isinstance(x, Mapping):
        # The data of a single input may have another name than the model's.
        sent = name if name in x else next(iter(x))
        return join("/dataset/inline/x", sent, *place[: x[sent].ndim])
    return join("/dataset/inline/x", *place[: x.ndim])


def _check_quantities(run: RunSpec, data: RunData, graph: Graph) -> None:
    around = Surroundings.of_run(graph, data)
    problems = [
        *check_penalties(run.penalties, around),
        *check_constraints(run.constraints, around),
    ]
    problems = problems or check_contradictions(run.constraints, graph)
    if problems:
        raise InvalidDocument(problems)


def _check_fit(run: RunSpec, data: RunData, graph: Graph) -> None:
    fit = run.fit
    columns = history_columns(run, graph)
    for field in ("early_stopping", "reduce_lr_on_plateau"):
        callback = getattr(fit, field)
        if callback is not None and callback.monitor not in columns:
            missing = ""
            if callback.monitor.startswith("val_") and "val_loss" not in columns:
                missing = " There is no validation part in split."
            raise InvalidDocument.at(
                f"/fit/{field}/monitor",
                f"Expected a column of the history ({', '.join(columns)}); received "
                f"{received(callback.monitor)}.{missing or did_you_mean(callback.monitor, columns)}",
            )
    _check_clip(run)
    _check_class_weight(run, data)


def _check_clip(run: RunSpec) -> None:
    if run.fit.gradient_clip is None:
        return
    for name in CLIPS:
        if getattr(run.optimizer, name) is not None:
            raise InvalidDocument.at(
                "/fit/gradient_clip", f"Expected one clip of gradients; received {name} of the optimizer too."
            )


def _check_class_weight(run: RunSpec, data: RunData) -> None:
    if run.fit.class_weight is None:
        return
    if len(data.targets) > 1:
        raise InvalidDocument.at(
            "/fit/class_weight",
            f"Expected a single output, as in Keras; received {len(data.targets)}. "
            "A loss can have a class_weight of its own.",
        )
    (target,) = data.targets.values()
    if target.ndim != 2 or (target.shape[1] == 1 and (target != np.floor(target)).any()):
        raise InvalidDocument.at(
            "/fit/class_weight",
            "Expected targets that name a sample's class, by number or one-hot; received others.",
        )
