"""FastAPI with ONNX Runtime, tuned by hand.

Async throughout, one session kept, the answer written by orjson.
"""

import os
from pathlib import Path

import numpy as np
import orjson
from fastapi import FastAPI, Response, UploadFile
from PIL import Image
from starlette.types import ASGIApp

from bench.harness.runtimes import load
from bench.servers.stock import answer, ready


def create_app() -> ASGIApp:
    """Return the application for the model file of BENCH_MODEL."""
    predict = load(Path(os.environ["BENCH_MODEL"]), threads=1)

    async def infer(experiment_name: str, image_blob: UploadFile) -> Response:
        # What was sent is in memory (only above 1 MB on the disk), so reading it here holds nobody
        # up.
        pixels = np.asarray(Image.open(image_blob.file).convert("L"))
        probabilities = predict(pixels[np.newaxis])[0].tolist()
        return Response(
            orjson.dumps(answer(experiment_name, probabilities)), media_type="application/json"
        )

    app = FastAPI(openapi_url=None)
    app.add_api_route("/api/v1.0/inference", infer, methods=["POST"], response_model=None)
    app.add_api_route("/api/v1.0/readyz", ready)
    served: ASGIApp = app
    return served
