"""`POST /predict` in the whole application, on tiny models that lie where runs' models lie."""

import asyncio
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import orjson
import pytest
from fastapi.testclient import TestClient

from app.artifacts import LimitSignature
from app.database import Database
from app.main import create_app
from app.predictions.schemas import PredictAnswer
from app.predictions.service import LOOP_BYTES
from app.problems import Problem
from app.runs.artifacts import write_checksums
from app.runs.files import publish_folder
from app.runs.tables import RunRow
from app.settings import Settings
from app.spec.constraints import Constraint
from app.spec.parsing import parse
from app.statistics import elements_above
from tests.support.documents import tiny_document
from tests.support.onnx_models import add_finished_run, add_scaling_run


@pytest.fixture
def client(database: Database, tmp_path: Path) -> Iterator[TestClient]:
    with TestClient(create_app(Settings(data_dir=tmp_path, max_body_bytes=4_000_000))) as client:
        yield client


@pytest.fixture
def folder(database: Database, tmp_path: Path) -> Path:
    add_finished_run(database, "run_1")
    return tmp_path / "artifacts" / "run_1"


def predict(client: TestClient, **document: Any) -> dict[str, Any]:
    answer = client.post("/predict", json={"run_id": "run_1", **document})
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    PredictAnswer.model_validate(body)
    return body


def refused(client: TestClient, status: int, content: Any, **options: Any) -> dict[str, Any]:
    answer = client.post("/predict", content=content, **options)
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    problem: dict[str, Any] = answer.json()
    Problem.model_validate(problem)
    return problem


class TestAnswer:
    def test_predictions_come_with_their_counts(
        self, client: TestClient, folder: Path, save_scaling: Callable[..., None]
    ) -> None:
        save_scaling(folder, factor=2.0)
        answer = predict(client, instances=[[0.1, 0.3], [0.5, 1], [0.25, 0]])
        assert answer == {
            "run_id": "run_1",
            "predictions": [[0.2, 0.6], [1.0, 2.0], [0.5, 0.0]],
            "statistics": {
                "elements_above": [
                    {
                        "threshold": 0.5,
                        "total": 3,
                        "fraction": 0.5,
                        "per_sample": {
                            "mean": 1.0,
                            "std": pytest.approx((2 / 3) ** 0.5),
                            "min": 0,
                            "median": 1.0,
                            "p95": pytest.approx(1.9),
                            "max": 2,
                        },
                        "histogram": {"0": 1, "1": 1, "2": 1},
                    }
                ]
            },
        }

    def test_thresholds_are_those_of_the_run_unless_the_request_has_its_own(
        self, client: TestClient, folder: Path, save_scaling: Callable[..., None]
    ) -> None:
        save_scaling(folder, thresholds=(0.25, 0.75))

        def thresholds(**fields: Any) -> list[tuple[float, int]]:
            counts = predict(client, instances=[[0.5, 1.0]], **fields)["statistics"]["elements_above"]
            return [(count["threshold"], count["total"]) for count in counts]

        assert thresholds() == [(0.25, 2), (0.75, 1)]
        assert thresholds(threshold=1) == [(1, 0)]
        assert thresholds(thresholds=[0.4, 0.6, 0.4]) == [(0.4, 2), (0.6, 1), (0.4, 2)]

    def test_several_inputs_and_outputs_go_by_name(
        self, client: TestClient, folder: Path, save_sum_and_product: Callable[[Path], None]
    ) -> None:
        save_sum_and_product(folder)
        by_name = predict(client, instances={"a": [[1, 2], [3, 4]], "b": [[5, 6], [0, 0]]})
        assert by_name["predictions"] == {"sum": [[6, 8], [3, 4]], "product": [[5, 12], [0, 0]]}
        counts = by_name["statistics"]["elements_above"]
        assert [(count["output"], count["total"]) for count in counts] == [("sum", 4), ("product", 2)]
        objects = predict(client, instances=[{"a": [1, 2], "b": [5, 6]}, {"a": [3, 4], "b": [0, 0]}])
        assert objects == by_name

    def test_what_is_not_finite_is_null(
        self, client: TestClient, folder: Path, save_scaling: Callable[..., None]
    ) -> None:
        save_scaling(folder, factor=3e38)
        assert predict(client, instances=[[10, 0]])["predictions"] == [[None, 0.0]]

    def test_a_large_batch_is_predicted_like_a_small_one(
        self, client: TestClient, folder: Path, save_scaling: Callable[..., None]
    ) -> None:
        save_scaling(folder, factor=0.5, width=4)
        rows = np.random.default_rng(0).random((20_000, 4)).round(4)
        document = {"run_id": "run_1", "instances": rows.tolist()}
        answer = client.post("/predict", json=document)
        assert int(answer.request.headers["content-length"]) > LOOP_BYTES
        predictions = np.array(answer.json()["predictions"], np.float32)
        np.testing.assert_array_equal(predictions, rows.astype(np.float32) / 2)
        assert answer.json()["statistics"]["elements_above"] == [elements_above(predictions, 0.5)]

    def test_curls_own_content_type_is_read_as_json(
        self, client: TestClient, folder: Path, save_scaling: Callable[..., None]
    ) -> None:
        save_scaling(folder)
        headers = {"content-type": "application/x-www-form-urlencoded"}
        body = b'{"run_id": "run_1", "instances": [[1, 2]]}'
        assert client.post("/predict", content=body, headers=headers).status_code == 200

    def test_the_openapi_document_describes_it(self, client: TestClient) -> None:
        document = client.get("/openapi.json").json()
        operation = document["paths"]["/predict"]["post"]
        asked = operation["requestBody"]["content"]["application/json"]["schema"]["$ref"]
        answered = operation["responses"]["200"]["content"]["application/json"]["schema"]["$ref"]
        schemas = document["components"]["schemas"]
        assert {"run_id", "model", "instances"} <= schemas[asked.rpartition("/")[2]]["properties"].keys()
        assert {"predictions", "statistics"} == set(schemas[answered.rpartition("/")[2]]["required"])
        assert {"404", "409", "413", "415", "422"} <= operation["responses"].keys()


