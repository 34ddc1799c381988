"""The compiled loop against plain Keras, and what must not depend on how it is called."""

from typing import Any

import keras
import numpy as np
import pytest

from app.errors import Diverged, LossNotDifferentiable
from app.spec.parsing import parse_run
from app.training import checkpoint
from app.training.build import build_model
from app.training.fit import fit_run
from app.training.loop import Interrupted
from app.training.preparation import prepare
from tests.support.training import (
    Document,
    Recorder,
    changed,
    fit,
    fit_with_interruptions,
    regression_document,
)

DOCUMENT = regression_document()

CLASSES: Document = changed(
    DOCUMENT,
    dataset={
        "inline": {
            "x": DOCUMENT["dataset"]["inline"]["x"],
            "y": [int(y > 0) for (y,) in DOCUMENT["dataset"]["inline"]["y"]],
            "sample_weight": [1.0 + (i % 3) for i in range(100)],
        }
    },
    model={
        "layers": [
            # no bias: BatchNormalization takes it out again, and only rounding would move it
            {"type": "Dense", "units": 8, "use_bias": False, "kernel_regularizer": {"l2": 0.01}},
            {"type": "BatchNormalization"},
            {"type": "Activation", "activation": "relu", "activity_regularizer": {"l1": 0.001}},
            {"type": "Dense", "units": 1, "activation": "sigmoid", "bias_regularizer": {"l1": 0.01}},
        ]
    },
    loss="binary_crossentropy",
    metrics=["accuracy"],
)

IMAGES: Document = {
    "seed": 2,
    "dataset": {
        "inline": {
            "x": np.random.default_rng(0).normal(size=(40, 6, 6, 1)).round(4).tolist(),
            "y": (np.arange(40) % 2).tolist(),
        }
    },
    "split": {"train": {"rows": [0, 30]}, "validation": {"rows": [30, 40]}},
    "model": {
        "layers": [
            {"type": "Conv2D", "filters": 3, "kernel_size": 3, "activation": "relu"},
            {"type": "GlobalAveragePooling2D"},
            {"type": "Dense", "units": 1, "activation": "sigmoid"},
        ]
    },
    "loss": "binary_crossentropy",
    "metrics": ["accuracy"],
    "fit": {"epochs": 5, "batch_size": 8, "shuffle": False},
}

MASKED: Document = {
    "seed": 3,
    "dataset": {
        "inline": {
            "x": np.random.default_rng(0).integers(0, 4, (40, 5)).tolist(),
            "y": np.random.default_rng(1).normal(size=(40, 5, 1)).round(2).tolist(),
        }
    },
    "split": {"train": {"rows": [0, 30]}, "validation": {"rows": [30, 40]}},
    "model": {
        "layers": [
            {"type": "Embedding", "input_dim": 4, "output_dim": 3, "mask_zero": True},
            {"type": "SimpleRNN", "units": 4, "return_sequences": True},
            {"type": "Dense", "units": 1},
        ]
    },
    "loss": "mean_squared_error",
    "metrics": ["mean_absolute_error"],
    "fit": {"epochs": 5, "batch_size": 8, "shuffle": False},
}
"""Padded sequences: the mask reaches the layers, the loss and the metric."""

NOISY: Document = changed(
    DOCUMENT,
    model={
        "layers": [
            {"type": "Dense", "units": 16, "activation": "relu"},
            {"type": "Dropout", "rate": 0.3},
            {"type": "GaussianNoise", "stddev": 0.1},
            {"type": "Dense", "units": 1},
        ]
    },
    fit={"shuffle": True, "epochs": 400, "early_stopping": {"patience": 300, "restore_best_weights": True}},
)
"""Every source of randomness at once, and every state that a checkpoint has to hold."""


def weights_of(model: keras.Model) -> list[np.ndarray]:
    return [variable.numpy() for variable in model.variables]


