"""Trained models as files for others: every layer's extras survive, or at least don't stand in the way."""

from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest

from app.training.evaluation import predict
from app.training.export import ExportReport, export
from tests.support.training import changed, fit, regression_document


@pytest.mark.parametrize(
    "regularizer",
    [
        {"l1": 0.01},
        {"l2": 0.01},
        {"l1": 0.01, "l2": 0.01},
        {"l1": 0.01, "reduction": "sum"},
        {"type": "orthogonal", "factor": 0.01, "mode": "columns"},
    ],
    ids=str,
)
def test_a_model_with_an_activity_regularizer_has_an_onnx_form(
    regularizer: dict[str, Any], tmp_path: Path
) -> None:
    document = changed(regression_document(), fit={"epochs": 1})
    document["model"]["layers"][0]["activity_regularizer"] = regularizer
    fitted, _ = fit(document)

    report = export(fitted.model, fitted.samples, tmp_path)

    assert report == ExportReport(onnx=True)
    session = onnxruntime.InferenceSession(tmp_path / "model.onnx", providers=["CPUExecutionProvider"])
    (output,) = predict(fitted.model, fitted.samples)
    (predicted,) = session.run([output], {n: np.asarray(a) for n, a in fitted.samples.items()})
    np.testing.assert_allclose(predicted, predict(fitted.model, fitted.samples)[output], rtol=1e-4, atol=1e-5)
