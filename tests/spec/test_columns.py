"""The names of terms that the document tells are those that training records."""

import pytest

from app.spec.columns import term_names
from app.spec.model import resolve_graph
from app.spec.parsing import parse_run
from app.training.build import build_model
from app.training.preparation import build_objective

BOTH = {"l1": 0.1, "l2": 0.2}
PROXIMAL = {**BOTH, "proximal": True}
FLAT_MODEL = [
    {
        "type": "Dense",
        "units": 3,
        "kernel_regularizer": BOTH,
        "bias_regularizer": "l2",
        "activity_regularizer": BOTH,
    },
    {"type": "Dense", "units": 3, "use_bias": False, "bias_regularizer": BOTH, "kernel_regularizer": "l2"},
    {
        "type": "Dense",
        "units": 3,
        "trainable": False,
        "kernel_regularizer": "l1",
        "activity_regularizer": "l1",
    },
    {"type": "BatchNormalization", "center": False, "beta_regularizer": BOTH, "gamma_regularizer": "l1"},
    {"type": "BatchNormalization", "scale": False, "beta_regularizer": BOTH, "gamma_regularizer": "l1"},
    {"type": "ActivityRegularization", "l2": 0.1},
    {"type": "PReLU", "alpha_regularizer": BOTH},
]
DENSE = {"type": "Dense", "units": 2, "kernel_regularizer": PROXIMAL, "bias_regularizer": "l1"}
SEQUENCE_MODEL = [
    {"type": "Reshape", "target_shape": [3, 1]},
    {"type": "TimeDistributed", "layer": DENSE},
    {"type": "TimeDistributed", "layer": DENSE, "trainable": False},
    {"type": "TimeDistributed", "layer": {**DENSE, "trainable": False}},
    {"type": "Bidirectional", "layer": {"type": "GRU", "units": 2, "recurrent_regularizer": "orthogonal"}},
    {"type": "Dense", "units": 3},
]


@pytest.mark.parametrize("layers", [FLAT_MODEL, SEQUENCE_MODEL])
def test_term_names_are_those_of_the_objective(layers):
    run = parse_run(
        {
            "dataset": {"inline": {"x": [[0.0, 1.0, 2.0]], "y": [[0.0]]}},
            "model": {"layers": layers},
            "loss": {
                "type": "sum",
                "terms": [{"loss": "mean_squared_error"}, {"loss": "mean_squared_error"}],
            },
            "penalties": [{"type": "norm"}, {"type": "entropy"}, {"type": "norm"}],
        }
    )
    graph = resolve_graph(run.model, {"x": (3,)})
    assert term_names(run, graph) == list(build_objective(run, graph, build_model(graph, 0)).names)
