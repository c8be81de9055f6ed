"""MLServer runtime with LiteRT: a custom runtime as documented, for `mlserver start`.

Runs in the environment of requirements/mlserver.txt.
"""

from pathlib import Path

import numpy as np
from mlserver import MLModel
from mlserver.codecs import NumpyCodec
from mlserver.types import InferenceRequest, InferenceResponse

from bench.harness.runtimes import load


class LiteRtModel(MLModel):  # type: ignore[misc]  # MLServer's types are not installed for lint
    """The model file that model-settings.json names."""

    async def load(self) -> bool:
        """Read the model file."""
        self._predict = load(Path(self.settings.parameters.uri), threads=1)
        return True

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        """Return an inference response."""
        [tensor] = payload.inputs
        images = NumpyCodec.decode_input(tensor).astype(np.uint8)
        output = NumpyCodec.encode_output("probabilities", self._predict(images))
        return InferenceResponse(id=payload.id, model_name=self.name, outputs=[output])
