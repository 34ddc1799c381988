"""The protocol through a client that knows nothing of Kerb: tritonclient, as it is."""

from collections.abc import Iterator
from itertools import product
from typing import Any

import numpy as np
import pytest
import tritonclient.http as triton
from tritonclient.utils import InferenceServerException

from tests.support.documents import tiny_document, two_inputs_document
from tests.support.service import Service

ROWS = {"x": np.float32([[0.1, -0.4], [0.9, 0.2], [0.5, 0.5]])}
PAIRS = {"left": np.float32([[1, 2], [3, 4]]), "right": np.float32([[0.5], [-0.5]])}


@pytest.fixture(scope="module")
def client(service: Service) -> Iterator[triton.InferenceServerClient]:
    with triton.InferenceServerClient(service.url.removeprefix("http://")) as client:
        yield client


@pytest.fixture(scope="module")
def models(service: Service) -> dict[str, dict[str, Any]]:
    """Two named models, of one input and of two: their metadata."""
    for name, document in (("one", tiny_document()), ("two", two_inputs_document())):
        run = service.run(document)
        assert run["status"] == "succeeded", run["error"]
        service.client.put(f"/models/{name}", json={"run_id": run["id"]}).raise_for_status()
    return {name: service.get(f"/v2/models/{name}") for name in ("one", "two")}


def arrays_for(metadata: dict[str, Any]) -> dict[str, np.ndarray]:
    """Samples for a model, by input name."""
    given = ROWS if len(metadata["inputs"]) == 1 else PAIRS
    names = [tensor["name"] for tensor in metadata["inputs"]]
    return dict(zip(names, given.values(), strict=True))


