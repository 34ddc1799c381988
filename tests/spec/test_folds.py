"""Folds have the rows of scikit-learn's."""

from typing import Any

import numpy as np
import pytest
from sklearn.model_selection import GroupKFold, KFold, StratifiedKFold

from app.errors import InvalidDocument
from app.spec.dataset import RunData
from app.spec.parsing import parse
from app.spec.split import Split, split_rows

RANDOM = np.random.default_rng(4)
CLASSES = RANDOM.choice([2, 0, 1], 53, p=[0.6, 0.3, 0.1])
GROUPS = RANDOM.choice(["d", "a", "c", "b", "e", "f"], 53)


def rows(**fold: Any) -> dict[str, list[int]]:
    y = CLASSES.astype(np.float32)[:, None]
    data = RunData({"x": np.zeros((53, 1))}, {"y": y}, group=GROUPS)
    return {name: part.tolist() for name, part in split_rows(parse(Split, {"fold": fold}), data).items()}


@pytest.mark.parametrize("count", [2, 5])
@pytest.mark.parametrize(
    ("kind", "folder"),
    [
        ({"kind": "plain"}, KFold),
        ({"kind": "stratified"}, StratifiedKFold),
        ({"kind": "grouped"}, GroupKFold),
        ({"kind": "plain", "shuffle": True, "seed": 8}, KFold),
        ({"kind": "stratified", "shuffle": True, "seed": 8}, StratifiedKFold),
    ],
)
def test_folds_have_scikit_learns_rows(count: int, kind: dict[str, Any], folder: Any) -> None:
    arguments = {"shuffle": True, "random_state": kind["seed"]} if "seed" in kind else {}
    groups = GROUPS if folder is GroupKFold else None
    expected = folder(count, **arguments).split(np.zeros(53), CLASSES, groups)
    for index, (train, validation) in enumerate(expected):
        found = rows(count=count, index=index, **kind)
        assert found == {"train": sorted(train.tolist()), "validation": sorted(validation.tolist())}


@pytest.mark.parametrize(
    ("fold", "pointer"),
    [
        ({"count": 54}, "/split/fold/count"),
        ({"count": 7, "kind": "grouped"}, "/split/fold/count"),
        ({"count": 40, "kind": "stratified"}, "/split/fold/kind"),
        ({"count": 3, "index": 3}, "/fold/index"),
        ({"count": 3, "kind": "grouped", "shuffle": True}, "/fold/shuffle"),
    ],
)
def test_folds_that_cannot_be_are_refused(fold: dict[str, Any], pointer: str) -> None:
    with pytest.raises(InvalidDocument) as caught:
        rows(**fold)
    assert caught.value.problems[0].pointer == pointer
