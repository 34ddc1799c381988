"""Ensembles of tiny models, resolved and scored as arrays, without JSON."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from app.calls import WaitingLine
from app.database import Database
from app.errors import InvalidDocument, NotFound
from app.models.names import ModelNames
from app.predictions.classes import classes, votes
from app.predictions.service import Predictor
from app.predictions.targets import EnsembleTarget, RunTarget, Target
from app.runs.files import RunFiles
from tests.support.onnx_models import add_finished_run, add_scaling_run

ROWS = np.float32([[0.1, 0.4], [0.6, 0.2]])


@pytest.fixture
def predictor(database: Database, tmp_path: Path, save_scaling: Callable[..., None]) -> Iterator[Predictor]:
    for factor in (1, 2, 6):
        add_scaling_run(database, tmp_path, f"run_{factor}", float(factor))
    add_finished_run(database, "run_wide")
    save_scaling(tmp_path / "artifacts" / "run_wide", width=3)
    predictor = Predictor(
        RunFiles(tmp_path), database, ModelNames(database), capacity=2, call_seconds=1.0, line=WaitingLine(9)
    )
    yield predictor
    predictor.close()


def score(predictor: Predictor, target: Target, rows: np.ndarray = ROWS) -> np.ndarray:
    async def work() -> np.ndarray:
        served = await predictor.resolve(target)
        assert served.target == target
        return (await predictor.score(served.scorer, {"x": rows}))["dense"]

    return asyncio.run(work())


def run(work: Awaitable[object]) -> None:
    async def wait() -> None:
        await work

    asyncio.run(wait())


def test_a_run_scores_arrays_small_and_large(predictor: Predictor) -> None:
    assert_array_equal(score(predictor, RunTarget("run_2")), 2 * ROWS)
    many = np.tile(ROWS, (50_000, 1))
    assert_array_equal(score(predictor, RunTarget("run_2"), many), 2 * many)


def test_an_ensemble_has_the_mean_of_its_members(predictor: Predictor) -> None:
    target = EnsembleTarget(("run_1", "run_2", "run_6"), "mean")
    np.testing.assert_allclose(score(predictor, target), 3 * ROWS, rtol=1e-6)
    assert score(predictor, target).dtype == np.float32


def test_a_vote_has_the_share_of_members_for_each_class(predictor: Predictor) -> None:
    assert_array_equal(score(predictor, EnsembleTarget(("run_1", "run_2"), "vote")), [[0, 1], [1, 0]])


def test_one_element_is_a_vote_for_class_one_just_above_a_half() -> None:
    assert_array_equal(votes(np.float32([[0.5], [0.6]]), None), [[0], [1]])
    assert_array_equal(votes(np.float32([[0.2, 0.2, 0.1]]), None), [[1, 0, 0]])


def test_the_class_is_the_largest_element_or_yes() -> None:
    assert_array_equal(classes(np.float32([[0.2, 0.7, 0.7], [0.9, 0, 0]]), None), [1, 0])
    assert_array_equal(classes(np.float32([[0.2], [0.7]]), None), [0, 1])
    assert_array_equal(classes(np.float32([0.2, 0.7]), None), [0, 1])
    assert_array_equal(classes(np.float32([[0.2, 0.7, 0.6]]), 0.5), [[0, 1, 1]])
    assert_array_equal(classes(np.float32([[-0.2], [0.1]]), 0.0), [0, 1])


def test_members_of_other_shapes_are_refused(predictor: Predictor) -> None:
    with pytest.raises(InvalidDocument) as caught:
        run(predictor.resolve(EnsembleTarget(("run_1", "run_2", "run_wide"), "mean")))
    assert caught.value.problems[0].pointer == "/run_ids/2"


def test_an_absent_member_is_not_found(predictor: Predictor) -> None:
    with pytest.raises(NotFound, match="run_3"):
        run(predictor.resolve(EnsembleTarget(("run_1", "run_3"), "mean")))
