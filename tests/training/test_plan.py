"""Which models are compiled by XLA, and how."""

import os
import subprocess
import sys
from typing import Any

import pytest

from app.spec.model import ModelSpec, resolve_graph
from app.training.plan import SMALL_LOOP_BYTES, choose_plan

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


@pytest.mark.parametrize("own", [None, "--xla_cpu_enable_fast_math=false"])
def test_small_loops_are_compiled_whole_unless_somebody_sets_flags(own: str | None) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "XLA_FLAGS"}
    if own:
        environment["XLA_FLAGS"] = own
    told = subprocess.run(
        [sys.executable, "-c", "import app.training.plan, os; print(os.environ['XLA_FLAGS'])"],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    usual = f"--xla_backend_extra_options=xla_cpu_small_while_loop_byte_threshold={SMALL_LOOP_BYTES}"
    assert told.stdout.strip() == (own or usual)
