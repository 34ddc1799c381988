"""On which scale outputs are compared with thresholds."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from app.spec.model import ModelSpec, resolve_graph
from app.spec.parsing import parse_run
from app.training.constraints.scales import EDGE, Scale, scale_of
from app.training.preparation import prepare


@pytest.mark.parametrize(
    ("layers", "activation"),
    [
        ([{"type": "Dense", "units": 2, "activation": "sigmoid"}], "sigmoid"),
        ([{"type": "Dense", "units": 2, "activation": "softmax"}], "softmax"),
        ([{"type": "Dense", "units": 2}, {"type": "Softmax"}], "softmax"),
        ([{"type": "Dense", "units": 2, "activation": "tanh"}], None),
        ([{"type": "Dense", "units": 2}], None),
    ],
)
def test_probabilities_are_compared_by_their_logits(layers: list[object], activation: str | None) -> None:
    graph = resolve_graph(ModelSpec.model_validate({"layers": layers}), {"x": (4,)})
    (output,) = graph.outputs
    assert scale_of(output, graph) == Scale(activation)


def test_the_logits_of_a_sigmoid_are_what_went_in() -> None:
    logits = tf.constant([[-40.0, -1.0, 0.0, 40.0]])
    np.testing.assert_array_equal(Scale("sigmoid").apply(keras.activations.sigmoid(logits)), logits)


def test_the_logits_of_other_probabilities_are_computed_and_stay_finite() -> None:
    found = Scale("sigmoid").apply(tf.constant([0.0, 0.25, 0.5, 1.0]))
    edge = np.log(EDGE / (1 - EDGE))
    np.testing.assert_allclose(found, [edge, -np.log(3), 0.0, -edge], rtol=1e-2)
    # Of a softmax what went in isn't the logit of each probability.
    logits = tf.constant([[0.0, 0.0, 0.0]])
    found = Scale("softmax").apply(keras.activations.softmax(logits))
    np.testing.assert_allclose(found, -np.log([[2.0, 2.0, 2.0]]), rtol=1e-5)


def test_a_model_that_trains_tells_the_logits_of_its_outputs() -> None:
    run = prepare(
        parse_run(
            {
                "dataset": {"inline": {"x": [[100.0], [-100.0]], "y": [[1], [0]]}},
                "model": {"layers": [{"type": "Dense", "units": 1, "activation": "sigmoid"}]},
                "loss": "binary_crossentropy",
            }
        )
    )
    weights = [tf.ones((1, 1)), tf.zeros((1,))]
    batch, _ = run.program.forward(weights, [], run.rows["train"], tf.constant([0, 0]), training=True)
    (y_pred,) = batch.y_pred.values()
    np.testing.assert_array_equal(Scale("sigmoid").apply(y_pred), [[100.0], [-100.0]])
