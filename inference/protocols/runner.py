"""Runner: images of a question through one model, on the event loop only where that is short."""

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import TypeVar

import numpy as np

from inference.errors import (
    MalformedRequestError,
    ModelNotReadyError,
    UnreadableImageError,
    UnsupportedImageError,
)
from inference.prediction.limits import check_call_size
from inference.prediction.predictor import Predictor
from inference.prediction.results import (
    ImageBatch,
    LoadedModel,
    ModelSelection,
    NotFiniteError,
    PredictionBatch,
)
from inference.prediction.scheduler import INLINE_SECONDS, MAX_IMAGES_PER_BATCH
from inference.prediction_log.recorder import RequestInfo
from inference.preprocessing.digits import PreprocessedImage, TensorImage
from inference.runtime.outputs import Outputs
from servicekit import request_context

Result = TypeVar("Result")
Image = bytes | TensorImage | PreprocessedImage


def request_info(protocol: str) -> RequestInfo:
    """Return the current request as the prediction log knows it; its time starts now."""
    request_id, source = request_context.current_request_id(), request_context.source.get()
    return RequestInfo(request_id, source, time.perf_counter(), protocol=protocol)


class Runner:
    """Answers questions with models. For the thread of one event loop."""

    def __init__(self, predictor: Predictor) -> None:
        self._predictor = predictor

    async def resolve(self, name: str) -> LoadedModel:
        """Return the one model of a name, version or alias. Raises ServiceError.

        A model that is not in memory is read in a thread.
        """
        try:
            return self._predictor.resolve(name, loaded=True)
        except ModelNotReadyError:
            return await self.in_thread(self._predictor.resolve, name)

    async def in_thread(self, work: Callable[..., Result], *arguments: object) -> Result:
        """Run work in a thread of the pool that models run in."""
        return await asyncio.wrap_future(self._predictor.submit(work, *arguments))

    async def run(self, model: LoadedModel, images: Sequence[Image], info: RequestInfo) -> Outputs:
        """Return a model's outputs for at least one image, and log them. Raises ServiceError.

        Nothing is logged if a file is not an image.
        """
        check_call_size(len(images), 1)
        if any(isinstance(image, bytes) for image in images):
            images = await self.in_thread(self._read_files, images)
        selection = ModelSelection([model])
        is_short = model.network.seconds_per_image * len(images) <= INLINE_SECONDS
        if is_short and len(images) <= MAX_IMAGES_PER_BATCH:
            batch = ImageBatch.read(images, self._predictor.read)
            batches = [self._predictor.predict_batch(selection, info, batch)]
        else:
            futures = self._predictor.batches(selection, images, info, is_stream=False)
            batches = [await asyncio.wrap_future(future) for future in futures]
        return _join(batches)

    def _read_files(self, images: Sequence[Image]) -> list[PreprocessedImage]:
        try:
            return [self._predictor.read(image) for image in images]
        except (UnsupportedImageError, UnreadableImageError) as error:
            raise MalformedRequestError(error.detail) from error


def _join(batches: Sequence[PredictionBatch]) -> Outputs:
    """Return the outputs of consecutive batches of one model. Raises their first problem."""
    problems = [problem for one in batches for problem in one.batch.problems if problem is not None]
    if problems:
        raise problems[0]
    parts = [part for one in batches for part in one.outputs if part is not None]
    outputs = parts[0]
    if len(parts) > 1:
        outputs = Outputs(
            np.concatenate([part.probabilities for part in parts]),
            [cached for part in parts for cached in part.cached],
            [index for part in parts for index in part.class_indexes],
        )
    if None in outputs.class_indexes:
        raise NotFiniteError
    return outputs
