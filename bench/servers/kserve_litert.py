"""KServe server with LiteRT: a custom model as documented, one worker, REST only.

Runs in the environment of requirements/kserve.txt. Arguments: name, model file, port.
"""

import logging
import sys
from pathlib import Path
from typing import Any

import numpy as np
from kserve import InferOutput, InferRequest, InferResponse, Model, ModelServer
from kserve.utils.utils import generate_uuid

from bench.harness.runtimes import load


class LiteRtModel(Model):  # type: ignore[misc]  # KServe has no types
    """A model file behind both of KServe's protocols."""

    def __init__(self, name: str, file: Path) -> None:
        super().__init__(name)
        self._predict = load(file, threads=1)
        self.ready = True

    def predict(self, payload: Any, _headers: Any = None, **_: Any) -> Any:
        """Return predictions of rows, or an inference response."""
        if isinstance(payload, InferRequest):
            [tensor] = payload.inputs
            probabilities = self._predict(tensor.as_numpy().astype(np.uint8))
            output = InferOutput("probabilities", list(probabilities.shape), "FP32")
            output.set_data_from_numpy(probabilities, binary_data=payload.use_binary_outputs)
            return InferResponse(
                response_id=payload.id or generate_uuid(),
                model_name=self.name,
                infer_outputs=[output],
                use_binary_outputs=payload.use_binary_outputs,
            )
        images = np.asarray(payload["instances"], np.uint8)
        return {"predictions": self._predict(images).tolist()}


if __name__ == "__main__":
    _, model_name, path, port = sys.argv
    logging.disable(logging.INFO)
    ModelServer(
        http_port=int(port), enable_grpc=False, workers=1, enable_latency_logging=False
    ).start([LiteRtModel(model_name, Path(path))])
