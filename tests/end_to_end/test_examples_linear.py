"""Linear models over HTTP give scikit-learn's weights, zeros included."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.linear_model import ElasticNet, Ridge

from tests.support.examples import Trained, example, train
from tests.support.service import Service


def weights(trained: Trained) -> tuple[NDArray[Any], float]:
    """Slopes and intercept, read off predictions; a feature without a weight changes nothing at all."""
    predictions = trained.predict(np.vstack([np.zeros(10), np.eye(10)]))[:, 0]
    return predictions[1:] - predictions[0], predictions[0]


@pytest.mark.parametrize(
    ("name", "reference", "zeros"),
    [
        ("ridge", Ridge(alpha=20.0), 0),
        ("elastic_net", ElasticNet(alpha=0.1, l1_ratio=0.5, tol=1e-10, max_iter=100_000), 4),
    ],
)
def test_weights_are_those_of_scikit_learn(service: Service, name: str, reference: Any, zeros: int) -> None:
    trained = train(service, example(name))

    reference.fit(trained.x, trained.y[:, 0])
    slopes, intercept = weights(trained)
    np.testing.assert_allclose(slopes, reference.coef_, atol=1e-3)
    assert intercept == pytest.approx(reference.intercept_, abs=1e-3)
    np.testing.assert_array_equal(slopes == 0, reference.coef_ == 0)
    assert (slopes == 0).sum() == zeros
    figures = service.get(f"/runs/{trained.run['id']}/statistics")["weight_sparsity"]["dense"]
    assert figures["unused_input_features"] == np.flatnonzero(reference.coef_ == 0).tolist()
