"""Sweeps on a real database, trained in this process."""

import itertools
import shutil
import sqlite3
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

from app.sweeps import rounds, schemas
from app.sweeps.planning import next_round
from app.sweeps.service import get_sweep
from tests.support.documents import tiny_document
from tests.support.stored import InProcess

RATE = "/optimizer/learning_rate"


@pytest.fixture(scope="module")
def kerb(migrated_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[InProcess]:
    folder = tmp_path_factory.mktemp("sweeps")
    shutil.copy(migrated_file, folder / "kerb.db")
    service = InProcess(folder)
    yield service
    service.database.close()


def base(epochs: int = 3, **fields: Any) -> dict[str, Any]:
    """A run that writes no files, so that it takes a moment."""
    return tiny_document(epochs, export=False, optimizer={"type": "SGD", "learning_rate": 0.1}, **fields)


def document(**fields: Any) -> dict[str, Any]:
    return {
        "base": base(),
        "axes": [{"pointer": RATE, "values": [0.01, 0.5]}],
        "repeats": 3,
        "objectives": [{"metric": "loss", "goal": "minimize"}],
        **fields,
    }


@pytest.fixture(scope="module")
def sweep(kerb: InProcess) -> dict[str, Any]:
    return kerb.sweep(document(name="rates", folds=2))


def test_a_grid_is_trained_over_seeds_and_folds(kerb: InProcess, sweep: dict[str, Any]) -> None:
    schemas.Sweep.model_validate(sweep)
    assert (sweep["status"], sweep["progress"]) == ("succeeded", {"finished": 12, "total": 12, "failed": 0})
    assert [row["parameters"] for row in sweep["table"]] == [{RATE: 0.01}, {RATE: 0.5}]
    listed = kerb.client.get("/runs", params={"tag": f"sweep:{sweep['id']}", "limit": 500}).json()["items"]
    places = {
        (
            run["spec"]["optimizer"]["learning_rate"],
            run["spec"]["seed"],
            run["spec"]["split"]["fold"]["index"],
        )
        for run in listed
    }
    assert places == set(itertools.product((0.01, 0.5), (0, 1, 2), (0, 1)))


def losses(kerb: InProcess, run_ids: list[str]) -> list[float]:
    return [kerb.client.get(f"/runs/{run_id}/metrics").json()["series"]["loss"][-1] for run_id in run_ids]


def test_the_table_has_means_deviations_and_intervals(kerb: InProcess, sweep: dict[str, Any]) -> None:
    for row in sweep["table"]:
        values = losses(kerb, row["run_ids"])
        found = row["metrics"]["loss"]
        interval = stats.t.interval(0.95, 5, np.mean(values), stats.sem(values))
        assert found["n"] == len(values) == 6
        assert found["mean"] == pytest.approx(np.mean(values))
        assert found["std"] == pytest.approx(np.std(values, ddof=1))
        assert found["ci95"] == pytest.approx(interval)
        assert {
            "val_loss",
            "train/classification/accuracy",
            "train/elements_above/0.5/per_sample/mean",
            "validation/activation_sparsity/dense/mean_activation",
        } <= row["metrics"].keys()


def test_the_best_setting_is_a_document(kerb: InProcess, sweep: dict[str, Any]) -> None:
    means = [row["metrics"]["loss"]["mean"] for row in sweep["table"]]
    assert sweep["best"]["setting"] == int(np.argmin(means))
    assert sweep["front"] == [sweep["best"]["setting"]]
    assert sweep["best"]["document"]["optimizer"]["learning_rate"] == sweep["best"]["parameters"][RATE]
    assert kerb.client.post("/runs/validate", json=sweep["best"]["document"]).status_code == 200


def test_two_settings_are_compared_pair_by_pair(kerb: InProcess, sweep: dict[str, Any]) -> None:
    path = f"/sweeps/{sweep['id']}/compare"
    found = kerb.client.get(path, params={"a": 0, "b": 1, "metric": "loss"}).json()
    a, b = (losses(kerb, row["run_ids"]) for row in sweep["table"])
    assert [pair["difference"] for pair in found["pairs"]] == pytest.approx(np.subtract(b, a))
    assert [(pair["repeat"], pair["fold"]) for pair in found["pairs"]] == list(
        itertools.product(range(3), range(2))
    )
    assert found["t_test"]["p_value"] == pytest.approx(stats.ttest_rel(b, a).pvalue)
    assert found["wilcoxon"]["p_value"] == pytest.approx(stats.wilcoxon(b, a).pvalue)
    assert kerb.client.get(path, params={"a": 0, "b": 2, "metric": "loss"}).status_code == 404


def test_the_table_is_csv_and_a_curve(kerb: InProcess, sweep: dict[str, Any]) -> None:
    answer = kerb.client.get(f"/sweeps/{sweep['id']}/table", headers={"Accept": "text/csv"})
    header, *lines = answer.text.splitlines()
    assert header.startswith(f"setting,rung,{RATE},loss mean,loss std,loss ci95_low,loss ci95_high,loss n,")
    assert float(lines[1].split(",")[3]) == sweep["table"][1]["metrics"]["loss"]["mean"]
    answer = kerb.client.get(f"/sweeps/{sweep['id']}/tradeoff", params={"x": "loss", "y": "val_loss"})
    points = answer.json()["points"]
    assert [point["x"] for point in points] == sorted(
        row["metrics"]["loss"]["mean"] for row in sweep["table"]
    )


def test_choices_change_several_fields_and_later_axes_undo_earlier_ones(kerb: InProcess) -> None:
    regularizer = {"l1": 0, "l2": 0, "reduction": "sum"}
    layers = [{"type": "Dense", "units": 1, "activity_regularizer": regularizer}]
    place = "/model/layers/0/activity_regularizer"
    both = [f"{place}/l1", f"{place}/l2"]
    axes = [
        {"name": "strength", "pointer": both, "range": [1e-3, 1e-1], "scale": "log", "points": 3},
        {"name": "norm", "choice": {"l1": {f"{place}/l2": 0}, "l2": {f"{place}/l1": 0}, "both": {}}},
    ]
    posted = document(base=base(1, model={"layers": layers}, loss="mean_squared_error"), axes=axes, repeats=1)
    answer = kerb.client.post("/sweeps", json=posted)
    assert answer.status_code == 201, answer.text
    rows = answer.json()["table"]
    assert [row["parameters"]["strength"] for row in rows[::3]] == pytest.approx([0.001, 0.01, 0.1])
    runs = kerb.client.get("/runs", params={"tag": f"sweep:{answer.json()['id']}"}).json()["items"]
    second = runs[::-1][4]["spec"]["model"]["layers"][0]["activity_regularizer"]
    assert (second["l1"], second["l2"]) == (0, pytest.approx(0.01))
    assert kerb.client.post(f"/sweeps/{answer.json()['id']}/cancel").json()["status"] == "cancelled"
    ended = kerb.client.get(f"/sweeps/{answer.json()['id']}").json()
    assert ended["progress"] == {"finished": 9, "total": 9, "failed": 0}
    assert kerb.client.post(f"/sweeps/{answer.json()['id']}/cancel").status_code == 200


def test_random_settings_come_from_the_seed(kerb: InProcess) -> None:
    axes = [
        {"pointer": RATE, "range": [1e-4, 1], "scale": "log"},
        {"pointer": "/fit/batch_size", "range": [1, 4], "integer": True},
    ]
    tables = []
    for seed in (1, 1, 2):
        search = {"type": "random", "trials": 20, "seed": seed}
        answer = kerb.client.post("/sweeps", json=document(axes=axes, search=search, repeats=1)).json()
        kerb.client.post(f"/sweeps/{answer['id']}/cancel")
        tables.append([row["parameters"] for row in answer["table"]])
    assert tables[0] == tables[1] != tables[2]
    rates = [row[RATE] for row in tables[0]]
    assert min(rates) < 1e-3 < 0.1 < max(rates)
    assert {row["/fit/batch_size"] for row in tables[0]} == {1, 2, 3, 4}


def test_successive_halving_trains_the_best_for_longer(kerb: InProcess) -> None:
    rates = [1e-4, 1e-3, 0.01, 0.1, 0.5, 1.0]
    halving = {"epochs": 2, "factor": 3}
    posted = document(base=base(18), axes=[{"pointer": RATE, "values": rates}], repeats=1, halving=halving)
    ended = kerb.sweep(posted)
    assert ended["status"] == "succeeded"
    assert [row["rung"] for row in ended["table"]] == [0, 0, 0, 0, 1, 2]
    assert ended["best"]["parameters"] == {RATE: 1.0}
    assert ended["progress"] == {"finished": 9, "total": 9, "failed": 0}
    (run_id,) = ended["best"]["run_ids"]
    assert kerb.client.get(f"/runs/{run_id}").json()["progress"]["epoch"] == 18


def test_a_guided_search_goes_on_from_its_results(kerb: InProcess) -> None:
    axes = [{"pointer": RATE, "range": [1e-4, 1.0], "scale": "log"}]
    posted = document(
        base=base(2),
        axes=axes,
        search={"type": "guided", "trials": 4, "seed": 3},
        repeats=1,
        limits=[{"metric": "loss", "at_most": 10}],
    )
    tables = [kerb.sweep(posted)["table"] for _ in range(2)]
    assert len(tables[0]) == 4
    assert [row["parameters"] for row in tables[0]] == [row["parameters"] for row in tables[1]]


def guided_round_ended(kerb: InProcess) -> str:
    """A guided sweep whose first run has ended, and whose second isn't proposed yet; its id."""
    axes = [{"pointer": RATE, "range": [1e-4, 1.0], "scale": "log"}]
    posted = document(base=base(1), axes=axes, search={"type": "guided", "trials": 2}, repeats=1)
    sweep_id: str = kerb.client.post("/sweeps", json=posted).json()["id"]
    assert kerb.work()
    return sweep_id


def count_runs(kerb: InProcess, sweep_id: str) -> int:
    total: int = kerb.client.get(f"/sweeps/{sweep_id}").json()["progress"]["total"]
    listed = kerb.client.get("/runs", params={"tag": f"sweep:{sweep_id}"}).json()["items"]
    assert total == 2
    return len(listed)


def test_others_may_write_while_a_search_proposes(kerb: InProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    sweep_id = guided_round_ended(kerb)
    written = []

    def while_another_writes(*arguments: Any) -> Any:
        # One connection that doesn't wait: a transaction that held the lock would be an error here.
        with sqlite3.connect(kerb.settings.data_dir / "kerb.db", timeout=0) as other:
            written.append(other.execute("UPDATE sweeps SET name = 'new' WHERE id = ?", (sweep_id,)).rowcount)
        other.close()
        return next_round(*arguments)

    monkeypatch.setattr(rounds, "next_round", while_another_writes)
    rounds.carry_on(kerb.database)
    assert written == [1]
    assert count_runs(kerb, sweep_id) == 2
    assert kerb.work()


def test_workers_that_plan_at_the_same_time_queue_a_round_once(
    kerb: InProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    sweep_id = guided_round_ended(kerb)
    planning = threading.Barrier(3)

    def at_the_same_time(*arguments: Any) -> Any:
        planning.wait(60)
        return next_round(*arguments)

    monkeypatch.setattr(rounds, "next_round", at_the_same_time)
    with ThreadPoolExecutor(3) as workers:
        for carried in [workers.submit(rounds.carry_on, kerb.database) for _ in range(3)]:
            carried.result()
    assert count_runs(kerb, sweep_id) == 2
    assert kerb.work()


def test_runs_that_fail_are_counted_and_left_out(kerb: InProcess) -> None:
    ended = kerb.sweep(diverging([0.1, 1e30], 3))
    assert (ended["status"], ended["progress"]["failed"]) == ("succeeded", 1)
    assert ended["table"][1]["metrics"] == {}
    assert ended["best"]["setting"] == 0


def diverging(rates: list[float], epochs: int, **fields: Any) -> dict[str, Any]:
    """A sweep of linear models; a rate of 1e30 fails in the second epoch."""
    posted = document(base=base(epochs), axes=[{"pointer": RATE, "values": rates}], repeats=1, **fields)
    posted["base"] |= {"loss": "mean_squared_error", "model": {"layers": [{"type": "Dense", "units": 1}]}}
    return posted


def test_a_sweep_of_which_no_run_succeeds_fails(kerb: InProcess) -> None:
    ended = kerb.sweep(diverging([1e30], 3))
    assert (ended["status"], ended["best"]) == ("failed", None)
    assert ended["progress"] == {"finished": 1, "total": 1, "failed": 1}
    assert ended["error"]["code"] == "runs_failed"
    assert "finite" in ended["error"]["message"]


def test_a_round_in_which_all_fail_is_the_last(kerb: InProcess) -> None:
    ended = kerb.sweep(diverging([1e30], 4, halving={"epochs": 1, "factor": 2}))
    assert ended["status"] == "succeeded"
    assert [row["rung"] for row in ended["table"]] == [0]
    assert ended["progress"] == {"finished": 2, "total": 2, "failed": 1}


def test_a_sweep_that_cannot_go_on_fails_alone(kerb: InProcess) -> None:
    answer = kerb.client.post("/sweeps", json=document(repeats=1))
    sweep_id = answer.json()["id"]
    with kerb.database.writing() as session:  # as an older version might have left it
        row = get_sweep(session, sweep_id)
        row.document = row.document | {"search": "of another time"}
    other = kerb.sweep(document(repeats=1))

    assert other["status"] == "succeeded"
    with kerb.database.reading() as session:
        row = get_sweep(session, sweep_id)
        assert (row.status, row.error and row.error["code"]) == ("failed", "invalid_document")


@pytest.mark.parametrize(
    ("fields", "pointer", "message"),
    [
        ({"axes": [{"pointer": "/optimiser/rate", "values": [1]}]}, "/axes/0/pointer", 'no "optimiser" in'),
        ({"axes": [{"pointer": RATE, "values": [0.1, "a"]}]}, "/base/optimizer/learning_rate", "'a'"),
        ({"axes": [{"pointer": RATE, "range": [0.1, 1]}]}, "/axes/0", "a number of points with a grid"),
        ({"axes": [{"pointer": RATE, "range": [0, 1], "scale": "log"}]}, "/axes/0/range", "above 0"),
        ({"axes": [{"pointer": RATE}]}, "/axes/0", "values, range or choice"),
        ({"folds": 9}, "/folds/count", "at most 4 folds"),
        ({"folds": {"count": 2, "kind": "grouped"}}, "/folds/kind", "a group of each sample"),
        ({"base": base(split={"train": {"rows": [0, 2]}}), "folds": 2}, "/base/split", "no split beside"),
        ({"search": {"type": "guided", "trials": 2}, "objectives": []}, "/objectives", "an objective"),
        ({"search": "best"}, "/search", '"grid"'),
        ({"repeats": 1000, "folds": 4}, "", None),
        ({"limits": [{"metric": "loss"}]}, "/limits/0", "received neither"),
        ({"ax": []}, "/ax", 'Did you mean "axes"?'),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused(
    kerb: InProcess, fields: dict[str, Any], pointer: str, message: str | None
) -> None:
    posted = document(**fields)
    if message is None:
        posted["axes"] = [{"pointer": RATE, "values": [0.1, 0.2, 0.3]}]
        message = "at most 10000 runs"
    answer = kerb.client.post("/sweeps", json=posted)
    assert answer.status_code == 422
    error = answer.json()["errors"][0]
    assert error["pointer"] == pointer
    assert message in error["message"]


def test_a_run_without_export_has_figures_and_no_model(kerb: InProcess) -> None:
    run = kerb.train(base(1))
    artifacts = kerb.client.get(f"/runs/{run['id']}/artifacts").json()["items"]
    assert not {"model.keras", "model.onnx", "signature.json"} & {file["name"] for file in artifacts}
    answer = kerb.client.post("/predict", json={"run_id": run["id"], "instances": [[0, 1]]})
    assert answer.status_code == 409
    assert kerb.client.get(f"/runs/{run['id']}/statistics").json()["splits"]["train"]
    assert kerb.train(base(1, start_from=run["id"]))["status"] == "succeeded"


def test_runs_are_put_side_by_side(kerb: InProcess) -> None:
    weighted = {"type": "weighted_binary_crossentropy", "false_negative_weight": 3}
    runs = [kerb.train(base(2, name=str(loss), loss=loss)) for loss in ("binary_crossentropy", weighted)]
    ids = ",".join(run["id"] for run in runs)
    found = kerb.client.get("/runs/compare", params={"ids": ids}).json()
    assert [run["id"] for run in found["runs"]] == [run["id"] for run in runs]
    assert found["same_data"] is True
    assert found["differences"]["/loss/type"] == ["binary_crossentropy", "weighted_binary_crossentropy"]
    assert found["differences"]["/loss/false_negative_weight"] == [{"absent": True}, 3]
    assert all(pointer.startswith("/loss/") for pointer in found["differences"])
    for place, run in enumerate(runs):
        figures = kerb.client.get(f"/runs/{run['id']}/statistics").json()["splits"]["train"]["classification"]
        for name in ("accuracy", "precision", "recall", "f1_score"):
            assert found["metrics"][f"train/classification/{name}"][place] == figures[name]
    assert kerb.client.get("/runs/compare", params={"ids": runs[0]["id"]}).status_code == 422
    (problem,) = kerb.client.get("/runs/compare").json()["errors"]
    assert problem["message"] == "Expected the parameter 'ids', as it is required; received none."
    assert kerb.client.get("/runs/compare", params={"ids": ids + ",run_0"}).status_code == 404
