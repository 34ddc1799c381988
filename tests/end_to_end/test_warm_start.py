"""Runs that begin where another ended, over HTTP."""

from typing import Any

import numpy as np
import pytest

from tests.support.documents import long_document, tiny_document
from tests.support.limits import TARGETS, best_count_loss, count_document
from tests.support.service import Service

UNKNOWN = "run_" + "0" * 26


@pytest.fixture(scope="module")
def looser(service: Service) -> dict[str, Any]:
    """A run that holds at most three elements above the threshold."""
    return service.run(count_document(3))


def tighter(looser: dict[str, Any], epochs: int) -> dict[str, Any]:
    return {**count_document(2), "start_from": looser["id"], "fit": {"epochs": epochs}}


def test_a_tighter_limit_is_held_at_the_least_loss(service: Service, looser: dict[str, Any]) -> None:
    run = service.run(tighter(looser, 700))
    (verdict,) = run["verdicts"]
    assert (verdict["verdict"], verdict["value"]) == ("held", 2)
    body = {"run_id": run["id"], "instances": [[1.0]]}
    predicted = np.array(service.client.post("/predict", json=body).json()["predictions"])
    assert np.square(predicted - TARGETS).sum() <= 1.02 * best_count_loss(2)


def test_it_begins_with_the_weights_and_the_multipliers(service: Service, looser: dict[str, Any]) -> None:
    run = service.run(tighter(looser, 1))
    before = service.get(f"/runs/{looser['id']}/metrics")["series"]
    after = service.get(f"/runs/{run['id']}/metrics")["series"]
    fresh = service.get(f"/runs/{service.run(count_document(2))['id']}/metrics")["series"]
    assert after["loss"][0] == pytest.approx(before["loss"][-1], abs=0.01)
    assert fresh["loss"][0] > 10 * after["loss"][0]
    assert fresh["elements_above_multiplier"][0] == 0
    assert after["elements_above_multiplier"][0] > 0.5 * before["elements_above_multiplier"][-1] > 0


def test_a_fixed_penalty_keeps_the_weight_that_it_was_given(service: Service, looser: dict[str, Any]) -> None:
    document = tighter(looser, 2)
    document["constraints"] = [{**document["constraints"][0], "method": "penalty", "weight": 0.25}]
    run = service.run(document)
    series = service.get(f"/runs/{run['id']}/metrics")["series"]
    weights = series["elements_above_multiplier"]
    # One for each of the six outputs, of which two needn't hold.
    assert weights == pytest.approx([6 * 0.25] * 2)


@pytest.mark.parametrize("route", ["/runs", "/runs/validate"])
def test_what_it_starts_from_must_have_succeeded(service: Service, route: str) -> None:
    answer = service.client.post(route, json=tiny_document(start_from=UNKNOWN))
    assert answer.status_code == 422
    assert answer.json()["errors"] == [{"pointer": "/start_from", "message": f"There is no run '{UNKNOWN}'."}]
    running = service.submit(long_document())
    answer = service.client.post(route, json=tiny_document(start_from=running["id"]))
    service.client.post(f"/runs/{running['id']}/cancel")
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["message"].startswith("Expected a run that succeeded; ")


def test_another_model_is_refused_with_the_weights_that_differ(
    service: Service, looser: dict[str, Any]
) -> None:
    run = service.run(tiny_document(start_from=looser["id"]))
    assert run["status"] == "failed"
    assert run["error"]["code"] == "model_rejected"
    assert run["error"]["pointer"] == "/start_from"
    assert "2 arrays of weights; it has 1" in run["error"]["message"]


def test_a_run_from_which_another_is_to_start_stays(service: Service) -> None:
    finished = service.run(tiny_document())
    going = service.submit(long_document(start_from=finished["id"]))
    answer = service.client.delete(f"/runs/{finished['id']}")
    assert answer.status_code == 409
    assert going["id"] in answer.json()["detail"]
    service.client.post(f"/runs/{going['id']}/cancel")
    assert service.client.delete(f"/runs/{finished['id']}").status_code == 204
