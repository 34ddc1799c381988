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


XLA_FLAGS = f"--xla_backend_extra_options=xla_cpu_small_while_loop_byte_threshold={SMALL_LOOP_BYTES}"


@pytest.mark.parametrize(
    ("variable", "usual", "own"),
    [("XLA_FLAGS", XLA_FLAGS, "--xla_cpu_enable_fast_math=false"), ("TF_ENABLE_ONEDNN_OPTS", "1", "0")],
)
def test_tensorflow_is_set_up_unless_somebody_else_does(variable: str, usual: str, own: str) -> None:
    for given, expected in (({}, usual), ({variable: own}, own)):
        environment = {name: value for name, value in os.environ.items() if name != variable} | given
        told = subprocess.run(
            [sys.executable, "-c", f"import app.training.plan, os; print(os.environ['{variable}'])"],
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        )
        assert told.stdout.strip() == expected
