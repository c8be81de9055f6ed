"""One method per operationId of openapi.yaml: arguments in, data out."""

import math
import os
import threading
import time
from collections import Counter
from dataclasses import asdict
from typing import Any, Protocol

import numpy as np

from inference import image
from inference.errors import DatabaseUnavailable, ImageTooLarge, MalformedRequest, ModelFailed, UnknownExperiment
from inference.experiments import Experiments, Record
from inference.metrics import Metrics
from inference.models import NAME_PATTERN, Model, ModelDirectory, State

Document = dict[str, Any]
NO_MODEL = "NO_MODEL"


class Upload(Protocol):
    """A file of a multipart request."""

    def read(self, size: int = -1, /) -> bytes:
        """Return up to `size` bytes."""


class Api:
    """The operations, over what they need."""

    def __init__(self, models: ModelDirectory, experiments: Experiments, metrics: Metrics, max_image_bytes: int) -> None:
        self._models = models
        self._experiments = experiments
        self._metrics = metrics
        self._max_image_bytes = max_image_bytes
        # More images at once than cores would not be read sooner, and a large one takes 100 MB while it is.
        self._decoding = threading.BoundedSemaphore(os.cpu_count() or 1)

    def infer(self, experiment_name: str, image_blob: Upload | None = None) -> Document:
        """Read one image with one experiment. Raises the errors of 400 to 503 that openapi.yaml names."""
        started = time.perf_counter()
        model, network = self._models.ready(_valid(experiment_name))
        data = self._bytes(image_blob)
        with self._decoding:
            pixels = image.read_digit(data)
        with self._metrics.inference_seconds.time():
            probabilities = network.probabilities(pixels[np.newaxis])[0].tolist()
        if not all(map(math.isfinite, probabilities)):
            raise ModelFailed("The model's answer to this image is not finite; its training may have diverged.")
        confidence = max(probabilities)
        return {
            "class": model.classes[probabilities.index(confidence)],
            "confidence": confidence,
            "probabilities": dict(zip(model.classes, probabilities, strict=True)),
            "experiment_name": model.name,
            "version": model.version,
            "model_digest": model.digest,
            "image_digest": image.digest(pixels),
            "milliseconds": round((time.perf_counter() - started) * 1000, 3),
        }

    def list_experiments(self) -> Document:
        """Return every experiment with its serving state. Raises DatabaseUnavailable."""
        return {"experiments": [self._with_state(record) for record in self._experiments.all()]}

    def get_experiment(self, experiment_name: str) -> Document:
        """Return one experiment. Raises UnknownExperiment and DatabaseUnavailable."""
        return self._with_state(self._experiments.one(_valid(experiment_name)))

    def list_models(self) -> Document:
        """Return every model with its state."""
        return {"models": [_described(model) for model in self._models.all()]}

    def get_model(self, experiment_name: str) -> Document:
        """Return one model. Raises UnknownExperiment."""
        return _described(self._models.find(_valid(experiment_name)))

    def health(self) -> Document:
        """Say that the process lives."""
        return {"status": "ok"}

    def readiness(self) -> tuple[Document, int]:
        """Return what the service depends on and its status: 200 when it can predict with every model it will have, else 503."""
        states = Counter(model.state for model in self._models.all())
        ready, loading, failed = states[State.READY], states[State.LOADING], states[State.FAILED]
        database = {"status": "ok"}
        try:
            self._experiments.check()
        except DatabaseUnavailable as error:
            database = {"status": "down", "detail": error.detail}
        if loading:
            status = "starting"
        elif not ready:
            status = "failed"
        else:
            status = "degraded" if failed or database["status"] == "down" else "ready"
        state = "loading" if loading else "ok" if ready else "failed" if failed else "empty"
        models = {"status": state, "ready": ready, "loading": loading, "failed": failed}
        return {
            "status": status,
            "dependencies": {"models": models, "database": database},
        }, 200 if ready and not loading else 503

    def metrics(self) -> str:
        """Return the metrics in Prometheus's text format."""
        return self._metrics.text()

    def _bytes(self, upload: Upload | None) -> bytes:
        if upload is None or not hasattr(upload, "read"):  # a text part of the file's name arrives as no file
            raise MalformedRequest("The request needs one file in the multipart field image_blob.")
        data: bytes = upload.read(self._max_image_bytes + 1)
        if len(data) > self._max_image_bytes:
            raise ImageTooLarge(f"The image is larger than {self._max_image_bytes} bytes.")
        return data

    def _with_state(self, record: Record) -> Document:
        try:
            return {**record, "serving": self._models.find(record["name"]).state.value}
        except UnknownExperiment:
            return {**record, "serving": NO_MODEL}


def _valid(name: str) -> str:
    if not NAME_PATTERN.fullmatch(name):
        raise MalformedRequest("experiment_name must be 1 to 128 of A-Z a-z 0-9 _ . - and begin with a letter or digit.")
    return name


def _described(model: Model) -> Document:
    return {
        "name": model.name,
        "version": model.version,
        "state": model.state.value,
        "reason": model.reason,
        "digest": model.digest,
        "format": "litert",
        "classes": list(model.classes),
        "input": asdict(model.input),
        "bytes": model.bytes,
        "parity": asdict(model.parity) if model.parity else None,
    }
