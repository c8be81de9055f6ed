"""A predictor for tests of the API: one model of two classes, no files and no log."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

from inference.observability.metrics import Metrics
from inference.prediction.predictor import Predictor
from inference.prediction.resolver import ModelResolver
from inference.prediction.results import LoadedModel, ModelSelection, UnavailableModel
from inference.prediction_log.recorder import PredictionLog

MAX_IMAGE_BYTES = 2000


class FixedResolver:
    """Resolves every name to the same models."""

    def __init__(self, *models: LoadedModel | UnavailableModel) -> None:
        self._models = models

    def resolve(self, _name: str, *, loaded: bool = False) -> LoadedModel:  # noqa: ARG002
        [model] = self._models
        assert isinstance(model, LoadedModel)
        return model

    def select(self, _names: Any, *, loaded: bool = False) -> ModelSelection:  # noqa: ARG002
        return ModelSelection(self._models)


@contextmanager
def predicting(*models: LoadedModel | UnavailableModel) -> Iterator[Predictor]:
    """Yield a predictor of these models, and close it."""
    metrics = Metrics()
    predictor = Predictor(
        cast("ModelResolver", FixedResolver(*models)),
        metrics,
        PredictionLog(None, metrics, keeps_originals=False, refuses=False),
        max_image_bytes=MAX_IMAGE_BYTES,
        cache_entries=0,
    )
    try:
        yield predictor
    finally:
        predictor.close()
