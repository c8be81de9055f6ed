"""One method per operationId of openapi.yaml: arguments in, data out."""

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

from inference.api.json_images import read_arrays
from inference.database.experiments import Experiments
from inference.database.pool import Database, Record
from inference.errors import (
    DatabaseUnavailableError,
    Document,
    MalformedRequestError,
    UnknownExperimentError,
)
from inference.models.aliases import Aliases
from inference.models.repository import NAME_PATTERN, ModelRepository, ModelVersion, State
from inference.observability.metrics import Metrics
from inference.prediction.predictor import MAX_IMAGES, Predictor, Upload, document
from inference.prediction_log.recorder import PredictionLog, RequestInfo
from inference.preprocessing.digits import PreprocessedImage
from servicekit.request_context import current_request_id, source

NO_MODEL = "NO_MODEL"
MOST_NAMED = 5  # failed models in /readyz


class Api:
    """The operations, over what they need."""

    def __init__(
        self,
        models: ModelRepository,
        experiments: Experiments,
        predictor: Predictor,
        log: PredictionLog,
        metrics: Metrics,
        database: Database,
        aliases: Aliases,
    ) -> None:
        self._models = models
        self._experiments = experiments
        self._predictor = predictor
        self._log = log
        self._metrics = metrics
        self._database = database
        self._aliases = aliases
        self._was_ready = False

    def infer(self, experiment_name: str, image_blob: Upload | None = None) -> bytes:
        """Read one image with one experiment, and return JSON.

        Raises the errors of 400 to 503 that openapi.yaml names.
        """
        call = _call()
        seat = self._predictor.seat(experiment_name)
        if image_blob is None or not hasattr(
            image_blob, "read"
        ):  # a text part of the file's name arrives as no file
            raise MalformedRequestError(
                "The request needs one file in the multipart field image_blob."
            )
        return self._predictor.submit(
            self._predictor.inference, seat, self._predictor.bytes_of(image_blob), call
        ).result()

    def predict(
        self,
        experiments: Sequence[str] = ("all",),
        images: Sequence[Upload] | None = None,
        *,
        view: bool = False,
        arrays: Any = None,
        is_stream: bool = False,
    ) -> bytes | Iterator[bytes]:
        """Read many images, as files or as the JSON document `arrays`, with many experiments.

        Returns a JSON document or, for a stream, its entries as lines. Raises the errors of 400 to
        503 that openapi.yaml names, all of them before the first line.
        """
        call = _call()
        panel = self._predictor.panel(experiments)
        if arrays is not None:
            entries = self._predictor.entries(
                panel,
                read_arrays(arrays, MAX_IMAGES),
                PreprocessedImage.of_array,
                call,
                view=view,
                is_stream=is_stream,
            )
        else:
            uploads = [
                self._predictor.bytes_of(upload)
                for upload in images or []
                if hasattr(upload, "read")
            ]
            if not uploads:
                raise MalformedRequestError(
                    "The request needs at least one file in the multipart field images."
                )
            entries = self._predictor.entries(
                panel, uploads, self._predictor.read, call, view=view, is_stream=is_stream
            )
        return (entry + b"\n" for entry in entries) if is_stream else document(entries, call)

    def list_experiments(self) -> Document:
        """Return every experiment with its serving state. Raises DatabaseUnavailableError."""
        return {"experiments": [self._with_state(record) for record in self._experiments.all()]}

    def get_experiment(self, experiment_name: str) -> Document:
        """Return one experiment. Raises UnknownExperimentError and DatabaseUnavailableError."""
        return self._with_state(self._experiments.one(_valid(experiment_name)))

    def list_models(self) -> Document:
        """Return every version of every model with its state."""
        return {"models": [self._described(model) for model in self._models.all()]}

    def get_model(self, experiment_name: str) -> Document:
        """Return one model. Raises UnknownExperimentError."""
        return self._detailed(self._models.find(_valid(experiment_name)))

    def get_model_version(self, experiment_name: str, version: int) -> Document:
        """Return one version of a model. Raises UnknownExperimentError."""
        return self._detailed(self._models.find(_valid(experiment_name), version))

    def health(self) -> Document:
        """Say that the process lives."""
        return {"status": "ok"}

    def readiness(self) -> tuple[Document, int]:
        """Return what the service depends on and its status: 200 when it can predict, else 503.

        It is starting until all that it found at its start is loaded or failed; what is added later
        makes nothing unready.
        """
        states = Counter(model.state for model in self._models.all())
        ready, loading, failed = states[State.READY], states[State.LOADING], states[State.FAILED]
        database = {"status": "ok"}
        try:
            self._database.check()
        except DatabaseUnavailableError as error:
            database = {"status": "down", "detail": error.detail}
        log = self._log.status()
        self._was_ready = self._was_ready or bool(ready and not loading)
        if not self._was_ready:
            status = "starting" if loading else "failed"
        elif not ready:
            status = "failed"
        else:
            status = (
                "degraded"
                if failed or database["status"] == "down" or log["status"] in ("full", "failing")
                else "ready"
            )
        state = "loading" if loading else "ok" if ready else "failed" if failed else "empty"
        models: Document = {"status": state, "ready": ready, "loading": loading, "failed": failed}
        if failed:
            names = [
                f"{model.name}@{model.version}"
                for model in self._models.all()
                if model.state is State.FAILED
            ]
            more = ", ..." if failed > MOST_NAMED else ""
            models["detail"] = (
                f"Failed: {', '.join(names[:MOST_NAMED])}{more}; GET /api/v1.0/models says why."
            )
        return {
            "status": status,
            "dependencies": {"models": models, "database": database, "log": log},
        }, 200 if status in ("ready", "degraded") else 503

    def metrics(self) -> str:
        """Return the metrics in Prometheus's text format."""
        return self._metrics.text()

    def _with_state(self, record: Record) -> Document:
        try:
            return {**record, "serving": self._models.find(record["name"]).state.value}
        except UnknownExperimentError:
            return {**record, "serving": NO_MODEL}

    def _detailed(self, model: ModelVersion) -> Document:
        card = model.card
        told = card and {
            part: getattr(card, part)
            for part in ("parameters", "config", "metrics", "data", "code")
        }
        return {**self._described(model), "card": told}

    def _described(self, model: ModelVersion) -> Document:
        return {
            "name": model.name,
            "version": model.version,
            "default": self._models.is_default(model),
            "aliases": self._aliases.of(model.name, model.version),
            "state": model.state.value,
            "reason": model.reason,
            "digest": model.digest,
            "format": "litert",
            "task": model.task,
            "classes": list(model.classes),
            "input": asdict(model.input),
            "output": model.output,
            "bytes": model.bytes,
            "loaded": model.loaded,
            "memory_bytes": model.memory_bytes,
            "test_accuracy": model.test_accuracy,
            "parity": asdict(model.parity) if model.parity else None,
            "update": asdict(model.update) if model.update else None,
        }


def _call() -> RequestInfo:
    return RequestInfo(current_request_id(), source.get(), time.perf_counter())


def _valid(name: str) -> str:
    if not NAME_PATTERN.fullmatch(name):
        raise MalformedRequestError(
            "experiment_name must be 1 to 128 of A-Z a-z 0-9 _ . - and begin with a letter or digit."
        )
    return name
