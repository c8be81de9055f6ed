"""FastAPI server with ONNX Runtime, hand-tuned: async, one session, orjson."""

import os
from pathlib import Path

import numpy as np
import orjson
from fastapi import FastAPI, Response, UploadFile
from PIL import Image
from starlette.types import ASGIApp

from bench.harness.runtimes import load
from bench.servers.stock import build_response, ready


def create_app() -> ASGIApp:
    """Return the application for the model file in BENCH_MODEL."""
    predict = load(Path(os.environ["BENCH_MODEL"]), threads=1)

    async def infer(experiment_name: str, image_blob: UploadFile) -> Response:
        # Uploads up to 1 MB are in memory, so reading here does not block the event loop.
        pixels = np.asarray(Image.open(image_blob.file).convert("L"))
        probabilities = predict(pixels[np.newaxis])[0].tolist()
        return Response(
            orjson.dumps(build_response(experiment_name, probabilities)),
            media_type="application/json",
        )

    app = FastAPI(openapi_url=None)
    app.add_api_route("/api/v1.0/inference", infer, methods=["POST"], response_model=None)
    app.add_api_route("/api/v1.0/readyz", ready)
    asgi_app: ASGIApp = app
    return asgi_app
