"""Naive server, like the first version: Connexion and Flask with Keras.

It loads the model from disk and predicts for each request.
"""

import os
from pathlib import Path
from typing import Any

import keras
import numpy as np
from PIL import Image
from starlette.types import ASGIApp

from bench.servers.stock import build_response, create_connexion_app


def create_app() -> ASGIApp:
    """Return the application for the Keras file in BENCH_MODEL."""

    def infer(experiment_name: str, image_blob: Any) -> dict[str, Any]:
        model = keras.models.load_model(Path(os.environ["BENCH_MODEL"]))
        pixels = np.asarray(Image.open(image_blob).convert("L"), np.float32)
        probabilities = model.predict(pixels.reshape(-1, *model.input_shape[1:]), verbose=0)[
            0
        ].tolist()
        return build_response(experiment_name, probabilities)

    return create_connexion_app(infer)
