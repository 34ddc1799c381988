"""Declared limits over HTTP: what is answered, and that verdicts are what anybody can count again."""

from typing import Any

import numpy as np
import pytest

from tests.support.limits import TARGETS, best_count_loss, count_document, free_outputs, linear
from tests.support.service import Service


def predictions_of(service: Service, run_id: str, instances: list[Any]) -> dict[str, Any]:
    answer = service.client.post("/predict", json={"run_id": run_id, "instances": instances})
    assert answer.status_code == 200, answer.text
    predicted: dict[str, Any] = answer.json()
    return predicted


@pytest.mark.parametrize("k", [2, 3])
def test_a_count_limit(service: Service, k: int) -> None:
    run = service.run(count_document(k))
    (verdict,) = run["verdicts"]
    assert (verdict["verdict"], verdict["value"], verdict["satisfied"]) == ("held", k, True)
    assert verdict["method"] == "augmented_lagrangian"
    predicted = np.array(predictions_of(service, run["id"], [[1.0]])["predictions"])
    assert (predicted > 0.5).sum() == k
    assert np.square(predicted - TARGETS).sum() <= 1.02 * best_count_loss(k)


def test_two_inequalities(service: Service) -> None:
    limits = [linear([1, 1], at_least=1.0), linear([1, 0], at_most=0.25)]
    run = service.run(free_outputs([0, 0], "sum(square(y_pred))", limits))
    predicted = predictions_of(service, run["id"], [[1.0]])["predictions"]
    np.testing.assert_allclose(predicted, [[0.25, 0.75]], atol=1e-3)
    multipliers = [verdict["multiplier"] for verdict in run["verdicts"]]
    np.testing.assert_allclose(multipliers, [1.5, 1.0], atol=1e-2)
    assert [verdict["name"] for verdict in run["verdicts"]] == ["linear", "linear_1"]
    history = service.client.get(f"/runs/{run['id']}/metrics").json()["series"]
    assert history["linear_multiplier"][-1] == pytest.approx(multipliers[0])
    assert history["linear_1_violation"][-1] < 1e-3


def test_verdicts_on_each_split_agree_with_a_count_of_the_served_predictions(service: Service) -> None:
    random = np.random.default_rng(0)
    x = random.normal(size=(120, 5)).round(3)
    y = (x @ random.normal(size=(5, 4)) + 0.5 > 0).astype(int)
    parts = {"train": (0, 60), "validation": (60, 90), "test": (90, 120)}
    document = {
        "dataset": {"inline": {"x": x.tolist(), "y": y.tolist()}},
        "split": {name: {"rows": list(rows)} for name, rows in parts.items()},
        "model": {"layers": [{"type": "Dense", "units": 4, "activation": "sigmoid"}]},
        "loss": "binary_crossentropy",
        "constraints": [
            {"quantity": {"type": "elements_above"}, "at_most": 2, "over": "every_sample"},
            {"quantity": {"type": "recall"}, "at_least": 0.5},
            {"quantity": {"type": "positive_rate"}, "at_most": 0.01},
        ],
        "optimizer": {"type": "Adam", "learning_rate": 0.01},
        "fit": {"epochs": 200},
    }
    run = service.run(document)
    splits = service.client.get(f"/runs/{run['id']}/statistics").json()["splits"]
    for name, (first, last) in parts.items():
        predicted = np.array(predictions_of(service, run["id"], x[first:last].tolist())["predictions"])
        above, true = predicted > 0.5, y[first:last] > 0
        count, recall, rate = splits[name]["constraints"]
        assert count["value"] == above.sum(axis=1).max()
        assert count["satisfied"] == (above.sum(axis=1) <= 2).all()
        assert count["share_of_samples_satisfied"] == pytest.approx((above.sum(axis=1) <= 2).mean())
        assert recall["value"] == pytest.approx((above & true).sum() / true.sum())
        assert recall["satisfied"] == ((above & true).sum() >= 0.5 * true.sum())
        assert rate["value"] == pytest.approx(above.mean())
        assert rate["satisfied"] == (above.mean() <= 0.01)
    verdicts = run["verdicts"]
    # Recall of a half and almost no positives can't go together.
    assert not (verdicts[1]["satisfied"] and verdicts[2]["satisfied"])
    assert any(v["verdict"] in ("infeasible", "broken") and v["diagnosis"] for v in verdicts)


def test_a_guarantee_holds_for_rows_never_seen(service: Service) -> None:
    document = count_document(2, guarantee=True)
    document["fit"] = {"epochs": 50}
    run = service.run(document)
    answer = predictions_of(service, run["id"], [[value] for value in np.linspace(-9, 9, 50)])
    assert (np.array(answer["predictions"]) > 0.5).sum(axis=1).max() <= 2
    (guarantee,) = answer["guarantees"]
    assert guarantee["at_most"] == 2
    assert guarantee["quantity"]["type"] == "elements_above"


def test_a_limit_that_cannot_hold_is_refused(service: Service) -> None:
    document = count_document(2)
    document["constraints"][0]["at_most"] = -1
    assert service.client.post("/runs", json=document).status_code == 422
