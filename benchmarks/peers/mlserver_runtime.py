"""MLServer's runtime for the ONNX file that Kerb serves, with the session options that Kerb uses."""

import onnxruntime
from mlserver import MLModel
from mlserver.codecs import NumpyCodec
from mlserver.types import InferenceRequest, InferenceResponse
from mlserver.utils import get_model_uri


class OnnxRuntime(MLModel):
    """Scores the one input of a request."""

    async def load(self) -> bool:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(await get_model_uri(self.settings), options)
        return True

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        instances = NumpyCodec.decode_input(payload.inputs[0])
        (predictions,) = self._session.run(None, {payload.inputs[0].name: instances})
        return InferenceResponse(
            model_name=self.name, outputs=[NumpyCodec.encode_output("output", predictions)]
        )
