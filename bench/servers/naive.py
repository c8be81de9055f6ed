"""Naive server, like the first version: Connexion and Flask with Keras.

It loads the model from disk and predicts for each request.
"""

import os
from pathlib import Path
from typing import Any

import connexion
import keras
import numpy as np
from connexion.resolver import Resolver
from PIL import Image
from starlette.types import ASGIApp

from bench.servers.stock import build_response, ready


def create_app() -> ASGIApp:
    """Return the application for the Keras file in BENCH_MODEL."""

    def infer(experiment_name: str, image_blob: Any) -> dict[str, Any]:
        model = keras.models.load_model(Path(os.environ["BENCH_MODEL"]))
        pixels = np.asarray(Image.open(image_blob).convert("L"), np.float32)
        probabilities = model.predict(pixels.reshape(-1, *model.input_shape[1:]), verbose=0)[
            0
        ].tolist()
        return build_response(experiment_name, probabilities)

    app = connexion.FlaskApp(__name__, specification_dir=Path(__file__).parent)
    operations = {"infer": infer, "ready": ready}
    app.add_api("inference.yaml", base_path="/api/v1.0", resolver=Resolver(operations.__getitem__))
    asgi_app: ASGIApp = app
    return asgi_app
