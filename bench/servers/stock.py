"""Stock Connexion server as documented: FlaskApp, validation, Pillow and one LiteRT model."""

import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import connexion
import numpy as np
from connexion.resolver import Resolver
from PIL import Image
from starlette.types import ASGIApp

from bench.harness.runtimes import load


def create_app() -> ASGIApp:
    """Return the application for the model file in BENCH_MODEL."""
    local = threading.local()  # interpreters are not thread-safe

    def infer(experiment_name: str, image_blob: Any) -> dict[str, Any]:
        if not hasattr(local, "predict"):
            local.predict = load(Path(os.environ["BENCH_MODEL"]), threads=1)
        pixels = np.asarray(Image.open(image_blob).convert("L"))
        probabilities = local.predict(pixels[np.newaxis])[0].tolist()
        return build_response(experiment_name, probabilities)

    return create_connexion_app(infer)


def create_connexion_app(infer: Callable[[str, Any], dict[str, Any]]) -> ASGIApp:
    """Return a FlaskApp with the operations of inference.yaml, where `infer` is POST /inference."""
    app = connexion.FlaskApp(__name__, specification_dir=Path(__file__).parent)
    operations = {"infer": infer, "ready": ready}
    app.add_api("inference.yaml", base_path="/api/v1.0", resolver=Resolver(operations.__getitem__))
    asgi_app: ASGIApp = app
    return asgi_app


def ready() -> dict[str, str]:
    """Return the readiness response."""
    return {"status": "ready"}


def build_response(experiment_name: str, probabilities: list[float]) -> dict[str, Any]:
    """Return the response body of one prediction."""
    confidence = max(probabilities)
    return {
        "class": str(probabilities.index(confidence)),
        "confidence": confidence,
        "probabilities": {str(label): value for label, value in enumerate(probabilities)},
        "experiment_name": experiment_name,
    }
