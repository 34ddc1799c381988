"""Bodies that are wrong in every way: 4xx with a sentence, and no memory for what they only claim to hold."""

import gzip
import zlib
from typing import Any

import httpx
import orjson
import pytest

from tests.support.documents import tiny_document
from tests.support.service import Service


@pytest.fixture(scope="module")
def path(service: Service) -> str:
    run = service.run(tiny_document())
    return f"/v2/models/{run['id']}/infer"


def tensor(**changes: Any) -> dict[str, Any]:
    whole = {"name": "input_layer", "shape": [1, 2], "datatype": "FP32", "data": [0.5, 1]}
    return {key: value for key, value in (whole | changes).items() if value is not None}


def post(service: Service, path: str, content: bytes, **headers: str) -> httpx.Response:
    return service.client.post(
        path, content=content, headers={k.replace("_", "-"): v for k, v in headers.items()}
    )


WRONG = {
    "no object": ([], "", "Expected an object"),
    "an unknown field": ({"inputs": [tensor()], "input": 1}, "/input", 'Did you mean "inputs"?'),
    "no inputs": ({"inputs": []}, "/inputs", "at least one input"),
    "an unknown input": ({"inputs": [tensor(name="x")]}, "/inputs/0/name", 'received "x"'),
    "a name that is no text": ({"inputs": [tensor(name=["x"])]}, "/inputs/0/name", "received a list of 1"),
    "lists of another shape": (
        {"inputs": [tensor(data=[[0], [1]])]},
        "/inputs/0/data",
        "of the shape [1, 2]; received [2, 1]",
    ),
    "an integer that float32 hasn't": (
        {"inputs": [tensor(datatype="INT32", data=[0, 2**24 + 1])]},
        "/inputs/0/data",
        "Expected numbers that FP32 holds; received others as INT32",
    ),
    "an input twice": ({"inputs": [tensor(), tensor()]}, "/inputs/1/name", "Expected each input once"),
    "no shape": ({"inputs": [tensor(shape=None)]}, "/inputs/0/shape", "Expected a shape [n, 2]"),
    "too few axes": ({"inputs": [tensor(shape=[2])]}, "/inputs/0/shape", "received [2]"),
    "an empty batch": ({"inputs": [tensor(shape=[0, 2], data=[])]}, "/inputs/0/shape", "received"),
    "a negative length": ({"inputs": [tensor(shape=[-1, 2])]}, "/inputs/0/shape", "received [-1, 2]"),
    "a huge shape": ({"inputs": [tensor(shape=[10**18, 2])]}, "/inputs/0/data", "received 2"),
    "an unknown datatype": ({"inputs": [tensor(datatype="FP8")]}, "/inputs/0/datatype", 'received "FP8"'),
    "text": ({"inputs": [tensor(data=[0.5, "1"])]}, "/inputs/0/data", 'received "1"'),
    "a boolean": ({"inputs": [tensor(data=[0.5, True])]}, "/inputs/0/data", "received true"),
    "a fraction": ({"inputs": [tensor(datatype="INT8")]}, "/inputs/0/data", "whole numbers; received 0.5"),
    "a number too large": (
        {"inputs": [tensor(datatype="INT8", data=[1, 300])]},
        "/inputs/0/data",
        "that the datatype holds",
    ),
    "one beyond float32": ({"inputs": [tensor(data=[0, 1e39])]}, "/inputs/0/data", "Expected finite numbers"),
    "ragged lists": ({"inputs": [tensor(data=[[0], [1, 2]])]}, "/inputs/0/data", "of the same length"),
    "too many numbers": ({"inputs": [tensor(data=[0, 1, 2])]}, "/inputs/0/data", "Expected 2 numbers"),
    "no data": ({"inputs": [tensor(data=None)]}, "/inputs/0/data", "Expected a list"),
    "data twice": (
        {"inputs": [tensor(parameters={"binary_data_size": 8})]},
        "/inputs/0/data",
        "received both",
    ),
    "a lying size": (
        {"inputs": [tensor(data=None, parameters={"binary_data_size": 10**15})]},
        "/inputs/0/parameters/binary_data_size",
        "Expected 8 bytes",
    ),
    "a missing tensor": (
        {"inputs": [tensor(data=None, parameters={"binary_data_size": 8})]},
        "/inputs/0/parameters/binary_data_size",
        "Expected 8 bytes behind the JSON part; received 0.",
    ),
    "shared memory": (
        {"inputs": [tensor(data=None, parameters={"shared_memory_region": "r"})]},
        "/inputs/0/parameters/shared_memory_region",
        "isn't offered",
    ),
    "an unknown output": (
        {"inputs": [tensor()], "outputs": [{"name": "y"}]},
        "/outputs/0/name",
        'received "y"',
    ),
    "an id that is no text": ({"id": 1, "inputs": [tensor()]}, "/id", "Expected text"),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_a_wrong_field_is_pointed_at(service: Service, path: str, wrong: str) -> None:
    document, pointer, message = WRONG[wrong]
    answer = post(service, path, orjson.dumps(document))
    assert answer.status_code == 422
    (problem,) = answer.json()["errors"]
    assert problem["pointer"] == pointer
    assert message in problem["message"]
    assert answer.json()["error"] == answer.json()["detail"]


def test_bodies_that_are_no_request(service: Service, path: str) -> None:
    right = orjson.dumps({"inputs": [tensor()]})
    bomb = gzip.compress(bytes(200_000_000))
    assert len(bomb) < 1_000_000
    answers = {
        "not JSON": post(service, path, b"{"),
        "NaN": post(service, path, right.replace(b"0.5", b"NaN")),
        "deep": post(service, path, b"[" * 100_000),
        "longer header": post(service, path, right, inference_header_content_length=str(len(right) + 1)),
        "shorter header": post(service, path, right, inference_header_content_length="5"),
        "no header length": post(service, path, right, inference_header_content_length="five"),
        "negative": post(service, path, right, inference_header_content_length="-5"),
        "bytes behind": post(service, path, right + b"1", inference_header_content_length=str(len(right))),
        "not gzip": post(service, path, right, content_encoding="gzip"),
        "cut gzip": post(service, path, gzip.compress(right)[:-5], content_encoding="gzip"),
        "more than gzip": post(service, path, zlib.compress(right) + b"!", content_encoding="deflate"),
    }
    assert {name: answer.status_code for name, answer in answers.items()} == dict.fromkeys(answers, 422)
    assert all(answer.json()["error"] for answer in answers.values())
    assert post(service, path, right, content_encoding="br").status_code == 415
    assert post(service, path, bomb, content_encoding="gzip").status_code == 413
    assert post(service, path, right).json()["outputs"][0]["shape"] == [1, 1]
