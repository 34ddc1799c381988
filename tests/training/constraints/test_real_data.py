"""Limits on real data, and verdicts against counts by NumPy on the served predictions."""

import json
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from app.training.fit import FittedRun
from tests.support.training import Document, Recorder, fit

EXAMPLES = Path(__file__).parents[3] / "examples"


def document_of(name: str) -> Document:
    document: Document = json.loads((EXAMPLES / f"limit_{name}.json").read_text())
    return document


@cache
def fitted(name: str) -> tuple[FittedRun, Recorder]:
    return fit(document_of(name))


def parts(name: str, run: FittedRun) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Served predictions and targets of each split."""
    document = document_of(name)
    y = np.array(document["dataset"]["inline"]["y"])
    return {
        split: (next(iter(run.predictions[split].values())), y[slice(*rows["rows"])])
        for split, rows in document["split"].items()
    }


def agrees(run: FittedRun, split: str, value: float, satisfied: bool) -> None:
    (verdict,) = run.statistics["splits"][split]["constraints"]
    assert verdict["value"] == pytest.approx(value, rel=1e-6, abs=1e-9)
    assert verdict["satisfied"] == satisfied


def precision_at(threshold: float, predicted: np.ndarray, true: np.ndarray) -> float:
    above = predicted > threshold
    return float((above & true).sum() / above.sum())


def test_recall_holds_at_no_less_precision_than_by_a_moved_threshold() -> None:
    run, _ = fitted("recall")
    for split, (predicted, y) in parts("recall", run).items():
        recall = (predicted[y > 0] > 0.5).mean()
        agrees(run, split, recall, bool(recall >= 0.9))
    assert run.verdicts[0]["verdict"] == "held"
    predicted, y = parts("recall", run)["train"]
    plain_document = document_of("recall")
    del plain_document["constraints"]
    plain, _ = fit(plain_document)
    scores = next(iter(plain.predictions["train"].values()))
    positives = np.sort(scores[y > 0])[::-1]
    moved = np.nextafter(positives[int(np.ceil(0.9 * len(positives))) - 1], np.float32(0))
    assert precision_at(0.5, predicted, y > 0) >= precision_at(moved, scores, y > 0)


def test_accuracy_of_a_group_is_held_where_samples_take_turns_in_being_wrong() -> None:
    document = document_of("parity")
    del document["split"]
    limit = {"quantity": {"type": "accuracy", "where": "smooth"}, "at_least": 0.93}
    run, _ = fit({**document, "constraints": [limit], "seed": 12})
    inline = document["dataset"]["inline"]
    (predicted,) = run.predictions["train"].values()
    right = (predicted[:, 0] > 0.5) == (np.ravel(inline["y"]) > 0.5)
    assert right[np.array(inline["group"]) == "smooth"].mean() >= 0.93
    assert run.verdicts[0]["verdict"] == "held"


def test_a_precision_is_held_at_no_less_recall_than_by_a_moved_threshold() -> None:
    document = document_of("recall")
    del document["split"]
    plain, _ = fit({**document, "constraints": []})
    run, _ = fit({**document, "constraints": [{"quantity": {"type": "precision"}, "at_least": 0.95}]})
    y = np.array(document["dataset"]["inline"]["y"]) > 0.5
    (predicted,) = run.predictions["train"].values()
    assert precision_at(0.5, predicted, y) >= 0.95
    assert run.verdicts[0]["verdict"] == "held"
    (scores,) = plain.predictions["train"].values()
    moved = min(t for t in scores[y] - 1e-6 if precision_at(t, scores, y) >= 0.95)
    assert (predicted > 0.5)[y].mean() >= (scores > moved)[y].mean()


def test_weights_are_truly_zero() -> None:
    run, _ = fitted("weights")
    kernel = next(v.numpy() for v in run.model.variables if v.path == "hidden/kernel")
    assert (kernel == 0).mean() >= 0.8
    agrees(run, "train", (kernel == 0).mean(), True)
    assert run.verdicts[0]["method"] == "projection"


def test_nine_tenths_of_the_activations_are_zero() -> None:
    run, _ = fitted("activations")
    figures = run.statistics["splits"]["train"]["activation_sparsity"]["hidden"]
    assert figures["zero_fraction"] >= 0.9
    agrees(run, "train", figures["zero_fraction"], True)


def test_limits_that_cannot_be_held_together_end_with_the_least_violation() -> None:
    document = document_of("recall")
    document["constraints"].append({"quantity": {"type": "positive_rate"}, "at_most": 0.1})
    document["fit"]["epochs"] = 100
    run, history = fit(document)
    assert not all(verdict["satisfied"] for verdict in run.verdicts)
    assert all(v["diagnosis"] for v in run.verdicts if not v["satisfied"])
    recall, rate = run.verdicts
    violation = history.series("recall_violation") / 0.9 + history.series("positive_rate_violation") / 0.1
    served = max(0.9 - recall["value"], 0) / 0.9 + max(rate["value"] - 0.1, 0) / 0.1
    assert served == pytest.approx(violation.min(), rel=1e-3)


def test_a_column_of_the_history_tells_what_verdicts_tell() -> None:
    run, history = fitted("weights")
    assert history.columns[-2:] == ("weight_sparsity_violation", "weight_sparsity_multiplier")
    assert history.series("weight_sparsity_violation")[run.epoch - 1] <= 1e-6
    assert history.series("weight_sparsity_violation")[0] > 0.5
