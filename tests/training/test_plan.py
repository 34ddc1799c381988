"""Which models are compiled by XLA."""

from typing import Any

import pytest

from app.spec.model import ModelSpec, resolve_graph
from app.training.plan import choose_plan

CONV = {"type": "Conv1D", "filters": 2, "kernel_size": 1}
LSTM = {"type": "LSTM", "units": 2}


@pytest.mark.parametrize(
    ("layer", "jit_compile"),
    [
        (LSTM, True),
        ({"type": "Dense", "units": 2}, True),
        (CONV, False),
        ({"type": "MaxPooling1D"}, False),
        ({**LSTM, "unroll": True}, False),
        ({"type": "Bidirectional", "layer": LSTM}, True),
        ({"type": "Bidirectional", "layer": {**LSTM, "unroll": True}}, False),
        ({"type": "TimeDistributed", "layer": {"type": "Dense", "units": 2}}, False),
    ],
)
def test_xla_takes_what_it_is_quick_at(layer: dict[str, Any], jit_compile: bool) -> None:
    graph = resolve_graph(ModelSpec.model_validate({"layers": [layer]}), {"x": (4, 3)})
    plan = choose_plan(graph)
    assert plan.jit_compile is jit_compile
    assert plan.reason