def expected_of(service: Service, name: str, arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """What `/predict` says, by output name."""
    instances = {key: array.tolist() for key, array in arrays.items()}
    answer = service.client.post("/predict", json={"model": name, "instances": instances})
    predictions = answer.json()["predictions"]
    outputs = service.get(f"/v2/models/{name}")["outputs"]
    by_name = predictions if len(outputs) > 1 else {outputs[0]["name"]: predictions}
    return {key: np.float32(values) for key, values in by_name.items()}


def inputs_of(arrays: dict[str, np.ndarray], binary: bool) -> list[triton.InferInput]:
    inputs = []
    for name, array in arrays.items():
        tensor = triton.InferInput(name, list(array.shape), "FP32")
        inputs.append(tensor.set_data_from_numpy(array, binary_data=binary))
    return inputs


@pytest.mark.parametrize("name", ["one", "two"])
@pytest.mark.parametrize(
    ("binary_in", "outputs", "sent", "wanted"),
    list(
        product([False, True], [None, "json", "binary"], [None, "gzip", "deflate"], [None, "gzip", "deflate"])
    ),
)
def test_every_form_gives_the_same_predictions(
    service: Service,
    client: triton.InferenceServerClient,
    models: dict[str, dict[str, Any]],
    name: str,
    binary_in: bool,
    outputs: str | None,
    sent: str | None,
    wanted: str | None,
) -> None:
    arrays = arrays_for(models[name])
    expected = expected_of(service, name, arrays)
    asked = outputs and [
        triton.InferRequestedOutput(output, binary_data=outputs == "binary") for output in reversed(expected)
    ]

    result = client.infer(
        name,
        inputs_of(arrays, binary_in),
        outputs=asked,
        request_id="7",
        request_compression_algorithm=sent,
        response_compression_algorithm=wanted,
    )

    response = result.get_response()
    assert (response["id"], response["model_name"], response["model_version"]) == ("7", name, "1")
    order = list(expected) if outputs is None else list(reversed(expected))
    assert [tensor["name"] for tensor in response["outputs"]] == order
    for output, values in expected.items():
        np.testing.assert_allclose(result.as_numpy(output), values, rtol=1e-6)


def test_large_answers_are_compressed(
    client: triton.InferenceServerClient, models: dict[str, dict[str, Any]]
) -> None:
    rows = np.random.default_rng(0).normal(size=(5000, 2)).astype(np.float32)
    arrays = {models["one"]["inputs"][0]["name"]: rows}
    plain = client.infer("one", inputs_of(arrays, True))
    squeezed = client.infer("one", inputs_of(arrays, True), response_compression_algorithm="gzip")
    (output,) = models["one"]["outputs"]
    assert np.array_equal(plain.as_numpy(output["name"]), squeezed.as_numpy(output["name"]))
    assert plain.as_numpy(output["name"]).shape == (5000, 1)


def test_what_is_there(client: triton.InferenceServerClient, models: dict[str, dict[str, Any]]) -> None:
    assert client.is_server_live()
    assert client.is_server_ready()
    assert client.is_model_ready("one")
    assert client.is_model_ready("one", "1")
    assert not client.is_model_ready("nowhere")
    assert not client.is_model_ready("one", "2")
    assert client.get_server_metadata()["extensions"] == ["binary_tensor_data"]
    assert {item["name"] for item in client.get_model_repository_index()} >= {"one", "two"}
    metadata = client.get_model_metadata("two", "1")
    assert metadata == models["two"]
    assert metadata["versions"] == ["1"]
    assert [tensor["shape"] for tensor in metadata["inputs"]] == [[-1, 2], [-1, 1]]
    assert {tensor["datatype"] for tensor in metadata["inputs"]} == {"FP32"}


def test_a_run_can_be_asked_by_its_id(
    service: Service, client: triton.InferenceServerClient, models: dict[str, dict[str, Any]]
) -> None:
    (run_id,) = service.get("/models/one/versions/1")["run_ids"]
    arrays = arrays_for(models["one"])
    (output,) = models["one"]["outputs"]
    by_id = client.infer(run_id, inputs_of(arrays, True)).as_numpy(output["name"])
    by_name = client.infer("one", inputs_of(arrays, True)).as_numpy(output["name"])
    assert np.array_equal(by_id, by_name)


def test_other_datatypes_are_taken_where_they_fit(
    client: triton.InferenceServerClient, models: dict[str, dict[str, Any]]
) -> None:
    (output,) = models["one"]["outputs"]
    (input_,) = models["one"]["inputs"]
    answers = []
    for datatype, dtype in (
        ("FP32", np.float32),
        ("FP64", np.float64),
        ("INT8", np.int8),
        ("FP16", np.float16),
    ):
        array = np.array([[1, 0], [-3, 2]], dtype)
        tensor = triton.InferInput(input_["name"], [2, 2], datatype).set_data_from_numpy(array)
        answers.append(client.infer("one", [tensor]).as_numpy(output["name"]))
    assert all(np.array_equal(answers[0], other) for other in answers)


def test_mistakes_are_told_in_a_sentence(
    client: triton.InferenceServerClient, models: dict[str, dict[str, Any]]
) -> None:
    (input_,) = models["one"]["inputs"]

    def refused(inputs: list[triton.InferInput], name: str = "one", **options: Any) -> str:
        with pytest.raises(InferenceServerException) as caught:
            client.infer(name, inputs, **options)
        return str(caught.value)

    right = inputs_of({input_["name"]: ROWS["x"]}, True)
    wide = inputs_of({input_["name"]: np.ones((2, 3), np.float32)}, True)
    other = inputs_of({"nowhere": ROWS["x"]}, False)
    nan = inputs_of({input_["name"]: np.float32([[np.nan, 1]])}, True)
    assert "[404] There is no model 'nowhere'." in refused(right, "nowhere")
    assert "There is no version 2 of the model 'one'." in refused(right, model_version="2")
    assert "Expected a shape [n, 2]; received [2, 3]." in refused(wide)
    assert 'received "nowhere"' in refused(other)
    assert "Expected finite numbers" in refused(nan)
    assert "which isn't offered" in refused(
        right, outputs=[triton.InferRequestedOutput(models["one"]["outputs"][0]["name"], class_count=2)]
    )