class TestTargets:
    @pytest.fixture(autouse=True)
    def _runs(self, client: TestClient, database: Database, tmp_path: Path) -> None:
        for factor in (1, 2, 3):
            add_scaling_run(database, tmp_path, f"run_{factor}", factor)
        for run_id in ("run_1", "run_2"):
            assert client.put("/models/spam", json={"run_id": run_id}).is_success

    def test_a_model_predicts_with_its_current_version_or_another(self, client: TestClient) -> None:
        def ask(**fields: Any) -> tuple[int, Any]:
            answer = client.post("/predict", json={"model": "spam", "instances": [[1, 2]], **fields}).json()
            PredictAnswer.model_validate(answer)
            assert answer["model"] == "spam"
            return answer["version"], answer["predictions"]

        assert ask() == (2, [[2, 4]])
        assert ask(version=1) == (1, [[1, 2]])
        client.post("/models/spam/rollback", json={"version": 1})
        assert ask() == (1, [[1, 2]])
        client.put("/models/spam", json={"run_ids": ["run_1", "run_3"]})
        assert ask() == (3, [[2, 4]])

    def test_runs_predict_together(self, client: TestClient) -> None:
        document = {"run_ids": ["run_1", "run_3"], "instances": [[0.1, 0.4]]}
        answer = client.post("/predict", json=document).json()
        assert answer["predictions"] == [pytest.approx([0.2, 0.8])]
        assert answer["statistics"]["elements_above"][0]["total"] == 1
        voted = client.post("/predict", json={**document, "combine": "vote"}).json()
        assert (voted["predictions"], voted["combine"]) == ([[0, 1]], "vote")

    @pytest.mark.parametrize(
        ("fields", "status", "pointer"),
        [
            ({"model": "ham"}, 404, None),
            ({"model": "spam", "version": 3}, 404, None),
            ({"model": "spam", "version": 0}, 422, "/version"),
            ({"model": "spam", "version": 1.0}, 422, "/version"),
            ({"model": 5}, 422, "/model"),
            ({"model": "spam", "run_id": "run_1"}, 422, "/model"),
            ({"run_id": "run_1", "version": 1}, 422, "/version"),
            ({"run_id": "run_1", "combine": "mean"}, 422, "/combine"),
            ({"run_ids": []}, 422, "/run_ids"),
            ({"run_ids": ["run_1", 2]}, 422, "/run_ids/1"),
            ({"run_ids": ["run_1"], "combine": "median"}, 422, "/combine"),
            ({"run_ids": ["run_1", "run_9"]}, 404, None),
            ({"model": "spam", "return": "both"}, 422, "/return"),
            ({"model": "spam", "statistics": {"count": True}}, 422, "/statistics/count"),
            ({"model": "spam", "statistics": {"counts": 1}}, 422, "/statistics/counts"),
            ({"model": "spam", "inputs": [[1, 2]]}, 422, "/inputs"),
        ],
    )
    def test_a_wrong_request_is_told_where(
        self, client: TestClient, fields: dict[str, Any], status: int, pointer: str | None
    ) -> None:
        problem = refused(client, status, orjson.dumps({"instances": [[1, 2]], **fields}))
        assert [error["pointer"] for error in problem["errors"]] == ([] if pointer is None else [pointer])


