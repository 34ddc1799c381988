"""Projections of predictions: a million random rows are feasible, and each is the nearest point that is."""

from typing import Any

import keras
import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.optimize import minimize

from app.spec.constraints import Constraint
from app.spec.parsing import parse
from app.statistics import elements_above
from app.training.constraints.guarantee import guaranteed_model
from app.training.constraints.limit import Limit
from app.training.export import export
from app.training.quantities import sample_values
from app.training.terms import Batch
from tests.support.training import fit

ROWS, ELEMENTS = 1_000_000, 4

LIMITS: dict[str, dict[str, Any]] = {
    "count": {"quantity": {"type": "elements_above", "threshold": 0.1}, "at_most": 2},
    "count, a threshold each": {
        "quantity": {"type": "elements_above", "threshold": [0.1, -0.7, 0.3, 1.1]},
        "at_most": 1,
    },
    "count of none": {"quantity": {"type": "elements_above", "threshold": 0.1}, "at_most": 0},
    "bounds": {"quantity": {"type": "bounds", "lower": -0.1, "upper": [0.1, 0.3, 0.7, 1e-8]}, "at_most": 0},
    "excess": {"quantity": {"type": "excess_above", "threshold": 0.3}, "at_most": 0},
    "shortfall": {"quantity": {"type": "shortfall_below", "threshold": 0.3}, "at_most": 0},
    "budget": {"quantity": {"type": "linear", "coefficients": [1, 2, 0.3, -1]}, "at_most": 0.7},
    "least": {"quantity": {"type": "linear", "coefficients": [1, 2, 0.3, -1]}, "at_least": 0.7},
    "equality": {"quantity": {"type": "linear", "coefficients": [1, 2, 0.3, -1]}, "equals": 0.7},
    "sum": {"quantity": {"type": "sum_to", "value": 1.0}, "at_most": 0},
}
ROUNDING = {"sum": 2e-6}
"""A sum of float32 numbers can't be a given number to the last digit."""


def projection_of(document: dict[str, Any]) -> tuple[Constraint, keras.Model]:
    """A model that is nothing but the projection."""
    constraint = parse(Constraint, {**document, "guarantee": True})
    entry = keras.Input(shape=(ELEMENTS,), name="x")
    model = keras.Model(entry, keras.layers.Identity(name="y")(entry))
    limit = Limit(constraint, "limit", "y", "augmented_lagrangian", (), ())
    return constraint, guaranteed_model(model, [limit])


def values_of(constraint: Constraint, y: NDArray[Any]) -> NDArray[np.float64]:
    batch = Batch({}, {"y": keras.ops.convert_to_tensor(y.astype(np.float64))}, {}, {}, None, {}, None)
    values: NDArray[np.float64] = sample_values(constraint.quantity, "y", batch).numpy()
    return values


@pytest.mark.parametrize("name", LIMITS)
def test_a_million_predictions_hold_the_limit(name: str) -> None:
    constraint, model = projection_of(LIMITS[name])
    x = np.random.default_rng(0).normal(size=(ROWS, ELEMENTS)).astype(np.float32)
    x[::7] = x[::7].round(1)  # on the threshold, and ties
    projected = model(x)["y"].numpy()
    values = values_of(constraint, projected)
    low, high = constraint.allowed
    assert ((values >= low) & (values <= high + ROUNDING.get(name, 0))).all()
    held = (values_of(constraint, x) >= low) & (values_of(constraint, x) <= high - 1e-4)
    if constraint.at_most is not None:
        np.testing.assert_allclose(projected[held], x[held], rtol=3e-7)


@pytest.mark.parametrize("name", ["budget", "least", "equality", "sum", "bounds"])
def test_no_feasible_point_is_nearer(name: str) -> None:
    constraint, model = projection_of(LIMITS[name])
    x = np.random.default_rng(1).normal(size=(10, ELEMENTS)).astype(np.float32)
    projected = model(x)["y"].numpy()
    quantity = constraint.quantity
    coefficients = np.array(getattr(quantity, "coefficients", [1.0] * ELEMENTS))
    for row, found in zip(x.astype(np.float64), projected, strict=True):
        bounds, conditions = None, []
        if name == "bounds":
            bounds = list(zip([-0.1] * ELEMENTS, [0.1, 0.3, 0.7, 1e-8], strict=True))
        else:
            limit = 1.0 if name == "sum" else 0.7
            sign = -1.0 if constraint.at_most is not None else 1.0
            kind = "eq" if name in ("sum", "equality") else "ineq"
            conditions = [
                {"type": kind, "fun": lambda y, limit=limit, sign=sign: sign * (coefficients @ y - limit)}
            ]
        exact = minimize(
            lambda y, row=row: np.square(y - row).sum(),
            np.zeros(ELEMENTS),
            bounds=bounds,
            constraints=conditions,
            options={"ftol": 1e-12},
        ).x
        np.testing.assert_allclose(found, exact, atol=1e-4)


def test_a_count_keeps_the_largest_and_clips_the_rest() -> None:
    _, model = projection_of(LIMITS["count"])
    x = np.array([[0.9, 0.05, 0.5, 0.3], [0.2, 0.2, 0.2, -1.0]], np.float32)
    projected = model(x)["y"].numpy()
    np.testing.assert_allclose(projected, [[0.9, 0.05, 0.5, 0.1], [0.2, 0.2, 0.1, -1.0]], rtol=1e-6)
    assert elements_above(projected, 0.1)["per_sample"]["max"] == 2


@pytest.mark.parametrize("name", ["count", "budget"])
def test_exported_files_project_too(name: str, tmp_path: Any) -> None:
    _, model = projection_of(LIMITS[name])
    rows = np.random.default_rng(2).normal(size=(64, ELEMENTS)).astype(np.float32)
    report = export(model, {"x": rows}, tmp_path)
    assert report.onnx, report.reason
    assert (tmp_path / "model.onnx").exists()


def test_an_equation_of_every_sample_is_trained_as_a_projection() -> None:
    random = np.random.default_rng(3)
    x = random.normal(size=(128, 3))
    y = np.tanh(x @ random.normal(size=(3, 2)))
    y = np.hstack([y, 1 - y.sum(axis=1, keepdims=True)]) + random.normal(scale=0.1, size=(128, 3))
    equation = {"quantity": {"type": "linear", "coefficients": [1, 1, 1]}, "equals": 1}
    document = {
        "dataset": {"inline": {"x": x.tolist(), "y": y.tolist()}},
        "model": {
            "layers": [{"type": "Dense", "units": 8, "activation": "tanh"}, {"type": "Dense", "units": 3}]
        },
        "loss": "mean_squared_error",
        "constraints": [{**equation, "over": "every_sample"}],
        "optimizer": {"type": "Adam", "learning_rate": 0.01},
        "fit": {"epochs": 100, "batch_size": 32},
    }

    run, _ = fit(document)

    assert run.verdicts[0]["method"] == "projection"
    assert run.verdicts[0]["guarantee"]
    np.testing.assert_allclose(run.predictions["train"]["dense_1"].sum(axis=1), 1, atol=1e-6)
    free, _ = fit({**document, "constraints": []})
    after = free.predictions["train"]["dense_1"]
    after = after + (1 - after.sum(axis=1, keepdims=True)) / 3
    projected_in_the_end = np.square(after - y).mean()
    assert np.square(run.predictions["train"]["dense_1"] - y).mean() <= 1.01 * projected_in_the_end
