"""Runs on stored datasets: preprocessing equals scikit-learn's, is served with the model, leaks nothing."""

import io
import shutil
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np
import onnxruntime
import pyarrow
import pytest
from pyarrow import csv, parquet
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, OneHotEncoder, OrdinalEncoder, StandardScaler

from app.datasets.service import DatasetFiles, load_stored, open_stored
from app.errors import InvalidDocument
from app.spec.dataset import RunData
from app.spec.features import encode, fit_features
from app.spec.parsing import parse_run
from app.spec.space import RowsOnDemand
from app.spec.split import split_rows
from app.spec.stored_dataset import StoredDataset
from app.training.fit import fit_run
from tests.support.stored import InProcess
from tests.support.training import Recorder

ROWS, TRAIN = 60, 40
RANDOM = np.random.default_rng(7)
CITIES = RANDOM.choice(["Rome", "Oslo", "Bern"], ROWS)
AGE = np.round(RANDOM.normal(1e4, 3, ROWS), 3)
INCOME: Any = np.where(np.arange(ROWS) % 5 == 1, None, RANDOM.integers(1, 9, ROWS))
LEVEL = RANDOM.choice([2, 3, 5], ROWS)
TABLE = {
    "age": AGE,
    "income": list(INCOME),
    "city": CITIES,
    "level": LEVEL,
    "bought": (AGE > 1e4).astype(int),
    "weight": RANDOM.uniform(0.5, 2, ROWS),
    "part": np.where(np.arange(ROWS) % 2, "b", "a"),
}
FEATURES: list[Any] = [
    {"column": "age", "scaling": "standard"},
    {"column": "city", "encoding": "one_hot"},
    {"column": "income", "scaling": "min_max", "missing": "mean"},
    {"column": "level", "encoding": "integer"},
]