class TestForms:
    @pytest.fixture(autouse=True)
    def _model(self, folder: Path, save_scaling: Callable[..., None]) -> None:
        save_scaling(folder, 2.0)

    @pytest.mark.parametrize(
        "fields",
        [
            {"inputs": [[1, 2], [3, 4]]},
            {"inputs": {"x": [[1, 2], [3, 4]]}},
            {"columns": {"x_0": [1, 3], "x_1": [2, 4]}},
            {"columns": {"x_1": [2, 4], "x_0": [1, 3]}},
            {"columns": {"width": [1, 3], "height": [2, 4]}},
            {"columns": {"x": [[1, 2], [3, 4]]}},
        ],
    )
    def test_rows_may_come_as_inputs_or_as_columns(self, client: TestClient, fields: dict[str, Any]) -> None:
        assert predict(client, **fields)["predictions"] == [[2, 4], [6, 8]]
        many = {
            field: {name: values * 800 for name, values in given.items()}
            if isinstance(given, dict)
            else given * 800
            for field, given in fields.items()
        }
        assert predict(client, **many)["predictions"] == [[2, 4], [6, 8]] * 800

    @pytest.mark.parametrize(
        ("columns", "pointer", "message"),
        [
            ([1], "/columns", "Expected an object of columns; received a list of 1."),
            ({}, "/columns", 'Expected the columns "x_0", "x_1"; received no "x_0".'),
            ({"x_0": [1]}, "/columns", 'Expected the columns "x_0", "x_1"; received no "x_1".'),
            ({"x_0": [1], "x_1": [1], "y": [1]}, "/columns/y", None),
            ({"x_0": [1], "x_1": [1, 2]}, "/columns/x_1", "Expected 1 values, as before; received 2."),
            ({"x_0": [1], "x_1": ["a"]}, "/columns/x_1/0", 'Expected a number; received "a".'),
            ({"x_0": [1], "x_1": [True]}, "/columns/x_1/0", "Expected a number; received true."),
            ({"x_0": [1], "x_1": [[1]]}, "/columns/x_1/0", "Expected a number; received a list of 1."),
            ({"x_0": [], "x_1": []}, "/columns/x_0", None),
            ({"x": [1, 2]}, "/columns/x/0", "Expected a list of 2 numbers; received 1."),
            ({"x_0": [1e39], "x_1": [1]}, "/columns/x_0/0", None),
        ],
    )
    def test_a_wrong_column_is_named(
        self, client: TestClient, columns: Any, pointer: str, message: str | None
    ) -> None:
        problem = refused(client, 422, orjson.dumps({"run_id": "run_1", "columns": columns}))
        (error,) = problem["errors"]
        assert error["pointer"] == pointer
        assert message in (None, error["message"])

    def test_classes_in_place_of_probabilities(self, client: TestClient) -> None:
        answer = predict(client, instances=[[0.1, 0.3], [0.4, 0.2]], **{"return": "classes"})
        assert answer["predictions"] == [1, 0]
        assert answer["statistics"]["elements_above"][0]["total"] == 2

    def test_the_count_of_each_sample(self, client: TestClient) -> None:
        fields = {"statistics": {"counts": True}, "thresholds": [0.5, 1]}
        answer = predict(client, instances=[[0.1, 0.3], [0.4, 0.6]], **fields)
        assert [entry["counts"] for entry in answer["statistics"]["elements_above"]] == [[1, 2], [0, 1]]

    def test_declared_limits_are_counted_on_the_batch(
        self, client: TestClient, folder: Path, tmp_path: Path, save_scaling: Callable[..., None]
    ) -> None:
        limits = [
            {"quantity": {"type": "elements_above"}, "at_most": 1},
            {"quantity": {"type": "sum_to", "value": 1.0}, "at_most": 0.5, "over": "every_sample"},
            {"quantity": {"type": "recall"}, "at_least": 0.5},
        ]
        signatures = [
            LimitSignature(name=f"limit_{n}", of="dense", constraint=parse(Constraint, limit))
            for n, limit in enumerate(limits)
        ]
        save_scaling(tmp_path / "new", 2.0, limits=signatures)
        publish_folder(tmp_path / "new", folder)
        answer = predict(client, instances=[[0.1, 0.3], [0.4, 0.6]])
        held = answer["statistics"]["constraints"]
        assert [entry["satisfied"] for entry in held] == [False, False, None]
        assert held[0]["value"] == 1.5
        assert held[0]["share_of_samples_satisfied"] == 0.5
        assert held[1]["value"] == pytest.approx(1.0)


