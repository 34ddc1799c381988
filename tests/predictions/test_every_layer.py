"""Every layer of the language predicts the same by every route as Keras does with `model.keras`.

Many layers share a model, each with inputs and an output of its own, as writing a model takes long.
"""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tritonclient.http as triton
from fastapi.testclient import TestClient

from app.database import Database
from app.main import create_app
from app.runs.tables import RunRow
from app.settings import Settings
from app.training.evaluation import predict
from tests.support.layers import CASES
from tests.support.models import add_finished_run

Arrays = dict[str, np.ndarray]
Published = tuple[RunRow, Arrays, Arrays]
Case = tuple[dict[str, Any], list[tuple[int, ...]]]

MODELS = 12
SAMPLES = 3

WITHOUT_PEERS = [
    ("Conv1D", {"filters": 4, "kernel_size": 3, "groups": 2, "padding": "causal"}, (9, 2)),
    ("Conv3D", {"filters": 4, "kernel_size": 2, "groups": 2, "activation": "relu"}, (4, 5, 3, 2)),
    ("Conv2DTranspose", {"filters": 2, "kernel_size": 3, "strides": 3, "output_padding": 2}, (3, 4, 2)),
    ("Activation", {"activation": "gelu"}, (4,)),
    ("Activation", {"activation": "celu"}, (4,)),
    ("Conv2D", {"filters": 4, "kernel_size": 3, "groups": 2}, (5, 6, 2)),
    ("MultiHeadAttention", {"num_heads": 1, "key_dim": 2, "attention_axes": [1, 2]}, [(2, 3, 4), (2, 4, 4)]),
    (
        "TimeDistributed",
        {"layer": {"type": "Conv1D", "filters": 2, "kernel_size": 2, "groups": 2}},
        (2, 4, 2),
    ),
]
"""What the converter to ONNX has no counterpart for, or a wrong one."""


def all_cases() -> list[Case]:
    """A layer's fields and the shapes of its inputs."""
    cases = [(kind, *case) for kind, settings in CASES.items() for case in settings[:2]] + WITHOUT_PEERS
    return [
        ({"type": kind, **fields}, shapes if isinstance(shapes, list) else [shapes])
        for kind, fields, shapes in cases
    ]


def side_by_side(cases: list[Case]) -> dict[str, Any]:
    """A run with all of these layers, each with inputs and an output of its own."""
    random = np.random.default_rng(2)
    layers: list[dict[str, Any]] = []
    x: dict[str, Any] = {}
    for number, (fields, shapes) in enumerate(cases):
        name = f"{fields['type']}_{number}"
        inputs = [f"{name}_{place}" for place in range(len(shapes))]
        for input_name, shape in zip(inputs, shapes, strict=True):
            rows = random.normal(size=(SAMPLES, *shape)).round(3)
            x[input_name] = rows.tolist()
            if fields["type"] == "Embedding":
                x[input_name] = random.integers(0, 5, (SAMPLES, *shape)).tolist()
            layers.append({"type": "Input", "name": input_name})
        if fields["type"] == "Input":
            layers[-1] |= fields
            fields = {"type": "Activation", "activation": "linear"}
        layers.append({**fields, "name": name, "inputs": inputs})
    outputs = [layer["name"] for layer in layers if layer["type"] != "Input"]
    return {
        "dataset": {"inline": {"x": x, "y": {output: [[0]] * SAMPLES for output in outputs}}},
        "model": {"layers": layers, "outputs": outputs},
        "loss": dict.fromkeys(outputs, "mean_squared_error"),
    }


@pytest.fixture(scope="module")
def folder(migrated_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    data_dir = tmp_path_factory.mktemp("layers")
    shutil.copy(migrated_file, data_dir / "kerb.db")
    return data_dir


@pytest.fixture(scope="module")
def client(folder: Path) -> Iterator[TestClient]:
    with TestClient(create_app(Settings(data_dir=folder))) as client:
        yield client


@pytest.fixture(scope="module", params=range(MODELS))
def published(request: pytest.FixtureRequest, folder: Path) -> Published:
    """A run, samples, and what Keras predicts for them with the file that the run has left."""
    document = side_by_side(all_cases()[request.param :: MODELS])
    database = Database(f"sqlite:///{folder / 'kerb.db'}")
    run = add_finished_run(database, folder, document)
    database.close()
    model = keras.models.load_model(folder / "artifacts" / run.id / "model.keras")
    x = document["dataset"]["inline"]["x"]
    samples = {tensor.name: np.asarray(x[tensor.name], tensor.dtype) for tensor in model.inputs}
    return run, samples, predict(model, samples)


def assert_same(predicted: dict[str, Any], expected: Arrays) -> None:
    assert predicted.keys() == expected.keys()
    for name, values in expected.items():
        np.testing.assert_allclose(predicted[name], values, rtol=1e-4, atol=1e-5, err_msg=name)


def listed(arrays: Arrays) -> dict[str, Any]:
    return {name: array.tolist() for name, array in arrays.items()}


def test_onnx_runtime_scores_every_layer(published: Published) -> None:
    assert published[0].scoring == {"by": "onnxruntime", "reason": None}


def test_predict(client: TestClient, published: Published) -> None:
    run, samples, expected = published
    answer = client.post("/predict", json={"run_id": run.id, "instances": listed(samples)})
    assert answer.status_code == 200, answer.text
    assert_same(answer.json()["predictions"], expected)


@pytest.mark.parametrize("binary", [False, True], ids=["json", "binary"])
def test_inference_protocol(client: TestClient, published: Published, binary: bool) -> None:
    run, samples, expected = published
    tensors = []
    for name, array in samples.items():
        tensor = triton.InferInput(name, list(array.shape), "INT32" if array.dtype == np.int32 else "FP32")
        tensors.append(tensor.set_data_from_numpy(array, binary_data=binary))
    outputs = [triton.InferRequestedOutput(name, binary_data=binary) for name in expected]
    body, head = triton.InferenceServerClient.generate_request_body(tensors, outputs=outputs)
    headers = {} if head is None else {"Inference-Header-Content-Length": str(head)}
    answer = client.post(f"/v2/models/{run.id}/infer", content=body, headers=headers)
    assert answer.status_code == 200, answer.text
    length = answer.headers.get("Inference-Header-Content-Length")
    result = triton.InferenceServerClient.parse_response_body(
        answer.content, header_length=None if length is None else int(length)
    )
    assert_same({name: result.as_numpy(name) for name in expected}, expected)


def test_tensorflow_serving(client: TestClient, published: Published) -> None:
    run, samples, expected = published
    answer = client.post(f"/v1/models/{run.id}:predict", json={"inputs": listed(samples)})
    assert answer.status_code == 200, answer.text
    assert_same(answer.json()["outputs"], expected)
