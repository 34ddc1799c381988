"""TensorFlow Serving's REST form, as its clients use it."""

from typing import Any

import pytest

from tests.support.documents import tiny_document, two_inputs_document
from tests.support.service import Service

ROWS = [[0.1, -0.4], [0.9, 0.2]]
LEFT, RIGHT = [[1, 2], [3, 4]], [[0.5], [-0.5]]


@pytest.fixture(scope="module", autouse=True)
def models(service: Service) -> None:
    for name, document in (("serving_one", tiny_document()), ("serving_two", two_inputs_document())):
        run = service.run(document)
        service.client.put(f"/models/{name}", json={"run_id": run["id"]}).raise_for_status()


def predict(service: Service, name: str, body: dict[str, Any]) -> dict[str, Any]:
    answer = service.client.post(f"/v1/models/{name}:predict", json=body)
    assert answer.status_code == 200, answer.text
    content: dict[str, Any] = answer.json()
    return content


def test_rows_and_columns_of_one_input(service: Service) -> None:
    body = {"model": "serving_one", "instances": ROWS}
    expected = service.client.post("/predict", json=body).json()["predictions"]
    assert predict(service, "serving_one", {"instances": ROWS}) == {"predictions": expected}
    assert predict(service, "serving_one", {"inputs": ROWS}) == {"outputs": expected}
    by_name = {"signature_name": "serving_default", "inputs": {"input_layer": ROWS}}
    assert predict(service, "serving_one/versions/1", by_name) == {"outputs": expected}


def test_rows_and_columns_of_several_inputs_and_outputs(service: Service) -> None:
    columns = {"left": LEFT, "right": RIGHT}
    body = {"model": "serving_two", "instances": columns}
    expected = service.client.post("/predict", json=body).json()["predictions"]
    assert predict(service, "serving_two", {"inputs": columns}) == {"outputs": expected}
    rows = [{"left": a, "right": b} for a, b in zip(LEFT, RIGHT, strict=True)]
    assert predict(service, "serving_two", {"instances": rows}) == {
        "predictions": [{"sum": expected["sum"][i], "sign": expected["sign"][i]} for i in range(2)]
    }


def test_status_and_metadata(service: Service) -> None:
    (status,) = service.get("/v1/models/serving_one")["model_version_status"]
    assert status == {
        "version": "1",
        "state": "AVAILABLE",
        "status": {"error_code": "OK", "error_message": ""},
    }
    assert service.get("/v1/models/serving_one/versions/1")["model_version_status"] == [status]
    metadata = service.get("/v1/models/serving_two/metadata")
    assert metadata == service.get("/v1/models/serving_two/versions/1/metadata")
    assert metadata["model_spec"] == {"name": "serving_two", "signature_name": "", "version": "1"}
    signature = metadata["metadata"]["signature_def"]["signature_def"]["serving_default"]
    assert signature["inputs"]["left"] == {
        "name": "left",
        "dtype": "DT_FLOAT",
        "tensor_shape": {
            "dim": [{"size": "-1", "name": ""}, {"size": "2", "name": ""}],
            "unknown_rank": False,
        },
    }
    assert list(signature["outputs"]) == ["sum", "sign"]


@pytest.mark.parametrize(
    ("path", "body", "status", "message"),
    [
        ("nowhere:predict", {"instances": ROWS}, 404, "There is no model 'nowhere'."),
        ("serving_one/versions/9:predict", {"instances": ROWS}, 404, "There is no version 9"),
        ("serving_one/versions/x:predict", {"instances": ROWS}, 404, "There is no version 'x'"),
        ("serving_one:predict", {}, 422, "Expected instances or inputs; received neither."),
        ("serving_one:predict", {"instances": ROWS, "inputs": ROWS}, 422, "received instances and inputs"),
        ("serving_one:predict", {"instances": {"x": ROWS}}, 422, "Expected a list of rows"),
        ("serving_one:predict", {"instances": [[1]]}, 422, "Expected a list of 2 numbers"),
        ("serving_one:predict", {"instances": [[True, 1]]}, 422, "received true"),
        ("serving_one:predict", {"signature_name": "x", "instances": ROWS}, 422, 'received "x"'),
        ("serving_one:predict", {"instance": ROWS}, 422, 'Did you mean "instances"?'),
        ("serving_one:classify", {"examples": ROWS}, 404, 'Expected the method "predict"'),
        ("serving_one/versions/1:regress", {"examples": ROWS}, 404, 'received "regress"'),
    ],
)
def test_mistakes_come_with_the_text_that_its_clients_read(
    service: Service, path: str, body: dict[str, Any], status: int, message: str
) -> None:
    answer = service.client.post(f"/v1/models/{path}", json=body)
    assert answer.status_code == status, answer.text
    assert message in answer.json()["error"]
