"""Whether a loss fits the model's outputs and the targets, told before anything is trained."""

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.errors import InvalidDocument
from app.spec.expressions import ExpressionError, shape_of
from app.spec.expressions import Shape as ArrayShape
from app.spec.losses.forms import LossSpec
from app.spec.losses.keras import CategoricalFocalCrossentropy, SparseCategoricalCrossentropy
from app.spec.losses.own import Expression
from app.spec.losses.parts import Part, loss_parts
from app.spec.pointers import join, received

Shape = tuple[int | None, ...]
"""The shape of one sample."""

Array = NDArray[Any]

PROBABILITIES = {
    "binary_crossentropy",
    "binary_focal_crossentropy",
    "categorical_crossentropy",
    "categorical_focal_crossentropy",
    "dice",
    "kl_divergence",
    "tversky",
    "weighted_binary_crossentropy",
}
"""Losses whose targets are in [0, 1]."""

NOT_NEGATIVE = {"mean_squared_logarithmic_error", "poisson"}
"""Losses whose targets aren't negative."""

SIGNS = {"categorical_hinge", "hinge", "squared_hinge"}
"""Losses whose targets are -1 and 1, or 0 and 1."""

OVER_CLASSES = {
    "categorical_crossentropy",
    "categorical_focal_crossentropy",
    "categorical_hinge",
    "sparse_categorical_crossentropy",
}
"""Losses that compare the classes of an axis with each other."""

BOXES = {"diou", "giou", "iou"}
"""Losses of boxes `[x1, y1, x2, y2]`."""


def check_loss(
    loss: LossSpec,
    output_shapes: Mapping[str, Shape],
    target_arrays: Mapping[str, Array],
    pointer: str = "/loss",
    target_pointers: Mapping[str, str] | None = None,
) -> None:
    """Checks a loss against the model's outputs and the targets.

    Args:
        loss: the `loss` field of the document.
        output_shapes: by output name, the shape of one sample.
        target_arrays: by output name, `(samples, …)`.
        pointer: JSON Pointer to `loss`.
        target_pointers: JSON Pointer to the targets of each output; by default `/dataset/inline/y`, and
            with several outputs the output's name in it.

    Raises:
        InvalidDocument: the loss is of another output, or of other shapes or numbers than these.
    """
    if isinstance(loss, dict):
        _check_outputs(loss, output_shapes, pointer)
    several = len(output_shapes) > 1
    for part in loss_parts(loss, list(output_shapes), pointer):
        where = "/dataset/inline/y"
        if target_pointers is not None:
            where = target_pointers[part.output]
        elif several:
            where = join(where, part.output)
        if part.output not in target_arrays:
            raise InvalidDocument.at(
                where, f"Expected targets for the loss of the output {part.output}; received none."
            )
        _check_part(part, output_shapes[part.output], target_arrays[part.output], where)


def _check_outputs(loss: Mapping[str, object], output_shapes: Mapping[str, Shape], pointer: str) -> None:
    for output in loss:
        if output not in output_shapes:
            near = get_close_matches(output, output_shapes, n=1)
            hint = f' Did you mean "{near[0]}"?' if near else ""
            raise InvalidDocument.at(
                join(pointer, output),
                f'Expected the name of an output ({", ".join(output_shapes)}), or a "type"; '
                f"received {received(output)}.{hint}",
            )


def _check_part(part: Part, shape: Shape, target: Array, where: str) -> None:
    if isinstance(part.loss, Expression):
        _check_expression(part, part.loss, shape, target.shape[1:])
    elif isinstance(part.loss, SparseCategoricalCrossentropy):
        _check_axis(part, len(shape) + 1)
        _check_classes(part, shape)
        _check_labels(part, part.loss, shape, target, where)
    else:
        _check_axis(part, len(shape) + 1)
        _check_classes(part, shape)
        _check_same_shape(part, shape, target.shape[1:], where)
        _check_numbers(part, target, where)
    if part.loss.class_weight:
        _check_class_weight(part, target)


def _check_expression(part: Part, loss: Expression, shape: Shape, target_shape: Shape) -> None:
    rank = len(shape)
    trimmed = list(target_shape)
    while len(trimmed) > rank and trimmed[-1] == 1:
        trimmed.pop()
    if len(trimmed) > rank:
        raise InvalidDocument.at(
            join(part.pointer, "expression"),
            f"Expected targets with at most the {rank} axes of {_of(part, shape)}; "
            f"received {_show(target_shape)}.",
        )
    ones = (1,) * rank
    shapes: dict[str, ArrayShape] = {
        "y_true": (None, *trimmed, *ones[len(trimmed) :]),
        "y_pred": (None, *shape),
        "sample_weight": (None, *ones),
    }
    try:
        shape_of(loss.node, shapes)
    except ExpressionError as error:
        raise InvalidDocument.at(join(part.pointer, "expression"), f"{error}.") from error


def _check_axis(part: Part, rank: int) -> None:
    """That the axes a loss sums over are there, and that samples keep apart where it needs that."""
    axis = getattr(part.loss, "axis", -1)
    whole_batch = part.loss.type in ("dice", "tversky")
    for position, place in enumerate(axis if isinstance(axis, list) else [axis]):
        least = 0 if whole_batch else 1
        if place is None or (-rank <= place < rank and place % rank >= least):
            continue
        field = join(part.pointer, "axis", *([position] if isinstance(axis, list) else []))
        raise InvalidDocument.at(
            field,
            f"Expected an axis from {least} to {rank - 1}, or from {least - rank} to -1; received {place}.",
        )


