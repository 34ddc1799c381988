"""BentoML's service for the ONNX file that Kerb serves, with the session options that Kerb uses."""

import os

import bentoml
import numpy as np
import onnxruntime


@bentoml.service(
    workers=1, metrics={"enabled": False}, logging={"access": {"enabled": False}}, traffic={"timeout": 60}
)
class Mlp:
    """Scores rows."""

    def __init__(self) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(os.environ["BENCH_MODEL"], options)

    @bentoml.api
    async def predict(self, instances: np.ndarray) -> np.ndarray:
        """The predictions of (n, 20) numbers; in the event loop, as a thread would cost more."""
        (predictions,) = self._session.run(None, {"input": instances.astype(np.float32)})
        return predictions