def keras_fit(document: Document, **options: Any) -> tuple[keras.Model, dict[str, list[float]]]:
    """What `model.fit` makes of the same document."""
    run = prepare(parse_run(document))
    model = build_model(run.graph, document["seed"])
    model.compile("adam", document["loss"], metrics=document["metrics"])
    train, held = run.splits["train"], run.splits["validation"]
    history = model.fit(
        *train.inputs.values(),
        *train.targets.values(),
        sample_weight=train.sample_weight,
        validation_data=(*held.inputs.values(), *held.targets.values()),
        epochs=document["fit"]["epochs"],
        batch_size=document["fit"]["batch_size"],
        shuffle=False,
        verbose=0,
        **options,
    )
    return model, history.history


@pytest.mark.parametrize(
    "document", [DOCUMENT, CLASSES, IMAGES, MASKED], ids=["regression", "classes", "images", "masked"]
)
def test_trains_as_keras_does(document: Document) -> None:
    fitted, recorder = fit(document)
    model, history = keras_fit(document)
    for ours, theirs in zip(weights_of(fitted.model), weights_of(model), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-5)
    for column in ("loss", *recorder.columns[-1:]):
        np.testing.assert_allclose(recorder.series(column), history[column], rtol=1e-4, atol=1e-6)


def test_parts_add_up_to_the_loss() -> None:
    _, recorder = fit(CLASSES)
    parts = ["binary_crossentropy", "dense_kernel_l2", "dense_1_bias_l1", "activation_activity_l1"]
    total = sum(recorder.series(part) for part in parts)
    np.testing.assert_allclose(recorder.series("loss"), total, rtol=1e-5)
    assert all((recorder.series(part) > 0).all() for part in parts)


def test_stops_in_the_epoch_in_which_keras_stops() -> None:
    options = {"monitor": "val_loss", "patience": 3, "min_delta": 0.001, "restore_best_weights": True}
    document = changed(DOCUMENT, fit={"epochs": 300, "early_stopping": options})
    fitted, recorder = fit(document)
    callback = keras.callbacks.EarlyStopping(**options)
    model, history = keras_fit(document, callbacks=[callback])
    assert recorder.epochs[-1] == len(history["loss"]) < 300
    assert fitted.epoch == callback.best_epoch + 1 < recorder.epochs[-1]
    for ours, theirs in zip(weights_of(fitted.model), weights_of(model), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-3, atol=1e-5)


def test_lowers_the_learning_rate_when_keras_does() -> None:
    options = {
        "monitor": "loss",
        "patience": 2,
        "min_delta": 0.01,
        "factor": 0.3,
        "cooldown": 1,
        "min_lr": 1e-5,
    }
    document = changed(DOCUMENT, fit={"epochs": 40, "reduce_lr_on_plateau": options})
    fitted, _ = fit(document)
    model, history = keras_fit(document, callbacks=[keras.callbacks.ReduceLROnPlateau(**options)])
    assert len(set(history["learning_rate"])) > 2
    for ours, theirs in zip(weights_of(fitted.model), weights_of(model), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-3, atol=1e-5)


def test_same_seed_same_weights_to_the_bit() -> None:
    one, one_history = fit(NOISY)
    same, same_history = fit(NOISY)
    other, _ = fit(changed(NOISY, seed=6))
    assert all(
        np.array_equal(a, b) for a, b in zip(weights_of(one.model), weights_of(same.model), strict=True)
    )
    assert np.array_equal(one_history.values, same_history.values)
    assert not np.array_equal(weights_of(one.model)[0], weights_of(other.model)[0])


