"""The first version's way.

Connexion and Flask, and Keras that loads its model from the disk and predicts at each request.
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

from bench.servers.stock import answer, ready


def create_app() -> ASGIApp:
    """Return the application for the Keras file of BENCH_MODEL."""

    def infer(experiment_name: str, image_blob: Any) -> dict[str, Any]:
        model = keras.models.load_model(Path(os.environ["BENCH_MODEL"]))
        pixels = np.asarray(Image.open(image_blob).convert("L"), np.float32)
        probabilities = model.predict(pixels.reshape(-1, *model.input_shape[1:]), verbose=0)[
            0
        ].tolist()
        return answer(experiment_name, probabilities)

    app = connexion.FlaskApp(__name__, specification_dir=Path(__file__).parent)
    operations = {"infer": infer, "ready": ready}
    app.add_api("inference.yaml", base_path="/api/v1.0", resolver=Resolver(operations.__getitem__))
    served: ASGIApp = app
    return served