class TestModels:
    def test_a_replaced_model_predicts_from_then_on(
        self, client: TestClient, folder: Path, tmp_path: Path, save_scaling: Callable[..., None]
    ) -> None:
        for factor in (1.0, 2.0, 3.0):
            save_scaling(tmp_path / "artifacts" / ".run_1.1", factor)
            publish_folder(tmp_path / "artifacts" / ".run_1.1", folder)
            assert predict(client, instances=[[1, 2]])["predictions"] == [[factor, 2 * factor]]

    def test_a_deleted_model_predicts_no_more(
        self, client: TestClient, folder: Path, save_scaling: Callable[..., None]
    ) -> None:
        save_scaling(folder)
        predict(client, instances=[[1, 2]])
        assert client.delete("/runs/run_1").status_code == 204
        refused(client, 404, b'{"run_id": "run_1", "instances": [[1, 2]]}')

    def test_more_models_than_are_kept_open_are_predicted_at_once(
        self, database: Database, tmp_path: Path, save_scaling: Callable[..., None]
    ) -> None:
        for factor in range(1, 6):
            add_scaling_run(database, tmp_path, f"run_{factor}", float(factor))

        async def predict_all() -> list[Any]:
            app = create_app(Settings(data_dir=tmp_path, open_models=2))
            async with httpx.AsyncClient(
                transport=httpx.ASGITransport(app), base_url="http://testserver"
            ) as client:

                async def predict_one(factor: int) -> Any:
                    document = {"run_id": f"run_{factor}", "instances": [[1, 10]]}
                    return (await client.post("/predict", json=document)).json()["predictions"]

                answers = await asyncio.gather(*(predict_one(1 + number % 5) for number in range(50)))
            app.state.kerb.predictor.close()
            app.state.kerb.watcher.close()
            app.state.kerb.database.close()
            return answers

        answers = asyncio.run(predict_all())
        assert answers == [[[1 + number % 5, 10 * (1 + number % 5)]] for number in range(50)]