@pytest.mark.parametrize(("reports_each", "epochs"), [(1, 40), (3, 400)])
def test_a_resumed_run_ends_as_one_never_interrupted(reports_each: int, epochs: int) -> None:
    document = changed(NOISY, fit={"epochs": epochs})
    whole, history = fit(document)
    resumed, resumed_history = fit_with_interruptions(document, reports_each)
    assert resumed.epoch == whole.epoch
    assert resumed_history.epochs == history.epochs
    assert np.array_equal(resumed_history.values, history.values)
    pairs = zip(weights_of(resumed.model), weights_of(whole.model), strict=True)
    assert all(np.array_equal(a, b) for a, b in pairs)
    assert resumed.statistics == whole.statistics


def test_every_epoch_is_reported_once() -> None:
    _, recorder = fit(changed(DOCUMENT, fit={"epochs": 5000}))
    assert len(recorder.blocks) > 3
    assert recorder.epochs == list(range(1, 5001))
    bounds = [(block.first_epoch, block.last_epoch) for block in recorder.blocks]
    assert [first for first, _ in bounds] == [1, *(last + 1 for _, last in bounds[:-1])]


def test_record_every_keeps_every_so_many_epochs_and_the_last() -> None:
    _, all_of_them = fit(changed(DOCUMENT, fit={"epochs": 32}))
    _, some = fit(changed(DOCUMENT, fit={"epochs": 32, "record_every": 10}))
    assert some.epochs == [10, 20, 30, 32]
    assert np.array_equal(some.values, all_of_them.values[[9, 19, 29, 31]])


def test_a_loss_that_is_not_finite_ends_the_run_with_its_epoch() -> None:
    document = changed(DOCUMENT, optimizer={"type": "SGD", "learning_rate": 1e20}, fit={"epochs": 50})
    with pytest.raises(Diverged, match=r"epoch \d+ is not a finite number"):
        fit(document)


def test_a_bare_count_is_refused_before_the_first_step() -> None:
    document = changed(DOCUMENT, loss={"type": "expression", "expression": "mean(y_pred > 0.5)"})
    with pytest.raises(LossNotDifferentiable) as raised:
        fit(document)
    assert raised.value.pointer == "/loss"


def test_runs_that_differ_in_strengths_seeds_and_epochs_share_one_compilation() -> None:
    weaker = changed(CLASSES, seed=9, fit={"epochs": 7})
    weaker["model"]["layers"][0]["kernel_regularizer"] = {"l2": 0.5}
    one, other = prepare(parse_run(CLASSES)), prepare(parse_run(weaker))
    assert one.program is other.program
    assert one.objective.strengths != other.objective.strengths
    fit(CLASSES)
    fit(weaker)
    assert one.program.run.experimental_get_tracing_count() == 1


def test_a_time_limit_ends_the_run_with_what_was_reached() -> None:
    document = changed(DOCUMENT, fit={"epochs": 10_000_000, "time_limit_seconds": 0.5})
    fitted, recorder = fit(document)
    assert 0 < fitted.epoch == recorder.epochs[-1] < 10_000_000

    # One that dies after that, before its model is stored, has no more time left.
    epoch, state = recorder.checkpoints[-1]
    again = Recorder()
    assert fit_run(parse_run(document), again, state).epoch == epoch == fitted.epoch
    assert again.blocks == []


def test_time_before_an_interruption_counts() -> None:
    document = changed(DOCUMENT, fit={"epochs": 10_000_000, "time_limit_seconds": 3600})
    part = Recorder(stop_after=2)
    with pytest.raises(Interrupted):
        fit_run(parse_run(document), part)
    run = prepare(parse_run(document))
    state, seconds = checkpoint.from_bytes(part.checkpoints[-1][1], like=run.state)
    assert 0 < seconds < 3600

    late = Recorder()
    fit_run(parse_run(document), late, checkpoint.to_bytes(state, seconds=3600 - 1e-6))
    assert len(late.blocks) == 1


@pytest.mark.parametrize(("document", "compiled"), [(DOCUMENT, True), (IMAGES, False)])
def test_convolutions_are_not_compiled_by_xla(document: Document, compiled: bool) -> None:
    assert prepare(parse_run(document)).program.plan.jit_compile is compiled
