import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from app.errors import InvalidDocument
from app.predictions.sessions import PART_ELEMENTS, ModelCache, open_model
from app.runs.files import publish_folder

ROWS = np.float32([[1, 2], [3, 4]])


def test_a_model_predicts_by_name(tmp_path: Path, save_sum_and_product: Callable[[Path], None]) -> None:
    save_sum_and_product(tmp_path)
    outputs = open_model(tmp_path).predict({"b": ROWS, "a": ROWS})
    assert list(outputs) == ["sum", "product"]
    assert_array_equal(outputs["sum"], ROWS + ROWS)
    assert_array_equal(outputs["product"], ROWS * ROWS)


def test_many_instances_are_scored_in_parts(
    tmp_path: Path, save_sum_and_product: Callable[[Path], None]
) -> None:
    save_sum_and_product(tmp_path)
    rows = np.random.default_rng(0).normal(size=(3 * PART_ELEMENTS // 4 + 1, 2)).astype(np.float32)
    outputs = open_model(tmp_path).predict({"a": rows, "b": rows[::-1]})
    assert list(outputs) == ["sum", "product"]
    assert_array_equal(outputs["sum"], rows + rows[::-1])
    assert_array_equal(outputs["product"], rows * rows[::-1])


def test_what_the_model_cannot_compute_is_the_clients_mistake(
    tmp_path: Path, save_embedding: Callable[[Path], None]
) -> None:
    save_embedding(tmp_path)
    model = open_model(tmp_path)
    assert_array_equal(model.predict({"token": np.int32([[2, 0]])})["embedding"], [[[20], [0]]])
    with pytest.raises(InvalidDocument, match="can't"):
        model.predict({"token": np.int32([[3]])})


def test_a_model_that_cannot_be_timed_counts_as_slow(
    tmp_path: Path, save_sums_of_neighbours: Callable[[Path], None]
) -> None:
    save_sums_of_neighbours(tmp_path)
    model = open_model(tmp_path)
    inputs = {"steps": np.float32([[1, 2, 3]])}
    assert model.quick_bytes == 0
    assert_array_equal(model.predict(inputs)["sums"], [[3, 5]])


def test_a_folder_without_a_model_cannot_be_opened(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        open_model(tmp_path)
    with pytest.raises(FileNotFoundError):
        open_model(tmp_path / "absent")


class TestModelCache:
    def test_a_kept_model_is_the_same_object(self, tmp_path: Path, save_scaling: Callable[..., None]) -> None:
        save_scaling(tmp_path)
        cache, model = ModelCache(2), open_model(tmp_path)
        assert cache.get("run") is None
        cache.keep("run", model)
        assert cache.get("run") is model

    def test_the_least_recently_used_is_dropped(
        self, tmp_path: Path, save_scaling: Callable[..., None]
    ) -> None:
        save_scaling(tmp_path)
        cache, model = ModelCache(2), open_model(tmp_path)
        cache.keep("first", model)
        cache.keep("second", model)
        cache.get("first")
        cache.keep("third", model)
        assert [cache.get(name) is model for name in ("first", "second", "third")] == [True, False, True]
        assert len(cache) == 2

    def test_a_replaced_model_is_forgotten(self, tmp_path: Path, save_scaling: Callable[..., None]) -> None:
        folder = tmp_path / "run"
        cache = ModelCache(2)
        for factor in (2, 3):
            save_scaling(tmp_path / "unfinished", factor)
            publish_folder(tmp_path / "unfinished", folder)
            assert cache.get("run") is None
            cache.keep("run", open_model(folder))
            model = cache.get("run")
            assert model is not None
            assert_array_equal(model.predict({"x": ROWS})["dense"], factor * ROWS)

    def test_a_deleted_model_is_forgotten(self, tmp_path: Path, save_scaling: Callable[..., None]) -> None:
        folder = tmp_path / "run"
        save_scaling(folder)
        cache = ModelCache(2)
        cache.keep("run", open_model(folder))
        shutil.rmtree(folder)
        assert cache.get("run") is None
        assert len(cache) == 0