def _check_classes(part: Part, shape: Shape) -> None:
    loss = part.loss
    if loss.type not in OVER_CLASSES:
        return
    classes = _classes(part, shape)
    if classes == 1:
        raise InvalidDocument.at(
            part.pointer,
            f"Expected an output of at least 2 classes for {loss.type}; received 1 from {_of(part, shape)}. "
            "binary_crossentropy takes a single probability.",
        )
    alpha = loss.alpha if isinstance(loss, CategoricalFocalCrossentropy) else None
    if isinstance(alpha, list) and len(alpha) != classes:
        raise InvalidDocument.at(
            join(part.pointer, "alpha"),
            f"Expected a number, or one for each of {classes} classes; received {len(alpha)}.",
        )


def _classes(part: Part, shape: Shape) -> int | None:
    return (0, *shape)[getattr(part.loss, "axis", -1)]


def _check_same_shape(part: Part, shape: Shape, target_shape: Shape, where: str) -> None:
    trimmed = _without_ones(shape, target_shape)
    if not _agree(shape, trimmed):
        hint = ""
        if part.loss.type in OVER_CLASSES and _agree((*shape[:-1], 1), (*target_shape, 1)[: len(shape)]):
            hint = " sparse_categorical_crossentropy takes integers for classes."
        raise InvalidDocument.at(
            where,
            f"Expected {part.loss.type} to have targets of shape {_show(shape)}, as {part.output} has; "
            f"received {_show(target_shape)}.{hint}",
        )
    if part.loss.type in BOXES and shape[-1] != 4:
        raise InvalidDocument.at(
            part.pointer,
            f"Expected boxes, 4 numbers each, for {part.loss.type}; received {_of(part, shape)}.",
        )


def _without_ones(shape: Shape, target_shape: Shape) -> Shape:
    """Targets may lack a last axis of length 1, or have one that the output lacks."""
    if len(target_shape) == len(shape) - 1 and shape[-1] == 1:
        return (*target_shape, 1)
    if len(target_shape) == len(shape) + 1 and target_shape[-1] == 1:
        return target_shape[:-1]
    return target_shape


def _agree(shape: Shape, target_shape: Shape) -> bool:
    return len(shape) == len(target_shape) and all(
        length in (None, actual) for length, actual in zip(shape, target_shape, strict=True)
    )


def _check_labels(
    part: Part, loss: SparseCategoricalCrossentropy, shape: Shape, target: Array, where: str
) -> None:
    place = loss.axis % (len(shape) + 1) - 1
    expected = (*shape[:place], *shape[place + 1 :])
    shapes = (expected, (*shape[:place], 1, *shape[place + 1 :]))
    if not any(_agree(one, target.shape[1:]) for one in shapes):
        hint = " categorical_crossentropy takes one-hot targets." if _agree(shape, target.shape[1:]) else ""
        raise InvalidDocument.at(
            where,
            f"Expected {loss.type} to have a class for each of the elements {_show(expected)} of a sample; "
            f"received targets of shape {_show(target.shape[1:])}.{hint}",
        )
    classes = _classes(part, shape)
    wrong = (target != np.floor(target)) | (target < 0)
    if classes is not None:
        wrong |= target >= classes
    if loss.ignore_class is not None:
        wrong &= target != loss.ignore_class
    last = "" if classes is None else f" to {classes - 1}"
    _refuse(wrong, target, where, f"classes as integers from 0{last} for {loss.type}")


def _check_numbers(part: Part, target: Array, where: str) -> None:
    kind = part.loss.type
    if kind in PROBABILITIES:
        _refuse((target < 0) | (target > 1), target, where, f"targets in [0, 1] for {kind}")
    elif kind in NOT_NEGATIVE:
        _refuse(target < 0, target, where, f"targets >= 0 for {kind}")
    elif kind in SIGNS:
        low = -1 if (target < 0).any() else 0
        _refuse((target != low) & (target != 1), target, where, f"targets that are {low} or 1 for {kind}")
    elif kind in BOXES:
        backwards = target[..., :2] > target[..., 2:]
        rows = np.flatnonzero(backwards.reshape(len(target), -1).any(axis=1))
        if len(rows):
            raise InvalidDocument.at(
                join(where, int(rows[0])),
                f"Expected boxes [x1, y1, x2, y2] with x1 <= x2 and y1 <= y2 for {kind}; "
                f"received {target[rows[0]].tolist()}.",
            )


def _refuse(wrong: Array, target: Array, where: str, expected: str) -> None:
    """Raises for the first sample with a wrong target, if there is one."""
    if wrong.any():
        first = tuple(np.argwhere(wrong)[0])
        raise InvalidDocument.at(
            join(where, int(first[0])), f"Expected {expected}; received {target[first]:g}."
        )


def _check_class_weight(part: Part, target: Array) -> None:
    """That the targets name a class for each sample: an integer, or one-hot."""
    sparse = isinstance(part.loss, SparseCategoricalCrossentropy)
    one_hot = target.ndim == 2 and target.shape[1] > 1 and not sparse
    single = target[:1].size == 1 and bool((target == np.floor(target)).all())
    if not (one_hot or single):
        raise InvalidDocument.at(
            join(part.pointer, "class_weight"),
            "Expected class weights with targets that name a sample's class, by an integer or one-hot; "
            f"received targets of shape {_show(target.shape[1:])}.",
        )


def _of(part: Part, shape: Shape) -> str:
    return f"the output {part.output} of shape {_show(shape)}"


def _show(shape: Shape) -> str:
    return "[" + ", ".join("null" if length is None else str(length) for length in shape) + "]"
