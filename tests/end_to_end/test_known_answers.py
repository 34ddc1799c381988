"""Cases whose answer is known from elsewhere, through the public interface."""

import json
from typing import Any

import keras
import numpy as np
import pytest

from tests.support.examples import train
from tests.support.service import Service

Y_TRUE, Y_PRED = [1.0, 2.0, 0.5, 1.5, 3.0], [0.8, 2.5, 0.2, 1.2, 3.5]


def excess(norm: str, weight: float = 1.0) -> dict[str, Any]:
    return {"type": "excess_above", "threshold": 1, "norm": norm, "weight": weight, "reduction": "sum"}


@pytest.mark.parametrize(
    ("penalty", "value", "total"),
    [(excess("l2"), 8.54, 8.684), (excess("l1"), 4.2, 4.344), (excess("l1", weight=0.5), 2.1, 2.244)],
)
def test_threshold_losses_on_fixed_numbers(
    service: Service, penalty: dict[str, Any], value: float, total: float
) -> None:
    """(ŷ − 1)₊ is 0, 1.5, 0, .2, 2.5, and the mean squared error .144."""
    document = {
        "loss": "mean_squared_error",
        "penalties": [penalty],
        "y_true": [[number] for number in Y_TRUE],
        "y_pred": [[number] for number in Y_PRED],
    }

    answer = service.client.post("/losses/evaluate", json=document)

    assert answer.status_code == 200, answer.text
    assert answer.json()["terms"] == pytest.approx({"mean_squared_error": 0.144, "excess_above": value})
    assert answer.json()["value"] == pytest.approx(total)


def hard_layer(layer: dict[str, Any]) -> dict[str, Any]:
    """A model that hands its input to a layer: a unit matrix that isn't moved, and the layer."""
    identity = {
        "type": "Dense",
        "units": 3,
        "use_bias": False,
        "kernel_initializer": "identity",
    }
    return {
        "dataset": {"inline": {"x": [[-2.0, 0.0, 0.5]], "y": [[1.0, 1.0, 0.0]]}},
        "model": {"layers": [identity, layer]},
        "loss": "mean_squared_error",
        "optimizer": {"type": "SGD", "learning_rate": 0.0},
    }


@pytest.mark.parametrize(
    ("layer", "expected"),
    [
        ({"type": "Simplex"}, [0.0, 0.25, 0.75]),
        ({"type": "TopK", "k": 1, "threshold": -1.0}, [-2.0, -1.0, 0.5]),
    ],
    ids=lambda value: value["type"] if isinstance(value, dict) else "",
)
def test_hard_layers(service: Service, layer: dict[str, Any], expected: list[float]) -> None:
    trained = train(service, hard_layer(layer))

    np.testing.assert_allclose(trained.predict(trained.x), [expected], atol=1e-6)


def test_what_keras_prints_trains_unchanged(service: Service) -> None:
    image, numbers = keras.Input((8, 8, 1), name="image"), keras.Input((4,), name="numbers")
    seen = keras.layers.Conv2D(4, 3, activation="relu", name="look")(image)
    seen = keras.layers.GlobalAveragePooling2D()(seen)
    known = keras.layers.Dense(8, activation="tanh", kernel_regularizer=keras.regularizers.L2(1e-4))(numbers)
    both = keras.layers.Concatenate()([seen, keras.layers.BatchNormalization()(known)])
    kind = keras.layers.Dense(3, activation="softmax", name="kind")(both)
    amount = keras.layers.Dense(1, name="amount")(keras.layers.Dropout(0.1)(both))
    printed = json.loads(keras.Model([image, numbers], [kind, amount]).to_json())
    random = np.random.default_rng(0)
    kinds = random.integers(3, size=60)
    x = {
        "image": np.round(random.random((60, 8, 8, 1)) + kinds[:, None, None, None], 3).tolist(),
        "numbers": np.round(random.normal(size=(60, 4)), 3).tolist(),
    }
    y = {"kind": kinds[:, None].tolist(), "amount": np.sum(x["numbers"], axis=1, keepdims=True).tolist()}

    trained = train(
        service,
        {
            "dataset": {"inline": {"x": x, "y": y}},
            "model": {"keras": printed},
            "loss": {"kind": "sparse_categorical_crossentropy", "amount": "mean_squared_error"},
            "optimizer": {"type": "Adam", "learning_rate": 0.02},
            "fit": {"epochs": 40, "batch_size": 30},
        },
    )

    assert trained.run["spec"]["model"]["keras"] == printed
    loss = trained.series()["loss"]
    assert loss[-1] < 0.3 * loss[0]
    answer = service.client.post("/predict", json={"run_id": trained.run["id"], "instances": x}).json()
    assert np.shape(answer["predictions"]["kind"]) == (60, 3)
    assert np.shape(answer["predictions"]["amount"]) == (60, 1)