@pytest.fixture(scope="module")
def kerb(migrated_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[InProcess]:
    folder = tmp_path_factory.mktemp("stored")
    shutil.copy(migrated_file, folder / "kerb.db")
    service = InProcess(folder)
    yield service
    service.database.close()


@pytest.fixture(scope="module")
def dataset_id(kerb: InProcess) -> str:
    return kerb.upload(TABLE)


def document(dataset_id: str, features: Any = None, **dataset: Any) -> dict[str, Any]:
    return {
        "dataset": {"id": dataset_id, "features": features or FEATURES, "target": "bought", **dataset},
        "split": {"train": {"rows": [0, TRAIN]}, "validation": {"rows": [TRAIN, ROWS]}},
        "model": {"layers": [{"type": "Dense", "units": 1, "activation": "sigmoid"}]},
        "loss": "binary_crossentropy",
        "fit": {"epochs": 2},
    }


@pytest.fixture(scope="module")
def run(kerb: InProcess, dataset_id: str) -> dict[str, Any]:
    posted = document(dataset_id, sample_weight="weight", group="part", columns=["age"])
    limit = {"type": "accuracy", "where": "a"}
    run = kerb.train({**posted, "constraints": [{"quantity": limit, "at_least": 0.1}]})
    assert run["status"] == "succeeded", run["error"]
    return run


def by_hand() -> np.ndarray:
    """What scikit-learn makes of the table, fitted on the training rows."""
    income = np.array([np.nan if value is None else value for value in INCOME], float)[:, None]
    fill = make_pipeline(SimpleImputer(), MinMaxScaler())
    parts = [
        (StandardScaler(), AGE[:, None]),
        (OneHotEncoder(sparse_output=False), CITIES[:, None]),
        (fill, income),
        (OrdinalEncoder(), LEVEL[:, None]),
    ]
    return np.concatenate([tool.fit(values[:TRAIN]).transform(values) for tool, values in parts], axis=1)


def loaded(kerb: InProcess, posted: dict[str, Any]) -> RunData:
    """What a run of a document would load."""
    dataset = parse_run(posted).dataset
    assert isinstance(dataset, StoredDataset)
    with kerb.database.reading() as session:
        return load_stored(session, DatasetFiles(kerb.settings.data_dir), dataset)


def encoded(kerb: InProcess, posted: dict[str, Any]) -> np.ndarray:
    """What the model's first layer takes, of all rows."""
    data = loaded(kerb, posted)
    (raw,), (features,) = data.inputs.values(), data.features.values()
    return encode(fit_features(features, raw[:TRAIN]), raw, np.arange(ROWS))


def test_encodings_and_scalings_equal_scikit_learns(kerb: InProcess, dataset_id: str) -> None:
    np.testing.assert_allclose(encoded(kerb, document(dataset_id)), by_hand(), rtol=1e-6, atol=1e-6)


def test_nothing_of_other_rows_leaks_into_what_is_fitted(kerb: InProcess) -> None:
    planted = {name: np.array(values, object) for name, values in TABLE.items()}
    planted["age"][TRAIN:] += 1e6
    planted["income"][TRAIN:] = 500
    changed = kerb.upload({name: pyarrow.array(list(values)) for name, values in planted.items()})
    before, after = encoded(kerb, document(kerb.upload(TABLE))), encoded(kerb, document(changed))
    np.testing.assert_array_equal(after[:TRAIN], before[:TRAIN])
    assert abs(after[TRAIN:] - before[TRAIN:]).max() > 1e4  # the leak was there to be seen
    leaky = encoded(kerb, document(changed, [{"column": "age", "scaling": "standard"}]))
    assert leaky[TRAIN:].mean() > 1e4


def test_a_category_that_no_training_row_has_is_an_error_or_zeros(kerb: InProcess) -> None:
    cities = CITIES.astype(object)
    cities[TRAIN + 3] = "Zug"
    stored = kerb.upload(TABLE | {"city": list(cities)})
    with pytest.raises(InvalidDocument, match=r'/dataset/features/0: .*"Zug" in row 43'):
        encoded(kerb, document(stored, [{"column": "city", "encoding": "one_hot"}]))
    ignoring = encoded(
        kerb, document(stored, [{"column": "city", "encoding": "one_hot", "unknown": "ignore"}])
    )
    tool = OneHotEncoder(sparse_output=False, handle_unknown="ignore").fit(cities[:TRAIN, None])
    np.testing.assert_array_equal(ignoring[:, :3], tool.transform(cities[:, None]))
    assert not ignoring[TRAIN + 3].any()


def raw_rows(count: int = 8) -> list[list[Any]]:
    """Rows from `TRAIN` on, as they are stored."""
    columns = [AGE.tolist(), CITIES.tolist(), list(INCOME), LEVEL.tolist()]
    rows = [list(row) for row in zip(*columns, strict=True)][TRAIN : TRAIN + count]
    assert any(row[2] is None for row in rows)
    return [[value if not isinstance(value, np.integer) else int(value) for value in row] for row in rows]


def keras_predictions(kerb: InProcess, run: dict[str, Any]) -> np.ndarray:
    """What the model predicts for the same rows, preprocessed by hand, by the weights of its last layer."""
    path = kerb.settings.data_dir / "artifacts" / run["id"] / "model.keras"
    kernel, bias = keras.models.load_model(path).get_layer("dense").get_weights()
    return np.asarray(1 / (1 + np.exp(-(by_hand()[TRAIN : TRAIN + 8] @ kernel + bias))))


def test_every_interface_takes_raw_values(kerb: InProcess, run: dict[str, Any]) -> None:
    rows, names = raw_rows(), ["age", "city", "income", "level"]
    columns = {name: [row[place] for row in rows] for place, name in enumerate(names)}
    objects = [dict(zip(names, row, strict=True)) for row in rows]
    table = pyarrow.table(columns)
    expected = keras_predictions(kerb, run)
    answers = []
    for data in ({"instances": rows}, {"instances": objects}, {"instances": columns}, {"columns": columns}):
        answer = kerb.client.post("/predict", json={"run_id": run["id"], **data})
        assert answer.status_code == 200, answer.text
        answers.append(answer.json()["predictions"])
    for form, write in (("text/csv", csv.write_csv), ("application/vnd.apache.parquet", parquet.write_table)):
        sink = io.BytesIO()
        write(table, sink)
        headers = {"Content-Type": form, "Accept": "application/json"}
        answer = kerb.client.post(f"/predict?run_id={run['id']}", content=sink.getvalue(), headers=headers)
        assert answer.status_code == 200, answer.text
        answers.append(answer.json()["predictions"])
    answer = kerb.client.post(f"/v1/models/{run['id']}:predict", json={"instances": objects})
    answers.append(answer.json()["predictions"])
    kinds = {"age": "FP64", "city": "BYTES", "income": "FP64", "level": "INT64"}
    told = kerb.client.get(f"/v2/models/{run['id']}").json()["inputs"]
    assert told == [{"name": n, "datatype": kinds[n], "shape": [-1]} for n in names]
    tensors = [{"name": n, "shape": [8], "datatype": kinds[n], "data": columns[n]} for n in names]
    answer = kerb.client.post(f"/v2/models/{run['id']}/infer", json={"inputs": tensors})
    assert answer.status_code == 200, answer.text
    answers.append(np.reshape(answer.json()["outputs"][0]["data"], (8, 1)))
    for predictions in answers:
        np.testing.assert_allclose(predictions, expected, rtol=1e-5)


def test_the_files_take_codes_for_categories(kerb: InProcess, run: dict[str, Any]) -> None:
    folder = kerb.settings.data_dir / "artifacts" / run["id"]
    names = sorted(set(CITIES))
    rows = np.array(
        [[a, names.index(c), np.nan if i is None else i, [2, 3, 5].index(v)] for a, c, i, v in raw_rows()]
    )
    expected = keras_predictions(kerb, run)
    session = onnxruntime.InferenceSession(folder / "model.onnx", providers=["CPUExecutionProvider"])
    (input_name,) = [tensor.name for tensor in session.get_inputs()]
    np.testing.assert_allclose(session.run(None, {input_name: rows})[0], expected, rtol=1e-5)
    model = keras.models.load_model(folder / "model.keras")
    np.testing.assert_allclose(np.asarray(model(rows)), expected, rtol=1e-5)


@pytest.mark.parametrize(
    ("row", "pointer", "message"),
    [
        ([1, "Paris", 2, 3], "/instances/0/1", '"Bern", "Oslo", "Rome"; received "Paris".'),
        ([1, "Rome", 2, 4], "/instances/0/3", '"2", "3", "5"; received 4.'),
        ([None, "Rome", 2, 3], "/instances/0/0", "Expected a number; received null."),
        ([1, "Rome", "2", 3], "/instances/0/2", 'Expected a number; received "2".'),
        ([1, "Rome", 2], "/instances/0", "Expected a list of 4 numbers; received a list of 3."),
    ],
)
def test_wrong_raw_values_are_told(
    kerb: InProcess, run: dict[str, Any], row: list[Any], pointer: str, message: str
) -> None:
    answer = kerb.client.post("/predict", json={"run_id": run["id"], "instances": [row]})
    assert answer.status_code == 422
    (error,) = answer.json()["errors"]
    assert error["pointer"] == pointer
    assert message in error["message"]


def test_figures_after_the_fact_come_from_the_stored_rows(kerb: InProcess, run: dict[str, Any]) -> None:
    statistics = kerb.client.get(f"/runs/{run['id']}/statistics").json()["splits"]["validation"]
    answer = kerb.client.post(f"/runs/{run['id']}/evaluate", json={"split": "validation"})
    assert answer.status_code == 200, answer.text
    counted, told = answer.json()["classification"], statistics["classification"]
    # ONNX Runtime and Keras round differently, which the means of predictions show.
    errors = [figures.pop("calibration")["expected_calibration_error"] for figures in (counted, told)]
    assert errors[0] == pytest.approx(errors[1], rel=1e-6)
    assert counted == told


def test_images_are_bytes_with_a_factor(kerb: InProcess) -> None:
    images = np.random.default_rng(1).integers(0, 256, (12, 4, 4, 1), np.uint8)
    stored = kerb.upload_arrays(image=images, label=np.arange(12) % 3)
    posted = document(stored, [{"column": "image", "scaling": 1 / 255}], target="label")
    posted |= {"split": None, "loss": "sparse_categorical_crossentropy"}
    posted["model"] = {
        "layers": [{"type": "Flatten"}, {"type": "Dense", "units": 3, "activation": "softmax"}]
    }
    run = kerb.train(posted)
    assert run["status"] == "succeeded", run["error"]
    path = kerb.settings.data_dir / "artifacts" / run["id"] / "model.keras"
    kernel, bias = keras.models.load_model(path).get_layer("dense").get_weights()
    logits = images.reshape(12, 16) / 255 @ kernel + bias
    expected = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    answer = kerb.client.post("/predict", json={"run_id": run["id"], "instances": images.tolist()})
    np.testing.assert_allclose(answer.json()["predictions"], expected, rtol=1e-5)


def test_rows_without_a_value_are_dropped_when_asked(kerb: InProcess, dataset_id: str) -> None:
    posted = document(dataset_id, ["age", "income"], missing="drop")
    rows = split_rows(parse_run(posted).split, loaded(kerb, posted))
    complete = [row for row, value in enumerate(INCOME) if value is not None]
    assert rows["train"].tolist() == [row for row in complete if row < TRAIN]
    assert rows["validation"].tolist() == [row for row in complete if row >= TRAIN]


@pytest.mark.parametrize(
    ("dataset", "pointer", "message"),
    [
        ({"id": "ds_" + "0" * 26}, "/dataset/id", "There is no dataset"),
        ({"features": ["ag"]}, "/dataset/features/0", 'received "ag". Did you mean "age"?'),
        ({"features": ["city"]}, "/dataset/features/0", 'a column of string. Give it an "encoding".'),
        ({"features": [{"column": "age", "encoding": "one_hot"}]}, "/dataset/features/0", "at most 1000"),
        ({"features": ["income"]}, "/dataset/features/0", "(from 0) first; received none."),
        ({"features": {"a": ["age"], "b": ["level"]}}, "/model/layers/0", "Expected an Input layer"),
        ({"target": "city"}, "/dataset/target/0", "a column of string"),
        ({"target": {"column": "level"}}, "/dataset/target", "targets in [0, 1] for binary_crossentropy"),
        ({"target": ["income"]}, "/dataset/target/0", "a rule for missing values"),
        ({"sample_weight": "city"}, "/dataset/sample_weight", "Expected a column of numbers"),
        ({"group": "weight"}, "/dataset/group", "Expected a column of texts or integers"),
        ({"columns": ["nothing"]}, "/dataset/columns/0", 'received "nothing"'),
        ({"feature": ["age"]}, "/dataset/feature", 'Did you mean "features"?'),
    ],
)
def test_what_does_not_fit_is_told_before_anything_is_trained(
    kerb: InProcess, dataset_id: str, dataset: dict[str, Any], pointer: str, message: str
) -> None:
    posted = document(dataset_id)
    posted["dataset"] |= dataset
    answer = kerb.client.post("/runs", json=posted)
    assert answer.status_code == 422
    error = answer.json()["errors"][0]
    assert error["pointer"] == pointer
    assert message in error["message"]


def test_rows_beyond_the_dataset_are_refused(kerb: InProcess, dataset_id: str) -> None:
    posted = document(dataset_id) | {"split": {"train": {"rows": [0, ROWS + 1]}}}
    answer = kerb.client.post("/runs/validate", json=posted)
    assert answer.json()["errors"][0]["pointer"] == "/split/train/rows"


def test_a_dataset_stays_while_a_run_needs_it(kerb: InProcess) -> None:
    stored = kerb.upload({"x": [1.0, 2.0], "bought": [0, 1]})
    posted = document(stored, ["x"]) | {"split": None}
    run_id = kerb.client.post("/runs", json=posted).json()["id"]
    assert kerb.client.delete(f"/datasets/{stored}").status_code == 409
    kerb.client.post(f"/runs/{run_id}/cancel")
    assert kerb.client.delete(f"/datasets/{stored}").status_code == 204


def test_samples_that_are_mapped_train_as_those_in_memory(kerb: InProcess, dataset_id: str) -> None:
    posted = document(dataset_id, sample_weight="weight", group="part", columns=["age"])
    spec = parse_run(posted | {"fit": {"epochs": 5, "batch_size": 7}})
    assert isinstance(spec.dataset, StoredDataset)
    fitted = []
    for most_bytes in (None, 0):
        with kerb.database.reading() as session:
            files = DatasetFiles(kerb.settings.data_dir)
            data = load_stored(session, files, spec.dataset, most_bytes)
        (inputs,) = data.inputs.values()
        assert isinstance(inputs, np.memmap) == (most_bytes == 0)
        fitted.append(fit_run(spec, Recorder(), stored=data))
    in_memory, mapped = fitted
    np.testing.assert_equal(mapped.statistics, in_memory.statistics)
    for split, predictions in in_memory.predictions.items():
        np.testing.assert_allclose(mapped.predictions[split]["dense"], predictions["dense"], atol=1e-6)
    assert [path.name for path in files.folder(dataset_id).iterdir()] == ["data.arrow"]


def test_parquet_becomes_the_file_of_its_table_with_the_first_run(kerb: InProcess, dataset_id: str) -> None:
    stored = kerb.upload_parquet(TABLE)
    folder = DatasetFiles(kerb.settings.data_dir).folder(stored)
    assert [path.name for path in folder.iterdir()] == ["data.parquet"]
    histories = []
    for each in (stored, dataset_id, stored):
        run_id = kerb.client.post("/runs", json=document(each)).json()["id"]
        assert kerb.work()
        histories.append(kerb.client.get(f"/runs/{run_id}/metrics").json()["series"])
        assert [path.name for path in folder.iterdir()] == ["data.arrow"]
    assert len(histories[0]["loss"]) == 2
    assert [history["val_loss"] for history in histories] == [histories[0]["val_loss"]] * 3


def test_parquet_that_has_broken_on_the_disk_fails_its_runs_in_words(kerb: InProcess) -> None:
    stored = kerb.upload_parquet({**TABLE, "income": TABLE["age"]})
    path = DatasetFiles(kerb.settings.data_dir).folder(stored) / "data.parquet"
    path.write_bytes(b"PAR1" + bytes(200) + path.read_bytes()[204:])
    run_id = kerb.client.post("/runs", json=document(stored)).json()["id"]
    assert kerb.work()
    run = kerb.client.get(f"/runs/{run_id}").json()
    assert (run["status"], run["error"]["code"]) == ("failed", "storage_failed")
    assert "row group 0" in run["error"]["message"]


def opened(kerb: InProcess, posted: dict[str, Any]) -> RunData:
    """The same as `loaded`, with inputs that are read on demand."""
    dataset = parse_run(posted).dataset
    assert isinstance(dataset, StoredDataset)
    with kerb.database.reading() as session:
        return open_stored(session, DatasetFiles(kerb.settings.data_dir), dataset)


@pytest.mark.parametrize(
    ("features", "fields"),
    [
        (FEATURES, {"sample_weight": "weight", "group": "part", "columns": ["age"]}),
        (["age", "income"], {"missing": "drop"}),
        ([{"column": "income", "missing": "median"}, "age"], {"missing": "drop"}),
    ],
)
def test_rows_read_on_demand_are_those_in_memory(
    kerb: InProcess, dataset_id: str, features: list[Any], fields: dict[str, Any]
) -> None:
    posted = document(dataset_id, features, **fields)
    split = parse_run(posted | {"split": {"validation": {"fraction": 0.4}}}).split
    parts = []
    for data in (loaded(kerb, posted), opened(kerb, posted)):
        rows = split_rows(split, data)
        parts.append({name: data.rows(numbers) for name, numbers in rows.items()})
    for name, expected in parts[0].items():
        found = parts[1][name]
        assert found.samples == expected.samples
        for read, array in zip(found.inputs.values(), expected.inputs.values(), strict=True):
            assert not isinstance(read, np.ndarray)
            slices = [slice(first, first + 7) for first in range(0, expected.samples, 7)]
            np.testing.assert_array_equal(np.concatenate([read[part] for part in slices]), array)
        np.testing.assert_equal(found.targets, expected.targets)


def test_figures_of_large_data_are_counted_some_rows_at_a_time(kerb: InProcess) -> None:
    """Inputs that take 64 MB as they are read; the rows that are asked for lie all over them."""
    wide = np.random.default_rng(2).normal(size=(40_000, 200)).astype(np.float32)
    stored = kerb.upload_arrays(x=wide, bought=(wide[:, 0] > 0).astype(np.int64))
    posted = document(stored, ["x"]) | {"split": {"validation": {"fraction": 0.5}}}
    run = kerb.train(posted | {"fit": {"epochs": 1, "batch_size": 20_000}})
    assert run["status"] == "succeeded", run["error"]
    path = f"/runs/{run['id']}/evaluate"
    assert kerb.client.post(path, json={"split": "validation"}).status_code == 200  # opens the model
    tracemalloc.start()
    try:
        answer = kerb.client.post(path, json={"split": "validation"})
        _, most_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    told = kerb.client.get(f"/runs/{run['id']}/statistics").json()["splits"]["validation"]
    assert answer.json()["elements_above"] == told["elements_above"]
    assert answer.json()["samples"] == 20_000
    assert most_bytes < 32e6


def test_rows_far_apart_are_read_on_their_own() -> None:
    read: list[slice] = []

    def numbers(part: slice) -> np.ndarray:
        read.append(part)
        return np.arange(part.start, part.stop)[:, None]

    rows = np.array([3, 5, 9, 1_000_000, 1_000_001, 9_000_000])
    np.testing.assert_array_equal(RowsOnDemand(numbers, rows, 1000)[0:6], rows[:, None])
    np.testing.assert_array_equal(
        RowsOnDemand(numbers, rows, 1000).take(np.array([1, 4]))[1:2], [[1_000_001]]
    )
    assert max(part.stop - part.start for part in read) == 7
