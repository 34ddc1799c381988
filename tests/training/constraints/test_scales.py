"""On which scale outputs are compared with thresholds."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from app.spec.model import ModelSpec, resolve_graph
from app.spec.parsing import parse_run
from app.training.constraints.scales import LARGEST_LOGIT, Scale, scale_of
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
    logits = tf.constant([[-13.0, -1.0, 0.0, 13.0]])  # 13 comes back from 0.9999977 as 13.0017
    np.testing.assert_array_equal(Scale("sigmoid").apply(keras.activations.sigmoid(logits)), logits)


@pytest.mark.parametrize("threshold", [0.0, 1.0])
def test_nothing_lies_beyond_a_threshold_of_0_or_1(threshold: float) -> None:
    scale = Scale("sigmoid")
    values = scale.apply(
        keras.activations.sigmoid(tf.constant([-1000.0, -20.0, -13.9, 0.0, 13.9, 20.0, 1000.0]))
    )
    side = 1 if threshold == 1 else -1
    assert np.all(side * (values - scale.apply(tf.constant(threshold))) <= 0)


def test_the_logits_of_other_probabilities_are_computed_and_stay_finite() -> None:
    found = Scale("sigmoid").apply(tf.constant([0.0, 0.25, 0.5, 1.0]))
    np.testing.assert_allclose(found, [-LARGEST_LOGIT, -np.log(3), 0.0, LARGEST_LOGIT], rtol=1e-6)
    # Of a softmax what went in isn't the logit of each probability.
    logits = tf.constant([[0.0, 0.0, 0.0]])
    found = Scale("softmax").apply(keras.activations.softmax(logits))
    np.testing.assert_allclose(found, -np.log([[2.0, 2.0, 2.0]]), rtol=1e-5)


def test_a_model_that_trains_tells_the_logits_of_its_outputs() -> None:
    run = prepare(
        parse_run(
            {
                "dataset": {"inline": {"x": [[13.0], [-13.0]], "y": [[1], [0]]}},
                "model": {"layers": [{"type": "Dense", "units": 1, "activation": "sigmoid"}]},
                "loss": "binary_crossentropy",
            }
        )
    )
    weights = [tf.ones((1, 1)), tf.zeros((1,))]
    batch, _ = run.program.forward(weights, [], run.rows["train"], tf.constant([0, 0]), training=True)
    (y_pred,) = batch.y_pred.values()
    np.testing.assert_array_equal(Scale("sigmoid").apply(y_pred), [[13.0], [-13.0]])