class TestRefusal:
    def test_a_run_that_does_not_exist_is_not_found(self, client: TestClient) -> None:
        problem = refused(client, 404, b'{"run_id": "run_2", "instances": [[1, 2]]}')
        assert problem["code"] == "not_found"
        assert "run_2" in problem["detail"]

    @pytest.mark.parametrize(
        "run_id",
        ["", ".", "..", "../artifacts/run_1", "run_1/", "/etc", "run_1\\u0000", "🦋", "a" * 5000, "é" * 60],
    )
    def test_an_id_is_no_path(
        self, client: TestClient, folder: Path, save_scaling: Callable[..., None], run_id: str
    ) -> None:
        save_scaling(folder)
        refused(client, 404, f'{{"run_id": "{run_id}", "instances": [[1, 2]]}}'.encode())

    @pytest.mark.parametrize("status", ["queued", "running", "failed", "cancelled"])
    def test_a_run_without_a_model_is_a_conflict(
        self, client: TestClient, database: Database, status: str
    ) -> None:
        run_id = client.post("/runs", json=tiny_document()).json()["id"]
        with database.writing() as session:
            session.get_one(RunRow, run_id).status = status
        problem = refused(client, 409, f'{{"run_id": "{run_id}", "instances": [[1, 2]]}}'.encode())
        assert problem["code"] == "conflict"
        assert problem["detail"].startswith("Expected a run ")
        assert run_id in problem["detail"]

    @pytest.mark.parametrize("loss", ["folder", "model.onnx", "signature.json", "SHA256SUMS", "a bit"])
    def test_files_that_are_lost_never_give_a_wrong_prediction(
        self,
        client: TestClient,
        database: Database,
        tmp_path: Path,
        save_scaling: Callable[..., None],
        loss: str,
    ) -> None:
        run_id = client.post("/runs", json=tiny_document()).json()["id"]
        with database.writing() as session:
            session.get_one(RunRow, run_id).status = "succeeded"
        folder = tmp_path / "artifacts" / run_id
        save_scaling(folder, 2.0)
        write_checksums(folder)
        if loss == "folder":
            shutil.rmtree(folder)
        elif loss == "a bit":
            content = bytearray((folder / "model.onnx").read_bytes())
            content[-1] ^= 1
            (folder / "model.onnx").write_bytes(content)
        elif loss == "SHA256SUMS":
            (folder / loss).write_text("of something else")
        else:
            (folder / loss).unlink()

        problem = refused(client, 409, f'{{"run_id": "{run_id}", "instances": [[1, 2]]}}'.encode())

        assert problem["code"] == "artifacts_lost"
        assert run_id in problem["detail"]

    @pytest.mark.parametrize(
        ("body", "pointer", "message"),
        [
            (b"", "", "Expected JSON; received an empty body."),
            (b"[]", "", "Expected an object; received an empty list."),
            (b'{"instances": [[1, 2]]}', "/run_id", 'Expected a value for "run_id"; received nothing.'),
            (b'{"run_id": "run_1"}', "/instances", 'Expected a value for "instances"; received nothing.'),
            (b'{"run_id": 1, "instances": [[1, 2]]}', "/run_id", "Expected text; received 1."),
        ],
    )
    def test_a_body_of_another_form_is_refused(
        self, client: TestClient, body: bytes, pointer: str, message: str
    ) -> None:
        assert refused(client, 422, body)["errors"] == [{"pointer": pointer, "message": message}]

    @pytest.mark.parametrize(
        ("instances", "pointer", "expected", "received"),
        [
            ("[]", "/instances", "a list of at least one row", "an empty list"),
            ("[[1, 2], [3]]", "/instances/1", "a list of 2 numbers", "a list of 1"),
            ('[[1, "2"]]', "/instances/0/1", "a number", '"2"'),
            ("[[1, true]]", "/instances/0/1", "a number", "true"),
            ("[[1, NaN]]", "/instances/0/1", "a finite number", "NaN"),
            ("[[1, 1e400]]", "/instances/0/1", "a finite number", "1e400"),
        ],
    )
    def test_a_wrong_instance_is_named(
        self,
        client: TestClient,
        folder: Path,
        save_scaling: Callable[..., None],
        instances: str,
        pointer: str,
        expected: str,
        received: str,
    ) -> None:
        save_scaling(folder)
        problem = refused(client, 422, f'{{"run_id": "run_1", "instances": {instances}}}'.encode())
        message = f"Expected {expected}; received {received}."
        assert problem["errors"] == [{"pointer": pointer, "message": message}]

    @pytest.mark.parametrize(
        ("fields", "pointer", "expected", "received"),
        [
            ('"threshold": "a"', "/threshold", "a finite number", '"a"'),
            ('"threshold": true', "/threshold", "a finite number", "true"),
            ('"thresholds": 1', "/thresholds", "a list of 1 to 1000 numbers", "1"),
            ('"thresholds": []', "/thresholds", "a list of 1 to 1000 numbers", "an empty list"),
            ('"thresholds": [1, null]', "/thresholds/1", "a finite number", "null"),
            ('"threshold": 1, "thresholds": [1]', "/thresholds", '"threshold" or "thresholds"', "both"),
        ],
    )
    def test_a_wrong_threshold_is_named(
        self, client: TestClient, fields: str, pointer: str, expected: str, received: str
    ) -> None:
        problem = refused(client, 422, f'{{"run_id": "run_1", "instances": [[1, 2]], {fields}}}'.encode())
        message = f"Expected {expected}; received {received}."
        assert problem["errors"] == [{"pointer": pointer, "message": message}]

    def test_an_unknown_field_is_told_the_nearest(self, client: TestClient) -> None:
        problem = refused(client, 422, b'{"run_id": "run_1", "instance": [[1, 2]]}')
        (error,) = problem["errors"]
        assert error["pointer"] == "/instance"
        assert error["message"].endswith('Did you mean "instances"?')

    def test_an_index_beyond_the_table_is_the_clients_mistake(
        self, client: TestClient, folder: Path, save_embedding: Callable[[Path], None]
    ) -> None:
        save_embedding(folder)
        assert predict(client, instances=[[2, 0]])["predictions"] == [[[20], [0]]]
        problem = refused(client, 422, b'{"run_id": "run_1", "instances": [[3]]}')
        assert problem["errors"][0]["pointer"] == "/instances"

    def test_other_forms_and_sizes_of_bodies_are_refused(self, client: TestClient) -> None:
        problem = refused(client, 415, b"1,2", headers={"content-type": "text/plain"})
        for media_type in ("application/json", "text/csv", "application/vnd.apache.parquet", "text/plain"):
            assert media_type in problem["detail"]
        refused(client, 413, b" " * 4_000_001)
        assert client.get("/predict").status_code == 405

    @pytest.mark.parametrize(
        ("body", "message"),
        [
            (b'{"run_id": "run_1", "instances": [[1, 2]' + b", [1, 2]" * 1000, "end of data"),
            (b'{"run_id": "run_1", "instances": ' + b"[" * 200_000 + b"]" * 200_000 + b"}", "JSON"),
            (b'{"run_id": "run_1", "instances": ' + b'{"a":' * 200_000 + b"1" + b"}" * 200_001, "JSON"),
            (b'{"run_id": "run_1", "instances": ' + b"[" * 900 + b"]" * 900 + b"}", "2 numbers"),
            (
                b'{"run_id": "run_1", "instances": [[1, 2], [1, NaN]' + b", [1, 2]" * 150_000 + b"]}",
                "column 47",
            ),
            (
                b'{"run_id": "run_1", "instances": [[1, 2]' + b", [1, 2]" * 1000 + b", [1, 2, 3]]}",
                "2 numbers",
            ),
            (b"\x1f\x8b\x08" + b"\0" * 5000, "JSON"),
            (b"\xff\xfe" + '{"run_id": "run_1"}'.encode("utf-16-le"), "JSON"),
            (b'{"run_id": "run_1", "instances": [[' + b"9" * 5000 + b", 1]]}", "infinity"),
            (b'{"run_id": "run_1", "instances": "' + b"a" * 100_000 + b'"}', "at least one row"),
            (b'{"run_id": "' + b"a" * 100_000 + b'", "instances": [[1, 2]]}', None),
            (b'{"' + b"a" * 100_000 + b'": 1}', "fields"),
        ],
        ids=range(12),
    )
    def test_large_malformed_bodies_are_told_what_is_wrong(
        self,
        client: TestClient,
        folder: Path,
        save_scaling: Callable[..., None],
        body: bytes,
        message: str | None,
    ) -> None:
        save_scaling(folder)
        if message is None:
            refused(client, 404, body)
            return
        problem = refused(client, 422, body)
        assert message in problem["detail"]
        assert len(problem["errors"][0]["message"]) < 1000
