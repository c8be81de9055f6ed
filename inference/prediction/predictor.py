"""Prediction: runs models on images, through the cache, and logs every result."""

import functools
import itertools
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from typing import Any, TypeVar

import numpy as np

from inference.errors import ImageTooLargeError, JournalFullError
from inference.observability.metrics import Metrics
from inference.prediction.cache import PredictionCache
from inference.prediction.limits import check_call_size
from inference.prediction.resolver import ModelResolver
from inference.prediction.results import (
    ImageBatch,
    LoadedModel,
    ModelSelection,
    PredictionBatch,
    UnavailableModel,
)
from inference.prediction.scheduler import Scheduler
from inference.prediction_log.recorder import ModelOutputs, PredictionLog, RequestInfo
from inference.preprocessing.digits import SIDE, Pixels, PreprocessedImage, TensorImage
from inference.runtime.network import Batch, Network
from inference.runtime.outputs import Outputs, Probabilities, collect_outputs

Result = TypeVar("Result")
Source = bytes | Pixels | TensorImage | PreprocessedImage


class Predictor:
    """Runs models on images and logs the results. Thread-safe.

    Caches up to `cache_entries` rows of probabilities; 0 turns the cache off.
    """

    def __init__(
        self,
        resolver: ModelResolver,
        metrics: Metrics,
        log: PredictionLog,
        *,
        max_image_bytes: int,
        cache_entries: int,
    ) -> None:
        self.resolve = resolver.resolve
        self.select = resolver.select
        self._metrics = metrics
        self._log = log
        self._max_image_bytes = max_image_bytes
        self._cache = PredictionCache(cache_entries) if cache_entries else None
        self._scheduler = Scheduler()
        self._turns = itertools.cycle(range(self._scheduler.threads))

    @property
    def max_upload_bytes(self) -> int:
        """How many bytes of an upload are worth reading: the largest image and one byte more."""
        return self._max_image_bytes + 1

    def close(self) -> None:
        """Stop after the running work."""
        self._scheduler.close()

    def submit(self, work: Callable[..., Result], *arguments: Any) -> Future[Result]:
        """Run work in a thread when a core is free."""
        return self._scheduler.submit(work, *arguments)

    def read(self, source: Source) -> PreprocessedImage:
        """Preprocess an encoded image, or pixels as uint8 of shape (28, 28).

        A tensor's pixels are taken as they stand. Raises ServiceError.
        """
        if isinstance(source, bytes):
            if len(source) > self._max_image_bytes:
                raise ImageTooLargeError(
                    f"The image is larger than {self._max_image_bytes} bytes. Send a smaller file."
                )
            return PreprocessedImage.from_bytes(source)
        if isinstance(source, TensorImage):
            return PreprocessedImage.from_tensor(source)
        if isinstance(source, PreprocessedImage):
            return source
        return PreprocessedImage.from_array(source)

    def predict_each(
        self,
        model: LoadedModel,
        images: Sequence[PreprocessedImage],
        requests: Sequence[RequestInfo],
    ) -> tuple[Outputs, list[float]]:
        """Run one model on images that each belong to a request of its own.

        Returns the outputs, and the milliseconds that each request has taken. Raises
        JournalFullError.
        """
        [outputs] = self._run([model], images)
        assert outputs is not None  # noqa: S101  # the model is loaded
        milliseconds = [request.milliseconds() for request in requests]
        logged = [ModelOutputs(model.version, outputs)]
        self._log.record_predictions(images, requests, milliseconds, logged)
        return outputs, milliseconds

    def predict_finite(
        self, model: LoadedModel, images: Sequence[PreprocessedImage], request: RequestInfo
    ) -> Outputs | None:
        """Run one model on all images of a request.

        Returns the outputs, or None if one is not finite: then nothing is logged. Raises
        JournalFullError.
        """
        [outputs] = self._run([model], images)
        if outputs is None or None in outputs.class_indexes:
            return None
        logged = [ModelOutputs(model.version, outputs)]
        self._log.record_predictions(images, [request], [request.milliseconds()], logged)
        return outputs

    def batches(
        self,
        selection: ModelSelection,
        sources: Sequence[Source],
        request: RequestInfo,
        *,
        is_stream: bool,
    ) -> Iterator[Future[PredictionBatch]]:
        """Yield a call's predictions in order, batch by batch, each logged before it is done.

        Those of a request that is not logged are only computed.

        Takes what `read` does. Raises RequestTooLargeError; the first batch may raise
        JournalFullError.
        """
        check_call_size(len(sources), len(selection.models))
        predict = functools.partial(self.predict_batch, selection, request)
        return self._scheduler.batches(selection, sources, self.read, predict, is_stream=is_stream)

    def predict_batch(
        self, selection: ModelSelection, request: RequestInfo, batch: ImageBatch
    ) -> PredictionBatch:
        """Run every model of the selection on a batch and log the predictions of a logged request.

        Raises JournalFullError for the first batch of a call. For a later one, whose call is
        already being answered, that error becomes the problem of its images.
        """
        nothing = [None] * len(selection.models)
        if not batch.images:
            return PredictionBatch(selection, batch, nothing)
        columns = self._run(selection.models, batch.images)
        if not request.is_logged:
            return PredictionBatch(selection, batch, columns, is_logged=False)
        logged = [
            ModelOutputs(model.version, outputs)
            for model, outputs in zip(selection.models, columns, strict=True)
            if isinstance(model, LoadedModel) and outputs is not None
        ]
        try:
            self._log.record_predictions(batch.images, [request], [request.milliseconds()], logged)
        except JournalFullError as problem:
            if batch.start == 0:
                raise
            return PredictionBatch(selection, batch.failed(problem), nothing)
        return PredictionBatch(selection, batch, columns)

    def _run(
        self,
        models: Sequence[LoadedModel | UnavailableModel],
        images: Sequence[PreprocessedImage],
    ) -> list[Outputs | None]:
        """Return each model's outputs for the images, None for an unavailable model."""
        batch = Batch(_stack_pixels(images))
        computed: list[tuple[Probabilities, Sequence[bool]] | None] = [None] * len(models)
        started = time.perf_counter()
        # Concurrent batches begin with different models: two simultaneous calls of one model need
        # two interpreters of it.
        first = next(self._turns) * len(models) // self._scheduler.threads
        for index in itertools.chain(range(first, len(models)), range(first)):
            model = models[index]
            if isinstance(model, LoadedModel):
                computed[index] = self._run_network(model.network, batch, images)
        columns = [column for column in computed if column is not None]
        self._count(models, computed, len(images), time.perf_counter() - started)
        outputs = iter(collect_outputs(columns))
        return [None if column is None else next(outputs) for column in computed]

    def _count(
        self,
        models: Sequence[LoadedModel | UnavailableModel],
        computed: Sequence[tuple[Probabilities, Sequence[bool]] | None],
        images: int,
        seconds: float,
    ) -> None:
        """Count the predictions that models computed for images, and those from the cache."""
        hits = 0
        misses: dict[str, int] = {}  # by task
        for model, column in zip(models, computed, strict=True):
            if column is not None and isinstance(model, LoadedModel):
                cached, task = sum(column[1]), model.version.task
                hits += cached
                if cached < images:
                    misses[task] = misses.get(task, 0) + images - cached
        if misses:
            self._metrics.inference_seconds.observe(seconds)
            for task, count in misses.items():
                self._metrics.count_predictions(task, count)
        if hits:
            self._metrics.cache_hits.inc(hits)

    def _run_network(
        self, network: Network, batch: Batch, images: Sequence[PreprocessedImage]
    ) -> tuple[Probabilities, Sequence[bool]]:
        """Return a network's probabilities for a batch, and which rows came from the cache."""
        if self._cache is None:
            return network.run(batch), [False] * len(images)
        digests = [image.digest for image in images]
        rows = self._cache.get(network.serial, digests)
        cached = [row is not None for row in rows]
        if not all(cached):
            missing = [index for index, is_cached in enumerate(cached) if not is_cached]
            if len(missing) < len(images):
                batch = Batch(_stack_pixels([images[index] for index in missing]))
            for index, row in zip(missing, network.run(batch), strict=True):
                rows[index] = row
            self._cache.put(network.serial, [(digests[index], rows[index]) for index in missing])
        return np.stack(rows), cached


def _stack_pixels(images: Sequence[PreprocessedImage]) -> Pixels:
    """Return the pixels of images, uint8 of shape (n, 28, 28), in a tenth of np.stack's time."""
    pixels = b"".join([image.pixels.data for image in images])
    return np.frombuffer(pixels, np.uint8).reshape(-1, SIDE, SIDE)
